#include "timeline/open_timelines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "timeline/kept_points.h"
#include "timeline/test_support/append_redo.h"
#include "timeline/test_support/manager_fixture.h"

namespace varve {
namespace {

using test_support::AppendRedo;
using testing::HasSubstr;

class OpenTimelinesTest : public test_support::ManagerTest {
 protected:
  void SetUp() override {
    open_manager();
    tenant_ = manager_->create_tenant({}, "acme")->id;
    main_ = import(*manager_, tenant_, "main")->id;
  }

  void open_manager() {
    timelines_.reset();
    manager_ = std::make_unique<TenantManager>(open(server).value());
    timelines_ = std::make_unique<OpenTimelines>(*manager_, options());
  }
  OpenTimelines::Options options() {
    return {.remote = &server.context(),
            .timeline = {.compaction = {.merged_layers = 2, .layers_above_image = 1},
                         .redo = std::make_shared<AppendRedo>()},
            .scratch_parent = server.directory()};
  }

  std::shared_ptr<Timeline> open_timeline(const TenantTimelineId& id) {
    return timelines_->open(id, {}).value();
  }
  static void put(Timeline& timeline, int key, uint64_t lsn, std::string_view value) {
    const Version version{key_of(key), Lsn{lsn}, ValueKind::kImage, as_bytes(value)};
    VARVE_ASSERT_OK(timeline.ingest({.start = Lsn{lsn - 1}, .end = Lsn{lsn}}, {&version, 1}));
  }
  static std::string get(const OpenTimelines::Snapshot& snapshot, int key) {
    const auto value = snapshot.reader->get(key_of(key), snapshot.lsn);
    return value.ok() ? std::string(as_text(*value)) : std::string(name(value.code()));
  }
  OpenTimelines::Snapshot snapshot(const TenantTimelineId& id, std::optional<Lsn> lsn = {}) {
    return timelines_->open_snapshot(id, lsn, {}, {}).value();
  }
  size_t collect(Timeline& timeline, uint64_t cutoff) {
    return timeline
        .collect_garbage(Lsn{cutoff},
                         [&] {
                           const auto tenant = manager_->store().tenant(tenant_)->get();
                           return find_kept_points(tenant->manifest, main_.timeline);
                         })
        .value();
  }

