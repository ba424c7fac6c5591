#include "storage_sync/upload.h"

#include <gtest/gtest.h>

#include "remote_storage/local_fs.h"
#include "storage_sync/test_support/sync_fixture.h"

namespace varve {
namespace {

using test_support::kLog;
using test_support::layer_name;
using test_support::noise;
using test_support::Server;
using test_support::SyncTest;
using testing::ElementsAre;
using testing::HasSubstr;

class Upload : public SyncTest {
 protected:
  // Downloads every layer and compares it with the file it was uploaded from.
  void expect_all_layers_come_back(const LocalManifest& local) {
    const TemporaryDirectory target = TemporaryDirectory::create().value();
    for (const LayerEntry& layer : local.manifest.layers) {
      VARVE_ASSERT_OK(
          download_layer(server.context(), kLog, layer, target.path(), Durability::kScratch, {}));
      EXPECT_TRUE(read_file(target / layer.name.to_string()).value() ==
                  read_file(server.layer_path(layer.name)).value())
          << layer.name.to_string();
    }
  }

  std::vector<std::string> retired_names(uint64_t sequence) {
    std::vector<std::string> names;
    for (const auto& object : committed(sequence).retired) {
      names.push_back(fmt::format("{} by {}", object.object, object.superseded_by));
    }
    return names;
  }
};

TEST_F(Upload, W3_AnImageOfManyFilesIsOnePut) {
  LocalManifest local = new_timeline();
  for (int i = 0; i < 782; ++i) {
    server.add_layer(local, layer_name(static_cast<uint8_t>(i % 250), Lsn{100U + i / 250}),
                     noise(100, static_cast<uint64_t>(i)));
  }
  const auto result = server.upload(local);
  VARVE_ASSERT_OK(result);
  EXPECT_EQ(result->outcome, UploadOutcome::kUploaded);
  EXPECT_EQ(requests(Operation::kPut), 1U);
  EXPECT_EQ(all_requests(), 1U);
  EXPECT_EQ(committed(1).layers.size(), 782U);
}

TEST_F(Upload, S15_AStateThatIsRemoteIsNotUploadedAgain) {
  LocalManifest local = new_timeline();
  server.add_layer(local, layer_name(1), noise(100, 1));
  VARVE_ASSERT_OK(server.upload(local));
  EXPECT_TRUE(local.in_sync());
  EXPECT_EQ(local.remote_consistent_lsn, Lsn{100});
  const uint64_t before = all_requests();
  EXPECT_EQ(server.upload(local)->outcome, UploadOutcome::kAlreadyRemote);
  LocalManifest after_restart = LocalManifest::read(server.directory()).value();
  EXPECT_EQ(server.upload(after_restart)->outcome, UploadOutcome::kAlreadyRemote);
  EXPECT_EQ(all_requests(), before);
}

TEST_F(Upload, S15_ACompactionAtTheSameLsnIsUploadedAndOnlyWhatIsNewIsSent) {
  LocalManifest local = new_timeline();
  server.add_layer(local, layer_name(1), noise(10'000, 1));
  server.add_layer(local, layer_name(2), noise(10'000, 2));
  VARVE_ASSERT_OK(server.upload(local));
  std::erase_if(local.manifest.layers,
                [](const LayerEntry& layer) { return layer.name == layer_name(2); });
  server.add_layer(local, layer_name(3), noise(100, 3));
  VARVE_ASSERT_OK(server.upload(local));
  EXPECT_EQ(requests(Operation::kPut), 2U);
  EXPECT_LT(object(ObjectName::archive(kLog, 2).key()).size(), 2000U);
  const TimelineManifest manifest = committed(2);
  ASSERT_EQ(manifest.layers.size(), 2U);
  EXPECT_EQ(manifest.layers[0].stored.object, ObjectName::archive(kLog, 1).file_name());
  EXPECT_EQ(manifest.layers[1].stored.object, ObjectName::archive(kLog, 2).file_name());
  expect_all_layers_come_back(local);
}

TEST_F(Upload, S15_AChangeOfTheMetadataAloneIsUploaded) {
  LocalManifest local = new_timeline();
  VARVE_ASSERT_OK(server.upload(local));
  local.manifest.metadata.disk_consistent_lsn = Lsn{200};
  EXPECT_EQ(server.upload(local)->outcome, UploadOutcome::kUploaded);
  EXPECT_EQ(committed(2).metadata.disk_consistent_lsn, Lsn{200});
}

TEST_F(Upload, W6_ObjectsWithoutLiveLayersAreRetiredWithTheCommitThatSupersededThem) {
  LocalManifest local = new_timeline();
  server.add_layer(local, layer_name(1), noise(100, 1));
  VARVE_ASSERT_OK(server.upload(local));  // 1: live as long as its layer.
  local.manifest.metadata.disk_consistent_lsn = Lsn{200};
  VARVE_ASSERT_OK(server.upload(local));  // 2: holds no layer at all.
  local.manifest.metadata.disk_consistent_lsn = Lsn{300};
  VARVE_ASSERT_OK(server.upload(local));
  const auto archive = [](uint64_t n) { return ObjectName::archive(kLog, n).file_name(); };
  EXPECT_THAT(retired_names(3), ElementsAre(archive(2) + " by 3"));
  local.manifest.layers.clear();
  VARVE_ASSERT_OK(server.upload(local));
  EXPECT_THAT(retired_names(4),
              ElementsAre(archive(2) + " by 3", archive(1) + " by 4", archive(3) + " by 4"));
}

TEST_F(Upload, S16_ALargeCommitGoesThroughPacksAndComesBackAsItWas) {
  server.context().options = {
      .inline_limit = 2 << 20, .part_size = 100'000, .parallel_parts = 2, .pack_limit = 3 << 20};
  LocalManifest local = new_timeline();
  commit_tenant_log();
  for (uint8_t i = 1; i <= 5; ++i) {
    // The limit is reached in the middle of the second layer, and packs end after a layer.
    server.add_layer(local, layer_name(i), noise(3 * kFrameSize / 2 + i, i));
  }
  server.add_layer(local, layer_name(6), Bytes(kFrameSize));
  VARVE_ASSERT_OK(server.upload(local));
  std::set<std::string> objects;
  for (const LayerEntry& layer : committed(1).layers) {
    EXPECT_TRUE(layer.stored.object.ends_with(".pack")) << layer.stored.object;
    objects.insert(layer.stored.object);
  }
  EXPECT_EQ(objects.size(), 3U);
  EXPECT_LT(object(ObjectName::archive(kLog, 1).key()).size(), 2000U);
  EXPECT_TRUE(verify().findings.empty());
  expect_all_layers_come_back(local);
}

TEST_F(Upload, S16_TheMoveFromMemoryIntoAPackIsRightWhereverItHappens) {
  LocalManifest whole = new_timeline();
  for (uint8_t i = 1; i <= 3; ++i) server.add_layer(whole, layer_name(i), noise(200, i));
  commit_tenant_log();
  // The limit lies in every member, in its frame table and between two members in turn.
  for (uint64_t limit = kObjectHeaderSize; limit < 800; limit += 10) {
    SCOPED_TRACE(limit);
    server.context().options.inline_limit = limit;
    LocalManifest local = whole;
    local.manifest.id.timeline = TimelineId{{static_cast<uint8_t>(limit / 10)}};
    std::filesystem::remove(server.directory() / kNonceJournalFileName);
    VARVE_ASSERT_OK(server.upload(local));
    const LogName log{local.manifest.id.tenant, local.manifest.id.timeline};
    for (const LayerEntry& layer : local.manifest.layers) {
      Bytes content;
      const ByteSink collect = [&](ByteView bytes) -> Result<> {
        content.insert(content.end(), bytes.begin(), bytes.end());
        return {};
      };
      VARVE_ASSERT_OK(read_member(server.context(), log, layer, collect, {}));
      EXPECT_EQ(content, noise(200, layer.name.keys.start.bytes[0]));
    }
  }
}

TEST_F(Upload, W6_ADeletionThatFailsForgetsNothingOfWhatItFoundOut) {
  LocalManifest local = new_timeline();
  server.add_layer(local, layer_name(1), noise(100, 1));
  VARVE_ASSERT_OK(server.upload(local));
  KeptTimeline timeline(server.directory(), local);
  VARVE_ASSERT_OK(timeline.change([](LocalManifest& state) -> Result<> {
    state.manifest.metadata.disk_consistent_lsn = Lsn{200};
    return {};
  }));
  fail({{.operation = Operation::kPut, .fault = Fault::fail_after(), .key = "2.archive"},
        {.operation = Operation::kPut, .fault = Fault::fail_before(), .key = "3.archive"}});
  const UploadRequest request{.writer = server.writer};
  const UploadRequest deletion{.writer = server.writer, .delete_timeline = true};
  EXPECT_FALSE(upload_timeline(server.context(), request, timeline, {}, {}).ok());
  EXPECT_FALSE(upload_timeline(server.context(), deletion, timeline, {}, {}).ok());
  // The commit that had landed is noted, and the timeline is not gone.
  EXPECT_EQ(timeline.get()->head.sequence, 2U);
  EXPECT_FALSE(LocalManifest::read(server.directory())->manifest.deleted);
  EXPECT_EQ(timeline.get()->manifest.layers.size(), 1U);
  EXPECT_EQ(upload_timeline(server.context(), request, timeline, {}, {})->outcome,
            UploadOutcome::kAlreadyRemote);
  EXPECT_EQ(upload_timeline(server.context(), deletion, timeline, {}, {})->outcome,
            UploadOutcome::kUploaded);
  EXPECT_TRUE(committed(3).deleted);
  EXPECT_TRUE(LocalManifest::read(server.directory())->manifest.deleted);
}

TEST_F(Upload, W4_ALayerFileDamagedBeforeItWasSentIsRefusedAndNothingIsCommitted) {
  for (const bool packs : {false, true}) {
    if (packs) server.context().options = {.inline_limit = 64, .part_size = 1000};
    for (const size_t cut : {size_t{0}, size_t{1}}) {
      LocalManifest local = new_timeline();
      server.add_layer(local, layer_name(1), noise(5000, 1));
      Bytes damaged = noise(5000 - cut, 1);
      damaged[2500] ^= 1;
      test_support::write_plain_file(server.layer_path(layer_name(1)), damaged);
      const LocalManifest before = local;
      const auto result = server.upload(local);
      ASSERT_TRUE(result.failed_with(ErrorCode::kCorrupted));
      EXPECT_THAT(result.error().message(), HasSubstr(layer_name(1).to_string()));
      EXPECT_EQ(local.manifest, before.manifest);
      EXPECT_TRUE(keys().empty());
    }
  }
}

TEST_F(Upload, ALayerFileThatIsGoneIsNotFoundAndNothingIsCommitted) {
  LocalManifest local = new_timeline();
  server.add_layer(local, layer_name(1), noise(50, 1));
  ASSERT_TRUE(remove_file(server.layer_path(layer_name(1))).ok());
  EXPECT_TRUE(server.upload(local).failed_with(ErrorCode::kNotFound));
  EXPECT_TRUE(keys().empty());
}

TEST_F(Upload, APackThatFailsLeavesNothingAndTheCallMayBeRepeated) {
  server.context().options = {.inline_limit = 64, .part_size = 1000, .parallel_parts = 3};
  LocalManifest local = new_timeline();
  server.add_layer(local, layer_name(1), noise(10'000, 1));
  for (const auto operation : {Operation::kMultipartCreate, Operation::kMultipartPart,
                               Operation::kMultipartComplete, Operation::kPut}) {
    fail({{.operation = operation, .fault = Fault::fail_before()}});
    EXPECT_TRUE(server.upload(local).failed_with(ErrorCode::kUnavailable));
    EXPECT_EQ(local.head.sequence, 0U);
    for (const auto& key : keys()) EXPECT_TRUE(key.ends_with(".pack")) << key;
  }
  heal();
  VARVE_ASSERT_OK(server.upload(local));
  expect_all_layers_come_back(local);
}

TEST_F(Upload, ProgressEndsAtTheWholeAndNeverGoesBack) {
  LocalManifest local = new_timeline();
  server.add_layer(local, layer_name(1), noise(3 * kFrameSize, 1));
  server.add_layer(local, layer_name(2), noise(10, 2));
  std::vector<uint64_t> done;
  const ByteProgress progress = [&](uint64_t bytes, uint64_t total) {
    EXPECT_EQ(total, 3 * kFrameSize + 10);
    done.push_back(bytes);
  };
  VARVE_ASSERT_OK(server.upload(local, {}, progress));
  EXPECT_TRUE(std::ranges::is_sorted(done));
  EXPECT_EQ(done.back(), 3 * kFrameSize + 10);
}

TEST_F(Upload, W2_AStopRequestEndsItAndNothingIsCommitted) {
  LocalManifest local = new_timeline();
  server.add_layer(local, layer_name(1), noise(10, 1));
  std::stop_source stop;
  stop.request_stop();
  EXPECT_TRUE(
      server.upload(local, {}, {}, {.stop = stop.get_token()}).failed_with(ErrorCode::kCancelled));
  EXPECT_TRUE(keys().empty());
}

TEST(UploadToADirectory, S16_PacksAndArchivesComeBackAsTheyWere) {
  const TemporaryDirectory root = TemporaryDirectory::create().value();
  ManualClock clock;
  const auto storage = LocalFs::open(root.path()).value();
  Server server(*storage, clock, 1, {.inline_limit = 1000, .part_size = 700, .pack_limit = 3000});
  LocalManifest local;
  local.manifest.id = {test_support::kTenant, test_support::kTimeline};
  for (uint8_t i = 1; i <= 6; ++i) server.add_layer(local, layer_name(i), noise(1000, i));
  VARVE_ASSERT_OK(server.upload(local));
  const TemporaryDirectory target = TemporaryDirectory::create().value();
  VARVE_ASSERT_OK(test_support::download_timeline(server.context(), target.path(), local, {}, {}));
  for (uint8_t i = 1; i <= 6; ++i) {
    EXPECT_EQ(read_file(target / layer_name(i).to_string()).value(), noise(1000, i));
  }
}

}  // namespace
}  // namespace varve
