// What tests of a timeline that is written to work with.
#pragma once

#include <unistd.h>

#include <map>

#include "storage_sync/test_support/sync_fixture.h"
#include "timeline/test_support/append_redo.h"
#include "timeline/timeline.h"
#include "timeline/timeline_draft.h"

namespace varve::test_support {

inline constexpr Lsn kStart{100};
inline constexpr uint32_t kKeys = 40;

inline Key key_of(uint32_t number) {
  Key key = key_at(5);
  store_big(key.bytes.data() + 14, number);
  return key;
}

// Where syncing costs nothing, if there is such a place: these tests make many small files.
inline std::filesystem::path scratch() {
  const std::filesystem::path memory = "/dev/shm";
  return ::access(memory.c_str(), W_OK) == 0 ? memory : std::filesystem::temp_directory_path();
}

// A timeline that is written to, and a remote storage.
class TimelineTest : public SyncTest {
 protected:
  // Half of the keys are there from the start.
  void SetUp() override {
    auto draft = TimelineDraft::create({.id = {kTenant, kTimeline},
                                        .timelines_directory = directory_.path(),
                                        .image_lsn = kStart,
                                        .layer_size = 600})
                     .value();
    for (uint32_t i = 0; i < kKeys; i += 2) {
      VARVE_ASSERT_OK(draft.put_image(key_of(i), as_bytes(fmt::format("base {}", i))));
    }
    VARVE_ASSERT_OK(draft.finish({.disk_consistent_lsn = kStart, .gc_cutoff_lsn = kStart}));
    VARVE_ASSERT_OK(draft.publish());
    open();
  }

  // As after a crash: only what is in files is there.
  void open() {
    timeline_.reset();
    const auto files = directory_.path() / kTimeline.to_string();
    kept_ = std::make_shared<KeptTimeline>(files, LocalManifest::read(files).value());
    auto opened = Timeline::open(kept_, options_);
    VARVE_ASSERT_OK(opened);
    timeline_ = *std::move(opened);
  }

  Result<> put(uint32_t key, uint64_t lsn, std::string_view value,
               ValueKind kind = ValueKind::kRecord) {
    const Version version{
        .key = key_of(key), .lsn = Lsn{lsn}, .kind = kind, .value = as_bytes(value)};
    return timeline_->ingest({.start = Lsn{lsn - 1}, .end = Lsn{lsn}}, {&version, 1});
  }
  static std::string get(VersionSource& source, uint32_t key, uint64_t lsn) {
    auto found = source.get(key_of(key), Lsn{lsn});
    return found.ok() ? std::string(as_text(*found)) : std::string(name(found.error().code()));
  }
  std::string get(uint32_t key, uint64_t lsn) { return get(*timeline_, key, lsn); }
  static std::map<Key, std::string> scan(VersionSource& source, const KeyRange& range, Lsn lsn) {
    std::map<Key, std::string> found;
    VARVE_EXPECT_OK(source.scan(range, lsn, [&](const Key& key, ByteView image) -> Result<> {
      EXPECT_TRUE(found.empty() || found.rbegin()->first < key);
      found.emplace(key, as_text(image));
      return {};
    }));
    return found;
  }
  size_t layer_files() {
    size_t files = 0;
    const auto entries = list_directory(kept_->directory()).value();
    for (const DirectoryEntry& entry : entries) {
      files += LayerName::parse(entry.name).ok() ? 1 : 0;
    }
    return files;
  }
  const std::vector<LayerEntry>& layers() {
    state_ = kept_->get();
    return state_->manifest.layers;
  }
  // Those that no compaction has merged.
  size_t flushed_layers() {
    return static_cast<size_t>(std::ranges::count_if(layers(), holds_all_keys, &LayerEntry::name));
  }

  TemporaryDirectory directory_ = TemporaryDirectory::create("varve-", scratch()).value();
  Timeline::Options options_{
      .compaction = {.merged_layers = 3, .layers_above_image = 2, .layer_size = 600},
      .redo = std::make_shared<AppendRedo>()};
  std::shared_ptr<KeptTimeline> kept_;
  std::shared_ptr<const LocalManifest> state_;
  std::unique_ptr<Timeline> timeline_;
};

}  // namespace varve::test_support