  std::unique_ptr<TenantManager> manager_;
  std::unique_ptr<OpenTimelines> timelines_;
  TenantId tenant_;
  TenantTimelineId main_;
};

TEST_F(OpenTimelinesTest, EverybodyHasTheSameOne) {
  const auto timeline = open_timeline(main_);
  EXPECT_EQ(open_timeline(main_), timeline);
  EXPECT_EQ(timelines_->find(main_), timeline);
  timelines_->close(main_);
  EXPECT_EQ(timelines_->find(main_), nullptr);
}

TEST_F(OpenTimelinesTest, ASnapshotHasWhatIsOnlyInMemoryAndStaysAsItIs) {
  const auto timeline = open_timeline(main_);
  put(*timeline, 1, 110, "first");
  const auto first = snapshot(main_);
  EXPECT_EQ(first.lsn, Lsn{110});
  put(*timeline, 1, 120, "second");
  EXPECT_EQ(get(first, 1), "first");
  EXPECT_EQ(get(snapshot(main_), 1), "second");
  EXPECT_TRUE(timelines_->open_snapshot(main_, Lsn{121}, {}, {}).failed_with(ErrorCode::kNotFound));
}

TEST_F(OpenTimelinesTest, ASnapshotSurvivesWhatIsDoneToTheLayersMeanwhile) {
  const auto timeline = open_timeline(main_);
  put(*timeline, 1, 110, "first");
  VARVE_ASSERT_OK(timeline->checkpoint());
  const auto early = snapshot(main_, Lsn{110});
  for (uint64_t lsn = 120; lsn < 160; lsn += 10) {
    put(*timeline, 1, lsn, fmt::format("at {}", lsn));
    VARVE_ASSERT_OK(timeline->checkpoint());
    // What nobody uploaded is merged, and its files are gone.
    VARVE_ASSERT_OK(timeline->compact());
  }
  collect(*timeline, 150);
  EXPECT_EQ(get(early, 1), "first");
  EXPECT_TRUE(timelines_->open_snapshot(main_, Lsn{111}, {}, {}).failed_with(ErrorCode::kNotFound));
}

TEST_F(OpenTimelinesTest, ABranchReadsWhatItsAncestorGoesOnToCompactAndToCollect) {
  const auto timeline = open_timeline(main_);
  put(*timeline, 1, 110, "first");
  VARVE_ASSERT_OK(timeline->checkpoint());
  const auto branch = manager_->branch_timeline(main_, Lsn{110}, "branch");
  VARVE_ASSERT_OK(branch);
  const auto of_branch = open_timeline(branch->id);
  put(*of_branch, 2, 115, "of the branch");
  const auto read = snapshot(branch->id);
  for (uint64_t lsn = 120; lsn < 160; lsn += 10) {
    put(*timeline, 1, lsn, fmt::format("at {}", lsn));
    VARVE_ASSERT_OK(timeline->checkpoint());
    VARVE_ASSERT_OK(timeline->compact());
  }
  collect(*timeline, 150);
  for (const auto& each : {&read}) {
    EXPECT_EQ(get(*each, 1), "first");
    EXPECT_EQ(get(*each, 2), "of the branch");
  }
  EXPECT_EQ(get(snapshot(branch->id), 1), "first");
  open_manager();
  EXPECT_EQ(get(snapshot(branch->id), 1), "first");
}

TEST_F(OpenTimelinesTest, WhatABranchRestsOnIsRemoteBeforeIt) {
  const auto timeline = open_timeline(main_);
  put(*timeline, 1, 110, "first");
  VARVE_ASSERT_OK(timeline->checkpoint());
  fail({{.operation = Operation::kPut,
         .fault = Fault::fail_before(),
         .key = LogName{tenant_, main_.timeline}.prefix()}});
  const auto refused = manager_->branch_timeline(main_, Lsn{110}, "branch");
  EXPECT_TRUE(refused.failed_with(ErrorCode::kUnavailable));
  EXPECT_THAT(refused.error().message(), HasSubstr("not remote up to"));
  EXPECT_EQ(manager_->timelines(tenant_)->size(), 1U);
  heal();
  const auto branch = manager_->branch_timeline(main_, Lsn{110}, "branch");
  VARVE_ASSERT_OK(branch);

  // From the remote storage alone.
  test_support::Server other(storage, clock, 2);
  TenantManager manager = open(other).value();
  auto options = this->options();
  options.remote = &other.context();
  OpenTimelines timelines(manager, options);
  EXPECT_EQ(get(timelines.open_snapshot(branch->id, Lsn{110}, {}, {}).value(), 1), "first");
}

TEST_F(OpenTimelinesTest, WhatABranchHasOfItsAncestorIsKeptAndBranchedThere) {
  const auto timeline = open_timeline(main_);
  for (uint64_t lsn = 110; lsn < 160; lsn += 10) {
    put(*timeline, 1, lsn, fmt::format("at {}", lsn));
    VARVE_ASSERT_OK(timeline->checkpoint());
    VARVE_ASSERT_OK(timeline->compact());
  }
  const auto branch = manager_->branch_timeline(main_, Lsn{150}, "branch");
  VARVE_ASSERT_OK(branch);
  const auto earlier = manager_->branch_timeline(branch->id, Lsn{110}, "earlier");
  VARVE_ASSERT_OK(earlier);
  EXPECT_EQ(earlier->metadata.ancestor, main_.timeline);
  const auto leased = snapshot(branch->id, Lsn{120});
  collect(*timeline, 150);
  EXPECT_EQ(get(snapshot(earlier->id), 1), "at 110");
  EXPECT_EQ(get(leased, 1), "at 120");
  // Its own metadata may still say that this can be read.
  EXPECT_TRUE(
      manager_->branch_timeline(branch->id, Lsn{130}, "late").failed_with(ErrorCode::kNotFound));
  EXPECT_TRUE(
      timelines_->open_snapshot(branch->id, Lsn{130}, {}, {}).failed_with(ErrorCode::kNotFound));
}

TEST_F(OpenTimelinesTest, ABranchOfWhichACrashLeftTheRegistrationAloneIsBegunByAPrefetch) {
  fail({{.operation = Operation::kPut, .fault = Fault::fail_after(), .key = "/tenant/"}});
  EXPECT_FALSE(manager_->branch_timeline(main_, Lsn{100}, "branch").ok());
  heal();
  open_manager();
  const auto branch = manager_->timeline("acme/branch");
  VARVE_ASSERT_OK(branch);
  EXPECT_TRUE(timelines_->open(branch->id, {}).failed_with(ErrorCode::kConflict));
  VARVE_ASSERT_OK(manager_->prefetch_timeline(branch->id, {}));
  put(*open_timeline(branch->id), 1, 110, "of the branch");
  VARVE_ASSERT_OK(open_timeline(branch->id)->checkpoint());
  VARVE_ASSERT_OK(manager_->sync_timeline(branch->id, {}));
  open_manager();
  EXPECT_EQ(manager_->timeline("acme/branch")->remote_consistent_lsn, Lsn{110});
  EXPECT_EQ(get(snapshot(branch->id), 1), "of the branch");
  EXPECT_EQ(get(snapshot(branch->id), 3), as_text(value_of(3, 1)));
}

TEST_F(OpenTimelinesTest, WhatIsNotOwnedOrNotHereIsReadAndNotOpened) {
  test_support::Server other(storage, clock, 2);
  auto elsewhere = open(other).value();
  OpenTimelines timelines(elsewhere,
                          {.remote = &other.context(), .scratch_parent = other.directory()});
  const auto refused = timelines.open(main_, {});
  ASSERT_TRUE(refused.failed_with(ErrorCode::kConflict));
  EXPECT_THAT(refused.error().message(), HasSubstr("prefetch"));
  const auto read = timelines.open_snapshot(main_, {}, {}, {});
  VARVE_ASSERT_OK(read);
  EXPECT_EQ(read->timeline, nullptr);
  EXPECT_EQ(read->lsn, Lsn{100});
  EXPECT_EQ(get(*read, 3), as_text(value_of(3, 1)));
  // Here, and still another's.
  VARVE_ASSERT_OK(elsewhere.prefetch_timeline(main_, {}));
  EXPECT_TRUE(timelines.open(main_, {}).failed_with(ErrorCode::kConflict));
  EXPECT_TRUE(timelines.open({tenant_, {}}, {}).failed_with(ErrorCode::kNotFound));
}

TEST_F(OpenTimelinesTest, AfterACrashItGoesOnWhereTheLastCheckpointWas) {
  put(*open_timeline(main_), 1, 110, "first");
  VARVE_ASSERT_OK(open_timeline(main_)->checkpoint());
  put(*open_timeline(main_), 1, 120, "lost");
  open_manager();
  const auto timeline = open_timeline(main_);
  EXPECT_EQ(timeline->last_record_lsn(), Lsn{110});
  EXPECT_EQ(get(snapshot(main_), 1), "first");
}

}  // namespace
}  // namespace varve
