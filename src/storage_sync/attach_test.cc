#include "storage_sync/attach.h"

#include "storage_sync/sync_startup.h"
#include "storage_sync/test_support/sync_fixture.h"
#include "storage_sync/timeline_sync_runner.h"

namespace varve {
namespace {

using namespace test_support;
using testing::HasSubstr;

const TimelineId kSecond{{0x33, 3}};

// One process on a work directory: what it knows, and the tasks that it can run.
class Process {
 public:
  Process(const SyncContext& context, std::filesystem::path work_directory)
      : context_(context), store(std::move(work_directory)), runner(context, store) {}

  Result<SyncStartupData> start() {
    return start_local_timeline_sync(store, {.remote = &context_});
  }
  Result<bool> attach() { return attach_tenant(context_, store, kTenant, {}); }
  std::shared_ptr<const LocalTenant> tenant() const { return store.tenant(kTenant)->get(); }
  std::shared_ptr<const LocalManifest> timeline(const TimelineId& id = kTimeline) const {
    return store.timeline({kTenant, id})->get();
  }
  Result<Checkpoint> upload(const TimelineId& id = kTimeline) {
    return runner.run(SyncTask::upload({kTenant, id}, checkpoint_of(*timeline(id))), {});
  }
  void checkpoint(uint8_t number, Lsn lsn, const TimelineId& id = kTimeline) {
    const TenantTimelineId full_id{kTenant, id};
    const Bytes content = noise(500, number);
    write_plain_file(store.timeline_directory(full_id) / layer_name(number).to_string(), content);
    VARVE_ASSERT_OK(store.timeline(full_id)->change([&](LocalManifest& local) -> Result<> {
      local.manifest.layers.push_back({.name = layer_name(number),
                                       .size = content.size(),
                                       .checksum = checksum128(content),
                                       .stored = {}});
      local.manifest.metadata.disk_consistent_lsn = lsn;
      return {};
    }));
  }

 private:
  const SyncContext& context_;

 public:
  LocalStore store;
  TimelineSyncRunner runner;
};

// Lets something happen just before the first PUT into the timeline's log.
class Interposed : public RemoteStorage {
 public:
  Interposed(RemoteStorage& inner, std::function<void()> event)
      : inner_(inner), event_(std::move(event)) {}

  const StorageTraits& traits() const override { return inner_.traits(); }
  std::string url() const override { return inner_.url(); }
  Result<ListPage> list(std::string_view prefix, std::string_view after,
                        const CallOptions& options) override {
    return inner_.list(prefix, after, options);
  }
  Result<> put(std::string_view key, ByteView body, PutCondition condition,
               const CallOptions& options) override {
    if (key.starts_with(kLog.prefix()) && event_) std::exchange(event_, nullptr)();
    return inner_.put(key, body, condition, options);
  }
  Result<std::unique_ptr<MultipartUpload>> start_multipart(std::string_view key, uint64_t part_size,
                                                           const CallOptions& options) override {
    return inner_.start_multipart(key, part_size, options);
  }
  Result<ObjectInfo> get(std::string_view key, const ByteRange& range, const ByteSink& sink,
                         const CallOptions& options) override {
    return inner_.get(key, range, sink, options);
  }
  Result<ObjectInfo> head(std::string_view key, const CallOptions& options) override {
    return inner_.head(key, options);
  }
  Result<std::vector<FailedRemoval>> remove(const std::vector<std::string>& keys,
                                            const CallOptions& options) override {
    return inner_.remove(keys, options);
  }
  Result<UploadPage> list_uploads(std::string_view prefix, std::string_view continuation,
                                  const CallOptions& options) override {
    return inner_.list_uploads(prefix, continuation, options);
  }
  Result<> abort_upload(std::string_view key, std::string_view upload_id,
                        const CallOptions& options) override {
    return inner_.abort_upload(key, upload_id, options);
  }

 private:
  RemoteStorage& inner_;
  std::function<void()> event_;
};

class AttachTest : public SyncTest {
 protected:
  explicit AttachTest(StorageTraits traits = {.kind = "memory"}) : SyncTest(std::move(traits)) {}

  // The first server has a tenant with two timelines, of which the second is registered only.
  void SetUp() override {
    LocalTenant owned{.head_seen = BootTime{0}, .writer = server.writer};
    owned.manifest.id = kTenant;
    VARVE_ASSERT_OK(create_directories_durably(first.store.timeline_directory(kId)));
    const auto tenant = first.store.add_tenant(owned);
    VARVE_ASSERT_OK(commit_tenant(server.context(), *tenant,
                                  [](TenantManifest& manifest) -> Result<> {
                                    manifest.timelines = {{.id = kTimeline}, {.id = kSecond}};
                                    return {};
                                  },
                                  {}));
    first.store.add_timeline(new_timeline());
    first.checkpoint(1, Lsn{100});
    VARVE_ASSERT_OK(first.upload());
    VARVE_ASSERT_OK(second.start());
  }

