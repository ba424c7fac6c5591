#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "timeline/kept_points.h"
#include "timeline/open_timelines.h"
#include "timeline/test_support/append_redo.h"
#include "timeline/test_support/manager_fixture.h"

namespace varve {
namespace {

using std::chrono::hours;
using test_support::AppendRedo;
using test_support::Server;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::SizeIs;

class TenantGarbageTest : public test_support::ManagerTest {
 protected:
  void SetUp() override {
    server.context().options.repack_minimum = 1;
    open_manager();
    tenant_ = manager_->create_tenant({}, "acme")->id;
    main_ = import(*manager_, tenant_, "main")->id;
  }

  void open_manager() {
    timelines_.reset();
    manager_ = std::make_unique<TenantManager>(open(server).value());
    timelines_ = std::make_unique<OpenTimelines>(
        *manager_, OpenTimelines::Options{.remote = &server.context(),
                                          .timeline = {.compaction = {.merged_layers = 2,
                                                                      .layers_above_image = 1,
                                                                      .layer_size = 2000},
                                                       .redo = std::make_shared<AppendRedo>()},
                                          .scratch_parent = server.directory()});
  }
  // A new value of the first keys, remote.
  void change(uint64_t lsn, int keys, std::string_view value) {
    auto timeline = timelines_->open(main_, {}).value();
    std::vector<Version> versions;
    for (int key = 0; key < keys; ++key) {
      versions.push_back({key_of(key), Lsn{lsn}, ValueKind::kImage, as_bytes(value)});
    }
    VARVE_ASSERT_OK(timeline->ingest({.start = Lsn{lsn - 1}, .end = Lsn{lsn}}, versions));
    VARVE_ASSERT_OK(timeline->checkpoint());
    while (timeline->compact().value()) {
    }
    VARVE_ASSERT_OK(manager_->sync_timeline(main_, {}));
    timeline->take_over_uploads();
  }
  void collect_layers(uint64_t cutoff) {
    auto timeline = timelines_->open(main_, {}).value();
    VARVE_ASSERT_OK(timeline->collect_garbage(Lsn{cutoff}, [&] {
      return find_kept_points(manager_->store().tenant(tenant_)->get()->manifest, main_.timeline);
    }));
    VARVE_ASSERT_OK(manager_->sync_timeline(main_, {}));
    timeline->take_over_uploads();
  }
  std::string get(int key, uint64_t lsn) { return get(main_, key, lsn); }
  std::string get(const TenantTimelineId& id, int key, uint64_t lsn) {
    const auto snapshot = timelines_->open_snapshot(id, Lsn{lsn}, {}, {});
    if (!snapshot.ok()) return std::string(name(snapshot.code()));
    const auto value = snapshot->reader->get(key_of(key), Lsn{lsn});
    return value.ok() ? std::string(as_text(*value)) : std::string(name(value.code()));
  }
  std::set<std::string> objects_of_layers() {
    std::set<std::string> objects;
    for (const LayerEntry& layer : manager_->store().timeline(main_)->get()->manifest.layers) {
      objects.insert(layer.stored.object);
    }
    return objects;
  }

