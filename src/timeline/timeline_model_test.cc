// The timelines of a tenant do what a plain map of all versions would do, whatever happens to them,
// and wherever the remote storage is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iostream>

#include "base/random.h"
#include "timeline/kept_points.h"
#include "timeline/layer_eviction.h"
#include "timeline/test_support/append_redo.h"
#include "timeline/test_support/manager_fixture.h"
#include "timeline/test_support/model_storages.h"
#include "timeline/test_support/timeline_fixture.h"
#include "timeline/test_support/version_model.h"

namespace varve {
namespace {

using test_support::kStart;
using test_support::model_cases;
using test_support::ModelCase;
using test_support::StorageKind;
using test_support::VersionModel;

constexpr uint32_t kKeys = test_support::kKeys;
// A branch of a branch of a branch, and one beside them.
constexpr size_t kMaximumTimelines = 5;

// A timeline, and what it is to hold.
struct ModelledTimeline {
  TenantTimelineId id;
  std::optional<TimelineId> ancestor = {};
  // What lies below is its ancestor's, which may have given it up.
  uint64_t start = kStart.value;
  // It can be read from here on.
  uint64_t cutoff = kStart.value;
  VersionModel versions = {};
};

// Members that must be there before the storage is made.
struct ModelDirectory {
  TemporaryDirectory directory_ =
      TemporaryDirectory::create("varve-", test_support::scratch()).value();
};

class TimelineModelTest : private ModelDirectory,
                          public test_support::ManagerTest,
                          public ::testing::WithParamInterface<ModelCase> {
 protected:
  TimelineModelTest()
      : ManagerTest([this](Clock& times) {
          return test_support::make_model_storage(GetParam().storage, times, directory_.path());
        }) {}

  void SetUp() override {
    SyncOptions& options = server.context().options;
    // Some commits take packs besides.
    if (below(2) == 0) options.inline_limit = 2000;
    // Other storages than that in memory have clocks of their own, which nobody moves.
    if (GetParam().storage != StorageKind::kMemory) options.grace_period = Duration::zero();
    std::filesystem::create_directory(work_directory());
    open_manager();
    tenant_ = manager_->create_tenant({}, "acme").value().id;
    import_main();
  }

  // What happened is told when the test fails.
  void TearDown() override {
    if (HasFailure()) std::cerr << fmt::format("What happened:\n{}\n", fmt::join(story_, "\n"));
  }
  void tell(std::string what) { story_.push_back(std::move(what)); }

  uint64_t below(uint64_t limit) { return random_.next() % limit; }
  std::filesystem::path work_directory() const { return directory_ / "work"; }

  void open_manager() {
    tell("start");
    timelines_.reset();
    manager_.reset();
    auto opened = TenantManager::open({.work_directory = work_directory(),
                                       .remote = &server.context(),
                                       .clock = &clock,
                                       .random = &server.random(),
                                       .layer_size = kLayerSize,
                                       .redo = redo_});
    VARVE_ASSERT_OK(opened);
    manager_ = std::make_unique<TenantManager>(*std::move(opened));
    timelines_ = std::make_unique<OpenTimelines>(
        *manager_, OpenTimelines::Options{.remote = &server.context(),
                                          .timeline = {.compaction = {.merged_layers = 3,
                                                                      .layers_above_image = 2,
                                                                      .layer_size = kLayerSize},
                                                       .redo = redo_},
                                          .scratch_parent = directory_.path()});
  }

  // Half of the keys are there from the start.
  void import_main() {
    auto draft = manager_->start_timeline(tenant_, kStart);
    VARVE_ASSERT_OK(draft);
    ModelledTimeline main;
    for (uint32_t key = 0; key < kKeys; key += 2) {
      const std::string value = fmt::format("base {}", key);
      VARVE_ASSERT_OK(draft->put_image(test_support::key_of(key), as_bytes(value)));
      main.versions.put(key, kStart.value, value);
    }
    VARVE_ASSERT_OK(draft->finish({.disk_consistent_lsn = kStart, .gc_cutoff_lsn = kStart}));
    const auto made = manager_->commit_timeline(*std::move(draft), "main", {});
    VARVE_ASSERT_OK(made);
    main.id = made->id;
    all_.push_back(std::move(main));
  }

  ModelledTimeline& any() { return all_[below(all_.size())]; }
  // One that can be opened, unless the test has failed already.
  std::shared_ptr<Timeline> open_timeline(const ModelledTimeline& modelled) {
    auto opened = timelines_->open(modelled.id, {});
    EXPECT_TRUE(opened.ok()) << opened.error().message();
    return opened.ok() ? *opened : nullptr;
  }

  // --- what happens to one timeline ---

  void ingest_some(ModelledTimeline& to, Timeline& timeline) {
    uint64_t lsn = timeline.last_record_lsn().value;
    std::vector<std::string> values;
    std::vector<Version> versions;
    const uint64_t count = 1 + below(6);
    values.reserve(count);
    for (uint64_t i = 0; i < count; ++i) {
      lsn += 1 + below(3);
      const auto key = static_cast<uint32_t>(below(kKeys));
      const auto current = to.versions.get(key, lsn);
      const bool image = !current || below(8) == 0;
      // Large enough for a merge to need several layer files.
      values.push_back(fmt::format("{}{}{}", image ? "image " : "+", lsn,
                                   std::string(below(1000), static_cast<char>('a' + lsn % 26))));
      versions.push_back({.key = test_support::key_of(key),
                          .lsn = Lsn{lsn},
                          .kind = image ? ValueKind::kImage : ValueKind::kRecord,
                          .value = as_bytes(values.back())});
      to.versions.put(key, lsn, image ? values.back() : *current + values.back());
    }
    lsn += below(2);
    VARVE_ASSERT_OK(timeline.ingest({.start = Lsn{lsn - 1}, .end = Lsn{lsn}}, versions));
    tell(fmt::format("{} up to {}", to.id.timeline, lsn));
  }

  Result<> upload(const ModelledTimeline& each) {
    tell(fmt::format("upload {}", each.id.timeline));
    VARVE_TRY(manager_->sync_timeline(each.id, {}));
    if (const auto open = timelines_->find(each.id)) open->take_over_uploads();
    return {};
  }

  Result<> collect(ModelledTimeline& each) {
    VARVE_ASSIGN(const auto timeline, timelines_->open(each.id, {}));
    const uint64_t last = timeline->disk_consistent_lsn().value;
    const uint64_t kept = below(std::min<uint64_t>(last - each.start + 1, 20));
    each.cutoff = std::max(each.cutoff, last - kept);
    tell(fmt::format("collect {} below {}", each.id.timeline, each.cutoff));
    VARVE_TRY(timeline->collect_garbage(Lsn{each.cutoff}, [&] {
      return find_kept_points(manager_->store().tenant(tenant_)->get()->manifest, each.id.timeline);
    }));
    return {};
  }

  Result<> collect_remotely(const ModelledTimeline& each) {
    clock.advance(std::chrono::minutes(below(100)));
    tell(fmt::format("collect objects of {}", each.id.timeline));
    VARVE_TRY(manager_->collect_garbage(each.id));
    return {};
  }

  // Frees the local copy of some layers that are remote.
  Result<> drop_some_layers(const ModelledTimeline& each) {
    tell(fmt::format("drop layers of {}", each.id.timeline));
    VARVE_TRY(timelines_->drop_local_layers(each.id, {},
                                            [this](const LayerName&) { return below(2) == 0; }));
    return {};
  }

  Result<> evict() {
    tell("evict");
    VARVE_TRY(evict_layers(*timelines_, {.high = 1 + below(20'000), .low = below(10'000)}, {}));
    return {};
  }

  // --- branches ---

  static std::string branch_name(size_t number) { return fmt::format("branch-{}", number); }

  // As a server does it: nothing that the branch needs is given up before it is registered.
  Result<> make_branch(const ModelledTimeline& parent, Lsn lsn) {
    VARVE_ASSIGN(const auto snapshot, timelines_->open_snapshot(parent.id, lsn, {}, {}));
    VARVE_TRY(manager_->branch_timeline(parent.id, lsn, branch_name(branches_), {}));
    return {};
  }

  void note_branch(const ModelledTimeline& parent, Lsn lsn) {
    const auto made = manager_->timeline("acme/" + branch_name(branches_++));
    if (made.failed_with(ErrorCode::kNotFound)) return;
    VARVE_ASSERT_OK(made);
    // A crash after the registration leaves it in the remote storage alone.
    VARVE_ASSERT_OK(manager_->prefetch_timeline(made->id, {}));
    ModelledTimeline branch{.id = made->id,
                            .ancestor = made->metadata.ancestor,
                            .start = lsn.value,
                            .cutoff = lsn.value,
                            .versions = parent.versions};
    branch.versions.forget_after(lsn.value);
    tell(fmt::format("branch {} of {} at {}", branch.id.timeline, parent.id.timeline, lsn.value));
    all_.push_back(std::move(branch));
  }

  void branch(bool is_interrupted) {
    if (all_.size() == kMaximumTimelines) return;
    const ModelledTimeline parent = any();
    const uint64_t last = open_timeline(parent)->disk_consistent_lsn().value;
    const Lsn lsn{kStart.value + below(last - kStart.value + 1)};
    if (is_interrupted) interrupt();
    const auto made = make_branch(parent, lsn);
    if (is_interrupted) {
      heal();
      open_manager();
    } else if (lsn.value >= parent.cutoff) {
      VARVE_ASSERT_OK(made);
    } else if (!made.ok()) {
      ASSERT_TRUE(made.failed_with(ErrorCode::kNotFound)) << made.error().message();
    }
    note_branch(parent, lsn);
  }

  void delete_branch(bool is_interrupted) {
    const auto leaf = std::ranges::find_if(all_, [&](const ModelledTimeline& each) {
      return each.ancestor && std::ranges::none_of(all_, [&](const ModelledTimeline& other) {
               return other.ancestor == each.id.timeline;
             });
    });
    if (leaf == all_.end()) return;
    tell(fmt::format("delete {}", leaf->id.timeline));
    timelines_->close(leaf->id);
    if (is_interrupted) {
      interrupt();
      std::ignore = manager_->delete_timeline(leaf->id);
      heal();
      open_manager();
    }
    if (manager_->has_timeline(leaf->id)) {
      VARVE_ASSERT_OK(manager_->delete_timeline(leaf->id));
    }
    EXPECT_FALSE(manager_->has_timeline(leaf->id));
    all_.erase(leaf);
  }

  // --- what happens to the server ---

  // From now on requests fail, some of them after having been carried out.
  void interrupt() {
    tell("from now on requests fail");
    storage.set_script(
        random_faults(random_.next(), 0.2, {Fault::fail_before(), Fault::fail_after()}));
  }

  // Only what is in files is there.
  void restart() {
    open_manager();
    note_what_is_left();
  }

  void note_what_is_left() {
    for (ModelledTimeline& each : all_) {
      const auto timeline = open_timeline(each);
      ASSERT_NE(timeline, nullptr);
      each.versions.forget_after(timeline->last_record_lsn().value);
      const Lsn collected = timeline->reader()->view()->layers->manifest->metadata.gc_cutoff_lsn;
      each.cutoff = std::max(each.start, collected.value);
    }
  }

  // Only the remote storage is left.
  void lose_work_directory() {
    tell("the work directory is lost");
    timelines_.reset();
    manager_.reset();
    VARVE_ASSERT_OK(remove_tree(work_directory() / "tenants"));
    open_manager();
    VARVE_ASSERT_OK(manager_->attach_tenant(tenant_));
    note_what_is_left();
  }

  void upload_everything() {
    for (const ModelledTimeline& each : all_) {
      const auto timeline = open_timeline(each);
      ASSERT_NE(timeline, nullptr);
      VARVE_ASSERT_OK(timeline->checkpoint());
      VARVE_ASSERT_OK(upload(each));
    }
  }

  void detach_and_attach(bool is_interrupted) {
    upload_everything();
    for (const ModelledTimeline& each : all_) timelines_->close(each.id);
    tell("detach");
    if (is_interrupted) interrupt();
    const auto detached = manager_->detach_tenant(tenant_);
    if (is_interrupted) {
      std::ignore = manager_->attach_tenant(tenant_);
      heal();
      open_manager();
    } else {
      VARVE_ASSERT_OK(detached);
      EXPECT_FALSE(std::filesystem::exists(timeline_directory(work_directory(), all_.front().id)));
      expect_same_somewhere();
      EXPECT_EQ(timelines_->find(all_.front().id), nullptr) << "nobody may write to it";
    }
    if (!manager_->tenant("acme")->owned) {
      VARVE_ASSERT_OK(manager_->attach_tenant(tenant_));
    }
    note_what_is_left();
  }

  // Something is begun, requests fail, and the server crashes.
  void crash() {
    switch (below(4)) {
      case 0:
        return restart();
      case 1:
        branch(true);
        break;
      case 2:
        delete_branch(true);
        break;
      default:
        interrupt();
        std::ignore = upload(any());
        std::ignore = collect_remotely(any());
        std::ignore = drop_some_layers(any());
        heal();
        open_manager();
    }
    note_what_is_left();
  }

  // --- what must hold ---

  using Values = std::map<Key, std::string>;
  static Result<Values> scan(VersionSource& source, Lsn lsn) {
    Values found;
    VARVE_TRY(source.scan(KeyRange::all(), lsn, [&](const Key& key, ByteView image) -> Result<> {
      EXPECT_TRUE(found.empty() || found.rbegin()->first < key);
      found.emplace(key, as_text(image));
      return {};
    }));
    return found;
  }
  static Values expected_at(const ModelledTimeline& each, uint64_t lsn) {
    Values expected;
    for (uint32_t key = 0; key < kKeys; ++key) {
      if (auto value = each.versions.get(key, lsn)) {
        expected.emplace(test_support::key_of(key), *std::move(value));
      }
    }
    return expected;
  }

  void expect_same_at(const ModelledTimeline& each, VersionSource& source, uint64_t lsn) {
    const auto found = scan(source, Lsn{lsn});
    VARVE_ASSERT_OK(found);
    ASSERT_EQ(*found, expected_at(each, lsn)) << each.id.to_string() << " at " << lsn;
    const auto key = static_cast<uint32_t>(below(kKeys));
    const auto value = source.get(test_support::key_of(key), Lsn{lsn});
    const auto expected = each.versions.get(key, lsn);
    if (expected) {
      VARVE_ASSERT_OK(value);
      ASSERT_EQ(as_text(*value), *expected) << key << " at " << lsn;
    } else {
      ASSERT_TRUE(value.failed_with(ErrorCode::kNotFound)) << key << " at " << lsn;
    }
  }

  // What lies below is read, or is known not to be kept; never anything else.
  void expect_same_or_given_up(const ModelledTimeline& each, VersionSource& source, uint64_t lsn) {
    const auto found = scan(source, Lsn{lsn});
    if (found.ok()) {
      ASSERT_EQ(*found, expected_at(each, lsn)) << each.id.to_string() << " at " << lsn;
    } else {
      ASSERT_TRUE(found.failed_with(ErrorCode::kNotFound)) << found.error().message();
    }
  }

  void expect_same_somewhere() {
    const ModelledTimeline& each = any();
    const auto snapshot = timelines_->open_snapshot(each.id, std::nullopt, {}, {});
    VARVE_ASSERT_OK(snapshot);
    const uint64_t last = snapshot->lsn.value;
    expect_same_at(each, *snapshot->reader, each.cutoff + below(last - each.cutoff + 1));
    expect_same_or_given_up(each, *snapshot->reader, kStart.value + below(last - kStart.value + 1));
  }

  void expect_same_everywhere() {
    for (const ModelledTimeline& each : all_) {
      const auto timeline = open_timeline(each);
      ASSERT_NE(timeline, nullptr);
      const uint64_t last = timeline->last_record_lsn().value;
      for (uint64_t lsn = kStart.value; lsn < each.cutoff; ++lsn) {
        expect_same_or_given_up(each, *timeline, lsn);
      }
      for (uint64_t lsn = each.cutoff; lsn <= last; ++lsn) expect_same_at(each, *timeline, lsn);
    }
  }

  void do_something() {
    ModelledTimeline& each = any();
    const auto timeline = open_timeline(each);
    ASSERT_NE(timeline, nullptr);
    switch (below(20)) {
      case 0:
        return timeline->freeze();
      case 1:
        tell(fmt::format("flush {}", each.id.timeline));
        VARVE_ASSERT_OK(timeline->flush());
        break;
      case 2:
        tell(fmt::format("checkpoint {}", each.id.timeline));
        VARVE_ASSERT_OK(timeline->checkpoint());
        break;
      case 3:
        tell(fmt::format("compact {}", each.id.timeline));
        VARVE_ASSERT_OK(timeline->compact());
        break;
      case 4:
        VARVE_ASSERT_OK(upload(each));
        break;
      case 5:
        VARVE_ASSERT_OK(drop_some_layers(each));
        break;
      case 6:
        VARVE_ASSERT_OK(collect_remotely(each));
        break;
      case 7:
        VARVE_ASSERT_OK(collect(each));
        break;
      case 8:
        return branch(false);
      case 9:
        return do_something_rare();
      default:
        ingest_some(each, *timeline);
    }
  }

  void do_something_rare() {
    switch (below(8)) {
      case 0:
        return lose_work_directory();
      case 1:
        return detach_and_attach(false);
      case 2:
        return detach_and_attach(true);
      case 3:
        return delete_branch(false);
      case 4:
        VARVE_ASSERT_OK(manager_->prefetch_timeline(any().id, {}));
        break;
      case 5:
        VARVE_ASSERT_OK(evict());
        break;
      default:
        crash();
    }
  }

  static constexpr uint64_t kLayerSize = 600;
  const std::shared_ptr<Redo> redo_ = std::make_shared<test_support::AppendRedo>();
  SeededRandom random_{GetParam().seed};
  std::unique_ptr<TenantManager> manager_;
  std::unique_ptr<OpenTimelines> timelines_;
  TenantId tenant_;
  std::vector<ModelledTimeline> all_;
  size_t branches_ = 0;
  std::vector<std::string> story_;
};

TEST_P(TimelineModelTest, EveryKeyIsReadAtEveryLsn) {
  for (int step = 0; step < 150 && !HasFatalFailure(); ++step) {
    do_something();
    if (!HasFatalFailure()) expect_same_somewhere();
  }
  if (HasFatalFailure()) return;
  expect_same_everywhere();
  for (const ModelledTimeline& each : all_) {
    VARVE_ASSERT_OK(open_timeline(each)->checkpoint());
    VARVE_ASSERT_OK(open_timeline(each)->compact());
  }
  expect_same_everywhere();
  restart();
  expect_same_everywhere();
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr uint64_t kSlower = 5;
#else
constexpr uint64_t kSlower = 1;
#endif

INSTANTIATE_TEST_SUITE_P(Memory, TimelineModelTest,
                         ::testing::ValuesIn(model_cases(StorageKind::kMemory, "VARVE_MODEL_SEEDS",
                                                         100 / kSlower)));
INSTANTIATE_TEST_SUITE_P(Directory, TimelineModelTest,
                         ::testing::ValuesIn(model_cases(StorageKind::kDirectory,
                                                         "VARVE_MODEL_DIRECTORY_SEEDS",
                                                         5 / kSlower)));
INSTANTIATE_TEST_SUITE_P(S3, TimelineModelTest,
                         ::testing::ValuesIn(model_cases(StorageKind::kS3, "VARVE_MODEL_S3_SEEDS",
                                                         1)));

}  // namespace
}  // namespace varve
