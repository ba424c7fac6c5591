// A timeline does what a plain map of all versions would do, whatever happens to it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/random.h"
#include "storage_sync/remote_gc.h"
#include "timeline/test_support/timeline_fixture.h"

namespace varve {
namespace {

using test_support::key_of;
using test_support::kKeys;
using test_support::kLog;
using test_support::kStart;
using test_support::kTimeline;
using test_support::TimelineTest;

// Every value of every key at every LSN.
class Model {
 public:
  void put(uint32_t key, uint64_t lsn, const std::string& value) { values_[key][lsn] = value; }
  std::optional<std::string> get(uint32_t key, uint64_t lsn) const {
    const auto versions = values_.find(key);
    if (versions == values_.end()) return std::nullopt;
    const auto after = versions->second.upper_bound(lsn);
    if (after == versions->second.begin()) return std::nullopt;
    return std::prev(after)->second;
  }
  void forget_after(uint64_t lsn) {
    for (auto& [key, versions] : values_) versions.erase(versions.upper_bound(lsn), versions.end());
  }

 private:
  std::map<uint32_t, std::map<uint64_t, std::string>> values_;
};

class TimelineModelTest : public TimelineTest, public ::testing::WithParamInterface<uint64_t> {
 protected:
  void SetUp() override {
    options_.cache = {
        .log = kLog, .remote = &server.context(), .scratch_parent = directory_.path()};
    TimelineTest::SetUp();
    for (uint32_t i = 0; i < kKeys; i += 2) {
      model_.put(i, kStart.value, fmt::format("base {}", i));
    }
  }

  uint64_t below(uint64_t limit) { return random_.next() % limit; }

  void ingest_some() {
    const uint64_t before = timeline_->last_record_lsn().value;
    uint64_t lsn = before;
    std::vector<std::string> values;
    std::vector<Version> versions;
    const uint64_t count = 1 + below(6);
    values.reserve(count);
    for (uint64_t i = 0; i < count; ++i) {
      lsn += 1 + below(3);
      const auto key = static_cast<uint32_t>(below(kKeys));
      const auto current = model_.get(key, lsn);
      const bool image = !current || below(8) == 0;
      // Large enough for a merge to need several layer files.
      values.push_back(fmt::format("{}{}{}", image ? "image " : "+", lsn,
                                   std::string(below(1000), static_cast<char>('a' + lsn % 26))));
      versions.push_back({.key = key_of(key),
                          .lsn = Lsn{lsn},
                          .kind = image ? ValueKind::kImage : ValueKind::kRecord,
                          .value = as_bytes(values.back())});
      model_.put(key, lsn, image ? values.back() : *current + values.back());
    }
    lsn += below(2);
    VARVE_ASSERT_OK(timeline_->ingest({.start = Lsn{lsn - 1}, .end = Lsn{lsn}}, versions));
  }

  void crash() {
    open();
    model_.forget_after(timeline_->last_record_lsn().value);
  }

  void upload() {
    VARVE_ASSERT_OK(upload_timeline(server.context(), {.writer = server.writer}, *kept_, {}, {}));
    timeline_->take_over_uploads();
  }

  void collect_remotely() {
    if (kept_->get()->head.sequence == 0) return;
    clock.advance(std::chrono::minutes(below(100)));
    VARVE_ASSERT_OK(collect_remote_garbage(server.context(), *kept_, {}));
  }

  // Frees the local copy of some layers that are remote.
  void evict() {
    for (const LayerEntry& layer : layers()) {
      if (!layer.stored.is_remote() || below(2) == 0) continue;
      VARVE_ASSERT_OK(remove_file(kept_->directory() / layer.name.to_string()));
    }
  }

  // Only the remote storage is left.
  void lose_work_directory() {
    const LogHead head = kept_->get()->head;
    if (head.sequence == 0) return;
    timeline_.reset();
    VARVE_ASSERT_OK(remove_tree(kept_->directory()));
    VARVE_ASSERT_OK(create_directories_durably(kept_->directory()));
    const auto commit = read_timeline_commit(storage, kLog, head.sequence, {});
    VARVE_ASSERT_OK(commit);
    LocalManifest local = LocalManifest::from_commit(
        {head.sequence, commit->tail.trailer.checksum()}, commit->manifest, commit->stored);
    local.head_seen = server.context().clock.boot_time();
    VARVE_ASSERT_OK(local.write(kept_->directory()));
    crash();
    // What was given up since the commit is there again.
    cutoff_ = commit->manifest.metadata.gc_cutoff_lsn.value;
    std::erase_if(pins_, [&](Lsn pin) { return timeline_->last_record_lsn() < pin; });
  }