  std::unique_ptr<TenantManager> manager_;
  std::unique_ptr<OpenTimelines> timelines_;
  TenantId tenant_;
  TenantTimelineId main_;
};

TEST_F(TenantGarbageTest, WhatIsNeededLeavesObjectsThatAreMostlyGarbage) {
  // Of the import only what the last keys have is needed now.
  for (const uint64_t lsn : {180, 190, 200}) change(lsn, 8, "new");
  collect_layers(200);
  const auto before = objects_of_layers();
  const std::string imported = ObjectName::archive({}, 1).file_name();
  ASSERT_TRUE(before.contains(imported));

  const auto moved = manager_->repack_timeline(main_);
  VARVE_ASSERT_OK(moved);
  EXPECT_GT(moved->layers, 0U);
  EXPECT_FALSE(objects_of_layers().contains(imported));
  EXPECT_EQ(manager_->repack_timeline(main_)->layers, 0U);

  clock.advance(hours(2));
  VARVE_ASSERT_OK(manager_->collect_garbage(main_));
  EXPECT_FALSE(storage.head(ObjectName::archive({main_.tenant, main_.timeline}, 1).key(), {}).ok());
  // Read from where it is now.
  VARVE_ASSERT_OK(timelines_->drop_local_layers(main_, {}));
  EXPECT_EQ(get(0, 200), "new");
  EXPECT_EQ(get(kKeys - 1, 200), std::string(as_text(value_of(kKeys - 1, 1))));
}

TEST_F(TenantGarbageTest, ATenantsLogIsLookedAtOnlyWhenItHasGoneOn) {
  EXPECT_TRUE(manager_->may_have_garbage(tenant_));
  clock.advance(hours(2));
  EXPECT_EQ(manager_->collect_tenant_garbage(tenant_)->objects, 1U);
  EXPECT_FALSE(manager_->may_have_garbage(tenant_));
  open_manager();
  EXPECT_FALSE(manager_->may_have_garbage(tenant_));
  VARVE_ASSERT_OK(manager_->delete_timeline(main_));
  EXPECT_TRUE(manager_->may_have_garbage(tenant_));
  open_manager();
  EXPECT_TRUE(manager_->may_have_garbage(tenant_));
  // It may go later.
  EXPECT_EQ(manager_->collect_tenant_garbage(tenant_)->objects, 0U);
  EXPECT_TRUE(manager_->may_have_garbage(tenant_));
  clock.advance(hours(2));
  EXPECT_EQ(manager_->collect_tenant_garbage(tenant_)->objects, 2U);
  EXPECT_FALSE(manager_->may_have_garbage(tenant_));
}

TEST_F(TenantGarbageTest, WhatIsPinnedStaysReadableWhateverIsCollected) {
  change(200, kKeys, "second");
  change(300, kKeys, "third");
  VARVE_ASSERT_OK(manager_->pin_timeline(main_, Lsn{200}));
  collect_layers(300);
  EXPECT_EQ(get(3, 200), "second");
  EXPECT_EQ(get(3, 150), "NotFound");
  EXPECT_EQ(get(3, 300), "third");
  // Also after a restart, and where the tenant is attached elsewhere.
  open_manager();
  EXPECT_EQ(get(3, 200), "second");
  VARVE_ASSERT_OK(manager_->branch_timeline(main_, Lsn{200}, "from-pin"));
  const Server other(storage, clock, 7);
  auto elsewhere = open(other);
  VARVE_ASSERT_OK(elsewhere);
  EXPECT_THAT(elsewhere->pins(main_).value(),
              ElementsAre(Field("lsn", &TimelinePin::lsn, Lsn{200})));
  EXPECT_EQ(as_text(elsewhere->open_reader(main_, other.directory())
                        .value()
                        ->get(key_of(3), Lsn{200})
                        .value()),
            "second");
}

TEST_F(TenantGarbageTest, WhatIsUnpinnedGoesWithTheNextCollection) {
  change(200, kKeys, "second");
  change(300, kKeys, "third");
  VARVE_ASSERT_OK(manager_->pin_timeline(main_, Lsn{200}));
  // Once more is no other pin.
  VARVE_ASSERT_OK(manager_->pin_timeline(main_, Lsn{200}));
  EXPECT_THAT(manager_->pins(main_).value(), SizeIs(1));
  collect_layers(300);
  VARVE_ASSERT_OK(manager_->unpin_timeline(main_, Lsn{200}));
  collect_layers(300);
  EXPECT_EQ(get(3, 200), "NotFound");
  const auto again = manager_->unpin_timeline(main_, Lsn{200});
  ASSERT_TRUE(again.failed_with(ErrorCode::kNotFound));
  EXPECT_THAT(again.error().message(), HasSubstr("not pinned at 0/C8"));
}

TEST_F(TenantGarbageTest, ABranchPinsWhatLiesBelowItsBeginningInItsAncestor) {
  change(200, kKeys, "second");
  change(300, kKeys, "third");
  const auto branch = manager_->branch_timeline(main_, Lsn{300}, "branch")->id;
  const auto pin = manager_->pin_timeline(branch, Lsn{200});
  VARVE_ASSERT_OK(pin);
  EXPECT_EQ(pin->timeline, main_.timeline);
  EXPECT_THAT(manager_->pins(main_).value(), ElementsAre(*pin));
  EXPECT_THAT(manager_->pins(branch).value(), SizeIs(0));
  collect_layers(300);
  EXPECT_EQ(get(branch, 3, 200), "second");
  EXPECT_EQ(get(3, 200), "second");
  VARVE_ASSERT_OK(manager_->unpin_timeline(branch, Lsn{200}));
  collect_layers(300);
  EXPECT_EQ(get(branch, 3, 200), "NotFound");
  EXPECT_EQ(get(branch, 3, 300), "third");
}

TEST_F(TenantGarbageTest, APinOfABranchFromItsBeginningOnIsTheBranchsOwn) {
  change(200, kKeys, "second");
  const auto branch = manager_->branch_timeline(main_, Lsn{200}, "branch")->id;
  const auto pin = manager_->pin_timeline(branch, Lsn{200});
  VARVE_ASSERT_OK(pin);
  EXPECT_EQ(pin->timeline, branch.timeline);
  EXPECT_THAT(manager_->pins(branch).value(), ElementsAre(*pin));
  EXPECT_THAT(manager_->pins(main_).value(), SizeIs(0));
}

TEST_F(TenantGarbageTest, ThePinsOfADeletedTimelineGoWithIt) {
  VARVE_ASSERT_OK(manager_->pin_timeline(main_, Lsn{100}));
  VARVE_ASSERT_OK(manager_->delete_timeline(main_));
  EXPECT_THAT(manager_->store().tenant(tenant_)->get()->manifest.pins, SizeIs(0));
}

TEST_F(TenantGarbageTest, OnlyTheOwnerPins) {
  Server other(storage, clock, 8);
  auto elsewhere = open(other);
  VARVE_ASSERT_OK(elsewhere);
  EXPECT_TRUE(elsewhere->pin_timeline(main_, Lsn{100}).failed_with(ErrorCode::kConflict));
}

}  // namespace
}  // namespace varve