  // The newest commit of a log, whoever made it.
  CommitStamp head_stamp(const LogName& log) {
    const auto listing = list_remote(storage, log.prefix(), {}).value();
    return read_stamp(storage, listing.find(log)->archives.back().name, {}).value();
  }

  static inline const TenantTimelineId kId{kTenant, kTimeline};
  Server other{storage, clock, 2};
  Process first{server.context(), server.directory()};
  Process second{other.context(), other.directory()};
};

TEST_F(AttachTest, S6_TakesTheTenantsLogAndEveryTimelinesAndTheFormerOwnerIsFenced) {
  EXPECT_TRUE(second.tenant()->check_owned().failed_with(ErrorCode::kConflict));
  EXPECT_TRUE(second.attach().value());
  const WriterId writer = second.tenant()->writer;
  VARVE_EXPECT_OK(second.tenant()->check_owned());
  EXPECT_EQ(head_stamp(kTenantLog).writer, writer);
  EXPECT_EQ(head_stamp(kLog).writer, writer);
  // A log that had not begun has a first commit now, so that nobody else can begin it.
  EXPECT_EQ(head_stamp({kTenant, kSecond}).writer, writer);

  first.checkpoint(2, Lsn{200});
  EXPECT_TRUE(first.upload().failed_with(ErrorCode::kConflict));
  EXPECT_EQ(first.tenant()->fence->writer, writer);
  EXPECT_EQ(head_stamp(kLog).writer, writer);
}

TEST_F(AttachTest, S6_TheNewOwnerGoesOnWhereTheFormerStopped) {
  VARVE_ASSERT_OK(second.attach());
  // The layers stay where they are: the metadata says where that is.
  EXPECT_EQ(second.timeline()->manifest.layers, first.timeline()->manifest.layers);
  second.checkpoint(2, Lsn{200});
  VARVE_ASSERT_OK(second.upload());
  EXPECT_EQ(committed(3).layers.size(), 2U);
  EXPECT_EQ(committed(3).metadata.disk_consistent_lsn, Lsn{200});
  EXPECT_TRUE(verify().findings.empty());
}

TEST_F(AttachTest, S6_AnOwnerThatAttachesSendsNothing) {
  const uint64_t before = all_requests();
  EXPECT_FALSE(first.attach().value());
  EXPECT_EQ(all_requests(), before);
}

TEST_F(AttachTest, S6_EachCommitIsFollowedByAListing) {
  const uint64_t lists = requests(Operation::kList);
  const uint64_t puts = requests(Operation::kPut);
  VARVE_ASSERT_OK(second.attach());
  EXPECT_EQ(requests(Operation::kPut) - puts, 3U);
  // Before: the tenant's log, and all timelines at once. After: each of the three.
  EXPECT_EQ(requests(Operation::kList) - lists, 5U);
}

class AttachOnAnUnknownServer : public AttachTest {
 protected:
  AttachOnAnUnknownServer() : AttachTest({.kind = "memory", .conditions_need_proof = true}) {}
};

TEST_F(AttachOnAnUnknownServer, S6_OneCommitIsSentOnceMoreToSeeThatTheStorageRefusesIt) {
  const uint64_t puts = requests(Operation::kPut);
  VARVE_ASSERT_OK(second.attach());
  EXPECT_EQ(requests(Operation::kPut) - puts, 3U + 1U);
}

TEST_F(AttachTest, S6_WhateverCallFailsTheAttachIsRepeatedUnderTheSameWriterAndNothingIsLost) {
  for (const Operation operation : {Operation::kPut, Operation::kList, Operation::kGet}) {
    for (const bool landed : {false, true}) {
      for (uint64_t call = 0; call < 6; ++call) {
        Server fresh(storage, clock, 100 + call);
        Process process(fresh.context(), fresh.directory());
        VARVE_ASSERT_OK(process.start());
        fail({{.operation = operation,
               .fault = landed ? Fault::fail_after() : Fault::fail_before(),
               .skip = call}});
        const auto attached = process.attach();
        heal();
        if (!attached.ok()) {
          EXPECT_TRUE(attached.failed_with(ErrorCode::kUnavailable));
          EXPECT_TRUE(process.tenant()->check_owned().failed_with(ErrorCode::kConflict));
          const WriterId writer = process.tenant()->writer;
          // In a new process.
          Process again(fresh.context(), fresh.directory());
          VARVE_ASSERT_OK(again.start());
          EXPECT_TRUE(again.tenant()->check_owned().failed_with(ErrorCode::kConflict));
          VARVE_ASSERT_OK(again.attach());
          EXPECT_EQ(again.tenant()->writer, writer);
        }
        Process last(fresh.context(), fresh.directory());
        VARVE_ASSERT_OK(last.start());
        VARVE_EXPECT_OK(last.tenant()->check_owned());
        EXPECT_EQ(head_stamp(kLog).writer, last.tenant()->writer);
        EXPECT_EQ(last.timeline()->manifest.layers, first.timeline()->manifest.layers);
      }
    }
  }
}

TEST_F(AttachTest, S6_ANumberThatTheFormerOwnerTookFirstIsFollowedByTheNextOne) {
  // The former owner commits between the newcomer's LIST and its PUT.
  Interposed raced(storage, [&] {
    first.checkpoint(2, Lsn{200});
    VARVE_ASSERT_OK(first.upload());
  });
  Server newcomer(raced, clock, 3);
  Process process(newcomer.context(), newcomer.directory());
  VARVE_ASSERT_OK(process.start());
  VARVE_ASSERT_OK(process.attach());
  EXPECT_EQ(process.timeline()->manifest.layers.size(), 2U);
  EXPECT_EQ(process.timeline()->head.sequence, 3U);
  EXPECT_EQ(head_stamp(kLog).writer, process.tenant()->writer);
}

TEST_F(AttachTest, S6_ChangesThatTheLogWentOnWithoutAreNotGivenUpInSilence) {
  VARVE_ASSERT_OK(second.attach());
  second.checkpoint(3, Lsn{150});
  VARVE_ASSERT_OK(second.upload());
  first.checkpoint(2, Lsn{200});
  EXPECT_TRUE(first.upload().failed_with(ErrorCode::kConflict));

  const auto refused = first.attach();
  ASSERT_TRUE(refused.failed_with(ErrorCode::kConflict));
  EXPECT_THAT(refused.error().message(), HasSubstr(first.store.timeline_directory(kId).string()));
  // As the message says.
  VARVE_ASSERT_OK(remove_tree(first.store.timeline_directory(kId)));
  Process again(server.context(), server.directory());
  VARVE_ASSERT_OK(again.start());
  VARVE_ASSERT_OK(again.attach());
  EXPECT_EQ(again.timeline()->manifest.layers.size(), 2U);
}

TEST_F(AttachTest, W6_ADeletedTimelineKeepsItsLastCommit) {
  VARVE_ASSERT_OK(first.store.timeline(kId)->change([](LocalManifest& local) -> Result<> {
    local.manifest.deleted = true;
    local.manifest.layers.clear();
    return {};
  }));
  VARVE_ASSERT_OK(upload_timeline(server.context(), {.writer = server.writer},
                                  *first.store.timeline(kId), {}, {}));
  const CommitStamp last = head_stamp(kLog);
  VARVE_ASSERT_OK(second.attach());
  EXPECT_EQ(head_stamp(kLog), last);
}

class AttachWithoutConditions : public AttachTest {
 protected:
  AttachWithoutConditions() : AttachTest({.kind = "memory", .conditional_put = false}) {}
};

TEST_F(AttachWithoutConditions, S6_ATenantIsTakenOverAndTheFormerOwnerIsFenced) {
  clock.advance(std::chrono::seconds(1));
  EXPECT_TRUE(second.attach().value());
  const WriterId writer = second.tenant()->writer;
  EXPECT_EQ(head_stamp(kTenantLog).writer, writer);
  EXPECT_EQ(head_stamp(kLog).writer, writer);
  clock.advance(std::chrono::seconds(1));
  first.checkpoint(2, Lsn{200});
  EXPECT_TRUE(first.upload().failed_with(ErrorCode::kConflict));
  // What the former owner stored all the same does not count, for a restart as little as here.
  EXPECT_EQ(head_stamp(kLog).writer, writer);
  Process restarted(other.context(), other.directory());
  VARVE_ASSERT_OK(restarted.start());
  VARVE_EXPECT_OK(restarted.tenant()->check_owned());
  EXPECT_EQ(restarted.timeline()->manifest.metadata.disk_consistent_lsn, Lsn{100});
}

}  // namespace
}  // namespace varve
