#include "storage_sync/timeline_sync_runner.h"

#include "storage_sync/test_support/sync_fixture.h"

namespace varve {
namespace {

using namespace test_support;

// A work directory with one tenant and one timeline of two layers.
class TimelineSyncRunnerTest : public SyncTest {
 protected:
  void SetUp() override {
    VARVE_ASSERT_OK(create_directories_durably(directory));
    LocalTenant owned{.head_seen = BootTime{0}, .writer = server.writer};
    owned.manifest.id = kTenant;
    const auto tenant = store.add_tenant(owned);
    VARVE_ASSERT_OK(commit_tenant(server.context(), *tenant,
                                  [&](TenantManifest& manifest) -> Result<> {
                                    manifest.timelines.push_back({.id = kTimeline});
                                    return {};
                                  },
                                  {}));
    store.add_timeline(local);
    for (uint8_t number = 1; number <= 2; ++number) add_layer(number);
  }
  void add_layer(uint8_t number) {
    const Bytes content = noise(1000, number);
    write_plain_file(directory / layer_name(number).to_string(), content);
    const auto add = [&](LocalManifest& state) -> Result<> {
      state.manifest.layers.push_back({.name = layer_name(number),
                                       .size = content.size(),
                                       .checksum = checksum128(content),
                                       .stored = {}});
      return {};
    };
    VARVE_ASSERT_OK(store.timeline({kTenant, kTimeline})->change(add));
    local = *store.timeline({kTenant, kTimeline})->get();
  }
  SyncTask upload() const { return SyncTask::upload({kTenant, kTimeline}, checkpoint_of(local)); }