  void collect() {
    const uint64_t last = timeline_->disk_consistent_lsn().value;
    cutoff_ = std::max(cutoff_, last - below(std::min<uint64_t>(last - kStart.value + 1, 20)));
    pins_.insert(Lsn{cutoff_ + below(last - cutoff_ + 1)});
    VARVE_ASSERT_OK(timeline_->collect_garbage(Lsn{cutoff_}, [&] { return std::set<Lsn>(pins_); }));
  }

  void expect_same_at(VersionSource& source, uint64_t lsn) {
    std::map<Key, std::string> expected;
    for (uint32_t key = 0; key < kKeys; ++key) {
      const auto value = model_.get(key, lsn);
      if (value) expected.emplace(key_of(key), *value);
    }
    EXPECT_EQ(scan(source, KeyRange::all(), Lsn{lsn}), expected) << "at " << lsn;
    const auto key = static_cast<uint32_t>(below(kKeys));
    EXPECT_EQ(get(source, key, lsn), model_.get(key, lsn).value_or("NotFound"))
        << key << " at " << lsn;
  }

  // What a branch that begins there, and has nothing of its own, reads.
  void expect_same_on_branch(Lsn lsn) {
    TimelineManifest branch;
    branch.metadata = {.disk_consistent_lsn = lsn, .ancestor = kTimeline, .ancestor_lsn = lsn};
    TimelineReader reader(branch, {.ancestor = timeline_->reader(), .redo = options_.redo});
    expect_same_at(reader, lsn.value);
  }

  void expect_same() {
    for (uint64_t lsn = cutoff_; lsn <= timeline_->last_record_lsn().value; ++lsn) {
      expect_same_at(*timeline_, lsn);
    }
    for (const Lsn pin : pins_) expect_same_on_branch(pin);
  }

  uint64_t cutoff_ = kStart.value;
  std::set<Lsn> pins_;
  Model model_;
  SeededRandom random_{GetParam()};
};

TEST_P(TimelineModelTest, EveryKeyIsReadAtEveryLsn) {
  for (int step = 0; step < 150 && !HasFatalFailure(); ++step) {
    switch (below(17)) {
      case 0:
        timeline_->freeze();
        break;
      case 1:
        VARVE_ASSERT_OK(timeline_->flush());
        break;
      case 2:
        VARVE_ASSERT_OK(timeline_->checkpoint());
        break;
      case 3:
        VARVE_ASSERT_OK(timeline_->compact());
        break;
      case 4:
        if (below(4) == 0) crash();
        break;
      case 5:
        if (below(4) == 0) collect();
        break;
      case 6:
        upload();
        break;
      case 7:
        evict();
        break;
      case 8:
        collect_remotely();
        break;
      case 9:
        if (below(4) == 0) lose_work_directory();
        break;
      default:
        ingest_some();
    }
    const uint64_t last = timeline_->last_record_lsn().value;
    expect_same_at(*timeline_, cutoff_ + below(last - cutoff_ + 1));
  }
  expect_same();
  VARVE_ASSERT_OK(timeline_->checkpoint());
  VARVE_ASSERT_OK(timeline_->compact());
  expect_same();
  crash();
  expect_same();
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr uint64_t kSeeds = 20;
#else
constexpr uint64_t kSeeds = 100;
#endif

// VARVE_MODEL_SEEDS says how many others.
uint64_t seeds() {
  const char* text = std::getenv("VARVE_MODEL_SEEDS");
  return text == nullptr ? kSeeds : std::strtoull(text, nullptr, 10);
}

INSTANTIATE_TEST_SUITE_P(Seeds, TimelineModelTest, ::testing::Range<uint64_t>(0, seeds()));

}  // namespace
}  // namespace varve