  LocalManifest local = new_timeline();
  LocalStore store{server.directory()};
  const std::filesystem::path tenant_directory = store.tenant_directory(kTenant);
  const std::filesystem::path directory = store.timeline_directory({kTenant, kTimeline});
  TimelineSyncRunner runner{server.context(), store};
};

TEST_F(TimelineSyncRunnerTest, S15_AnUploadMakesTheCheckpointRemoteAndASecondOneCostsNothing) {
  const auto done = runner.run(upload(), {});
  VARVE_ASSERT_OK(done);
  EXPECT_EQ(*done, checkpoint_of(local));
  EXPECT_EQ(committed(1).layers.size(), 2);
  EXPECT_TRUE(LocalManifest::read(directory)->in_sync());
  const uint64_t before = all_requests();
  EXPECT_EQ(runner.run(upload(), {}).value(), checkpoint_of(local));
  EXPECT_EQ(all_requests(), before);
}

TEST_F(TimelineSyncRunnerTest, S15_AnUploadReachesTheStateAsItIsWhenItStarts) {
  const SyncTask task = upload();
  add_layer(3);
  EXPECT_EQ(runner.run(task, {}).value(), checkpoint_of(local));
  EXPECT_EQ(committed(1).layers.size(), 3);
}

TEST_F(TimelineSyncRunnerTest, S15_ACheckpointMadeWhileAnEarlierOneIsUploadedIsNotLost) {
  const SyncTask task = upload();
  const Checkpoint asked = checkpoint_of(local);
  bool made = false;
  storage.set_script([&](const FaultyCall& call) -> std::optional<Fault> {
    if (call.operation == Operation::kPut && !std::exchange(made, true)) add_layer(3);
    return std::nullopt;
  });
  // What was asked for is remote, and nothing is said of what came later.
  EXPECT_EQ(runner.run(task, {}).value(), asked);
  EXPECT_EQ(committed(1).layers.size(), 2U);
  const auto now = store.timeline({kTenant, kTimeline})->get();
  EXPECT_EQ(now->manifest.layers.size(), 3U);
  EXPECT_EQ(now->head.sequence, 1U);
  EXPECT_FALSE(now->in_sync());
  EXPECT_EQ(LocalManifest::read(directory)->manifest, now->manifest);

  VARVE_ASSERT_OK(runner.run(upload(), {}));
  EXPECT_EQ(committed(2).layers.size(), 3U);
  // The layers of the first commit were not sent again.
  EXPECT_EQ(committed(2).layers[0].stored, committed(1).layers[0].stored);
}

TEST_F(TimelineSyncRunnerTest, S15_ContentIsTheLayersAndWhatElseChangesWhileTheLsnStandsStill) {
  const Checkpoint before = checkpoint_of(local);
  LocalManifest further = local;
  further.manifest.metadata.disk_consistent_lsn = Lsn{200};
  further.manifest.metadata.previous_record_lsn = Lsn{190};
  EXPECT_EQ(checkpoint_of(further), (Checkpoint{Lsn{200}, before.content}));
  further = local;
  further.manifest.metadata.gc_cutoff_lsn = Lsn{50};
  EXPECT_NE(checkpoint_of(further).content, before.content);
  further = local;
  further.manifest.layers.pop_back();
  EXPECT_NE(checkpoint_of(further).content, before.content);
}

TEST_F(TimelineSyncRunnerTest, S6_AFenceIsNotedAndFromThenOnNothingIsEvenAsked) {
  Server rival(storage, clock, 2);
  LocalManifest theirs = new_timeline();
  rival.add_layer(theirs, layer_name(9), noise(10, 9));
  VARVE_ASSERT_OK(rival.upload(theirs));
  EXPECT_TRUE(runner.run(upload(), {}).failed_with(ErrorCode::kConflict));
  EXPECT_EQ(LocalTenant::read(tenant_directory)->fence->writer, rival.writer);
  const uint64_t before = all_requests();
  EXPECT_TRUE(runner.run(upload(), {}).failed_with(ErrorCode::kConflict));
  EXPECT_EQ(all_requests(), before);
}

TEST_F(TimelineSyncRunnerTest, S7_ATimelineThatTheTenantsLogDoesNotListIsRegisteredFirst) {
  LocalManifest other = new_timeline();
  other.manifest.id.timeline = TimelineId{{0x77}};
  VARVE_ASSERT_OK(create_directories_durably(store.timeline_directory(other.manifest.id)));
  store.add_timeline(other);
  // Without the registration the timeline's log is not even begun.
  fail({{.operation = Operation::kPut, .fault = Fault::fail_before(), .key = "/tenant/"}});
  const SyncTask task = SyncTask::upload(other.manifest.id, checkpoint_of(other));
  EXPECT_TRUE(runner.run(task, {}).failed_with(ErrorCode::kUnavailable));
  const LogName log{kTenant, other.manifest.id.timeline};
  EXPECT_THAT(keys(), testing::Not(testing::Contains(testing::HasSubstr(log.prefix()))));
  heal();
  VARVE_ASSERT_OK(runner.run(task, {}));
  EXPECT_NE(store.tenant(kTenant)->get()->manifest.find(log.timeline), nullptr);
  EXPECT_THAT(keys(), testing::Contains(testing::HasSubstr(log.prefix())));
}

TEST_F(TimelineSyncRunnerTest, S6_NothingIsAcknowledgedOnceAnotherTaskHasMetTheFence) {
  const auto tenant = store.tenant(kTenant);
  storage.set_script([&](const FaultyCall& call) -> std::optional<Fault> {
    if (call.operation == Operation::kPut) {
      EXPECT_TRUE(
          fence_tenant(server.context(), *tenant, std::nullopt).failed_with(ErrorCode::kConflict));
    }
    return std::nullopt;
  });
  EXPECT_TRUE(runner.run(upload(), {}).failed_with(ErrorCode::kConflict));
}

TEST_F(TimelineSyncRunnerTest, W6_ADeletedTimelineIsNotUploaded) {
  VARVE_ASSERT_OK(store.tenant(kTenant)->change([](LocalTenant& tenant) -> Result<> {
    tenant.manifest.timelines[0].deleted = true;
    return {};
  }));
  const uint64_t before = all_requests();
  EXPECT_TRUE(runner.run(upload(), {}).failed_with(ErrorCode::kConflict));
  EXPECT_EQ(all_requests(), before);
}

TEST_F(TimelineSyncRunnerTest, W6_ADeletionThatLandedUnnoticedIsNotTakenForTheUpload) {
  VARVE_ASSERT_OK(runner.run(upload(), {}));
  LocalManifest last = *store.timeline({kTenant, kTimeline})->get();
  last.manifest.deleted = true;
  last.manifest.layers.clear();
  KeptTimeline ending(directory, last);
  fail({{.operation = Operation::kPut, .fault = Fault::fail_after()}});
  EXPECT_FALSE(upload_timeline(server.context(), {.writer = server.writer}, ending, {}, {}).ok());
  heal();
  add_layer(3);
  EXPECT_TRUE(runner.run(upload(), {}).failed_with(ErrorCode::kConflict));
  EXPECT_TRUE(committed(2).deleted);
  EXPECT_TRUE(LocalManifest::read(directory)->manifest.deleted);
}

TEST_F(TimelineSyncRunnerTest, S18_ADownloadBringsTheWholeTimelineToAnEmptyPlace) {
  VARVE_ASSERT_OK(runner.run(upload(), {}));
  VARVE_ASSERT_OK(remove_tree(directory));
  store.forget_timeline({kTenant, kTimeline});
  const auto done = runner.run(SyncTask::download({kTenant, kTimeline}, 1), {});
  VARVE_ASSERT_OK(done);
  EXPECT_EQ(*done, checkpoint_of(local));
  const auto restored = LocalManifest::read(directory).value();
  EXPECT_TRUE(restored.in_sync());
  for (const LayerEntry& layer : restored.manifest.layers) {
    EXPECT_TRUE(layer_file_is_intact(directory / layer.name.to_string(), layer, {}).value());
  }
}

TEST_F(TimelineSyncRunnerTest, S18_ADownloadOfAnOlderCommitOnlyBringsLayersThatLack) {
  VARVE_ASSERT_OK(runner.run(upload(), {}));
  add_layer(3);
  std::filesystem::remove(directory / layer_name(1).to_string());
  VARVE_ASSERT_OK(runner.run(SyncTask::download({kTenant, kTimeline}, 1), {}));
  EXPECT_EQ(LocalManifest::read(directory)->manifest, local.manifest);
  EXPECT_TRUE(path_exists(directory / layer_name(1).to_string()).value());
}

TEST_F(TimelineSyncRunnerTest, S18_ADownloadDoesNotMakeRemoteWhatIsOnlyHere) {
  const Checkpoint uploaded = runner.run(upload(), {}).value();
  const SyncTask download = SyncTask::download({kTenant, kTimeline}, 1);
  EXPECT_EQ(runner.run(download, {}).value(), uploaded);
  VARVE_ASSERT_OK(
      store.timeline({kTenant, kTimeline})->change([](LocalManifest& state) -> Result<> {
        state.manifest.metadata.disk_consistent_lsn = Lsn{200};
        return {};
      }));
  const auto done = runner.run(download, {});
  VARVE_ASSERT_OK(done);
  EXPECT_EQ(done->disk_consistent_lsn, uploaded.disk_consistent_lsn);
  // At the same LSN it is the content that may not be taken for remote.
  VARVE_ASSERT_OK(runner.run(upload(), {}));
  add_layer(3);
  EXPECT_FALSE(runner.run(download, {})->covers(checkpoint_of(local)));
}

TEST_F(TimelineSyncRunnerTest, S18_ADownloadThatAnAttachOvertakesLeavesTheStateThatIsFurther) {
  for (const bool was_here : {false, true}) {
    VARVE_ASSERT_OK(runner.run(upload(), {}));
    LocalManifest behind = *store.timeline({kTenant, kTimeline})->get();
    LocalManifest further = behind;
    behind.head.sequence = 0;
    further.head.sequence = 2;
    VARVE_ASSERT_OK(remove_tree(directory));
    VARVE_ASSERT_OK(create_directories_durably(directory));
    store.forget_timeline({kTenant, kTimeline});
    if (was_here) store.add_timeline(behind);
    storage.set_script([&](const FaultyCall&) -> std::optional<Fault> {
      EXPECT_TRUE(store.find_or_add_timeline(further)
                      ->change([&](LocalManifest& state) -> Result<> {
                        state = further;
                        return {};
                      })
                      .ok());
      return std::nullopt;
    });
    VARVE_EXPECT_OK(runner.run(SyncTask::download({kTenant, kTimeline}, 1), {}));
    heal();
    EXPECT_EQ(store.timeline({kTenant, kTimeline})->get()->head.sequence, 2U);
    EXPECT_EQ(LocalManifest::read(directory)->head.sequence, 2U);
    LocalManifest original = further;
    original.head.sequence = 1;
    store.add_timeline(original);
  }
}

TEST_F(TimelineSyncRunnerTest, W6_ADownloadOfADeletedTimelineBringsNothingBack) {
  VARVE_ASSERT_OK(runner.run(upload(), {}));
  VARVE_ASSERT_OK(store.tenant(kTenant)->change([](LocalTenant& tenant) -> Result<> {
    tenant.manifest.timelines.at(0).deleted = true;
    return {};
  }));
  VARVE_ASSERT_OK(remove_tree(directory));
  store.forget_timeline({kTenant, kTimeline});
  EXPECT_TRUE(runner.run(SyncTask::download({kTenant, kTimeline}, 1), {})
                  .failed_with(ErrorCode::kConflict));
  EXPECT_FALSE(std::filesystem::exists(directory));
}

TEST_F(TimelineSyncRunnerTest, W2_AStopRequestEndsADownloadWhateverItHasGotTo) {
  VARVE_ASSERT_OK(runner.run(upload(), {}));
  const SyncTask task = SyncTask::download({kTenant, kTimeline}, 1);
  std::stop_source stop;
  stop.request_stop();
  const CallOptions stopped{.stop = stop.get_token()};
  std::filesystem::remove(directory / layer_name(1).to_string());
  EXPECT_TRUE(runner.run(task, stopped).failed_with(ErrorCode::kCancelled));
  VARVE_ASSERT_OK(remove_tree(directory));
  store.forget_timeline({kTenant, kTimeline});
  EXPECT_TRUE(runner.run(task, stopped).failed_with(ErrorCode::kCancelled));
  EXPECT_TRUE(LocalManifest::read(directory).failed_with(ErrorCode::kNotFound));
}

}  // namespace
}  // namespace varve
