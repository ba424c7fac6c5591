// Reading branches: what they have not themselves comes from their ancestors.
#include <gtest/gtest.h>

#include "timeline/test_support/manager_fixture.h"

namespace varve {
namespace {

using test_support::kTenant;
using test_support::ManagerTest;
using test_support::noise;
using testing::HasSubstr;

constexpr TimelineId kMain{{0xA1}};
constexpr TimelineId kBranch{{0xB2}};
constexpr TimelineId kTwig{{0xC3}};

// main, imaged at 100 and 200; the branch leaves it at 150 and has images of its own, of a few
// keys, at 300; the twig leaves the branch at 400 and has nothing.
class Branches : public ManagerTest {
 protected:
  static constexpr int kKeys = 30;

  void SetUp() override {
    VARVE_ASSERT_OK(import_main());
    make(kBranch, {10, 20}, Lsn{300},
         {.disk_consistent_lsn = Lsn{500}, .ancestor = kMain, .ancestor_lsn = Lsn{150}});
    make(kTwig, {}, {},
         {.disk_consistent_lsn = Lsn{600}, .ancestor = kBranch, .ancestor_lsn = Lsn{400}});
  }

  static Key key(int number) {
    Key key = test_support::key_at(5);
    store_big(key.bytes.data() + 14, static_cast<uint32_t>(number));
    return key;
  }
  static Bytes value(int number, uint64_t lsn) {
    return noise(300, lsn * 1000 + static_cast<uint64_t>(number));
  }

  // An image of the keys in [first, second) at `lsn`; of all keys there could be when it is
  // everything.
  static LayerEntry write_image(const std::filesystem::path& directory, std::pair<int, int> keys,
                                Lsn lsn) {
    auto writer = LayerWriter::create(directory, 0).value();
    for (int i = keys.first; i < keys.second; ++i) {
      const Bytes image = value(i, lsn.value);
      EXPECT_TRUE(writer.put({.key = key(i), .lsn = lsn, .value = image}).ok());
    }
    const KeyRange range =
        keys.second == kKeys ? KeyRange::all() : KeyRange{key(keys.first), key(keys.second)};
    const auto info = writer.finish(LayerName::image(range, lsn)).value();
    return {.name = info.name, .size = info.size, .checksum = info.checksum, .stored = {}};
  }
  // The timeline with one image, in the remote storage alone.
  void make(const TimelineId& id, std::pair<int, int> keys, Lsn lsn, TimelineMetadata metadata) {
    const auto directory = TemporaryDirectory::create().value();
    LocalManifest state;
    state.manifest.id = {kTenant, id};
    state.manifest.metadata = metadata;
    state.head_seen = BootTime{0};
    if (keys.first < keys.second) {
      state.manifest.layers.push_back(write_image(directory.path(), keys, lsn));
    }
    upload(directory.path(), state);
  }
  Result<> import_main() {
    const auto directory = TemporaryDirectory::create().value();
    LocalManifest state;
    state.manifest.id = {kTenant, kMain};
    state.manifest.metadata = {.disk_consistent_lsn = Lsn{200}, .gc_cutoff_lsn = Lsn{100}};
    state.head_seen = BootTime{0};
    for (const Lsn lsn : {Lsn{100}, Lsn{200}}) {
      state.manifest.layers.push_back(write_image(directory.path(), {0, kKeys}, lsn));
    }
    std::ranges::sort(state.manifest.layers, {}, &LayerEntry::name);
    upload(directory.path(), state);
    return {};
  }
  void upload(const std::filesystem::path& directory, const LocalManifest& state) {
    KeptTimeline timeline(directory, state);
    VARVE_ASSERT_OK(upload_timeline(server.context(), {.writer = server.writer}, timeline, {}, {}));
  }
  // The tenant's log lists what was made, and `more`.
  void register_all(std::vector<TimelineRegistration> more = {}) {
    const TemporaryDirectory directory = TemporaryDirectory::create().value();
    LocalTenant state;
    state.manifest.id = kTenant;
    state.writer = server.writer;
    state.head_seen = BootTime{0};
    KeptTenant tenant(directory.path(), state);
    VARVE_ASSERT_OK(commit_tenant(server.context(), tenant,
                                  [&](TenantManifest& manifest) -> Result<> {
                                    manifest.timelines = {
                                        {.id = kMain}, {.id = kBranch}, {.id = kTwig}};
                                    std::ranges::copy(more, std::back_inserter(manifest.timelines));
                                    return {};
                                  },
                                  {}));
  }
  Result<std::unique_ptr<TimelineReader>> open_reader(const TimelineId& id) {
    manager_.emplace(open(server).value());
    return manager_->open_reader({kTenant, id}, server.directory());
  }
  // All keys, each with the LSN that `image_of` says its value is from.
  void expect_all(TimelineReader& reader, Lsn lsn, const std::function<uint64_t(int)>& image_of) {
    int next = 0;
    VARVE_EXPECT_OK(reader.scan(KeyRange::all(), lsn, [&](const Key& found, ByteView image) {
      EXPECT_EQ(found, key(next));
      EXPECT_EQ(as_text(image), as_text(value(next, image_of(next))))
          << next << " at " << lsn.to_string();
      ++next;
      return Result<>();
    }));
    EXPECT_EQ(next, kKeys);
    for (int i = 0; i < kKeys; i += 3) {
      EXPECT_EQ(reader.get(key(i), lsn).value(), value(i, image_of(i)));
    }
  }
  static bool is_of_branch(int number) { return number >= 10 && number < 20; }

  std::optional<TenantManager> manager_;
};

TEST_F(Branches, W5_WhatABranchHasNotItselfIsReadFromItsAncestorAtTheBranchLsn) {
  register_all();
  const auto reader = open_reader(kBranch).value();
  expect_all(*reader, Lsn{500}, [](int number) { return is_of_branch(number) ? 300 : 100; });
  // Before its own images it is what its ancestor was, whatever came there later.
  expect_all(*reader, Lsn{299}, [](int) { return 100; });
}

TEST_F(Branches, W5_BelowTheBranchLsnABranchIsItsAncestor) {
  register_all();
  const auto reader = open_reader(kBranch).value();
  expect_all(*reader, Lsn{120}, [](int) { return 100; });
  const auto collected = reader->get(key(0), Lsn{99});
  ASSERT_TRUE(collected.failed_with(ErrorCode::kNotFound));
  EXPECT_THAT(collected.error().message(), HasSubstr(kMain.to_string()));
}

TEST_F(Branches, W5_ABranchOfABranchIsReadThroughBoth) {
  register_all();
  const auto reader = open_reader(kTwig).value();
  expect_all(*reader, Lsn{600}, [](int number) { return is_of_branch(number) ? 300 : 100; });
  EXPECT_TRUE(reader->get(key(0), Lsn{601}).failed_with(ErrorCode::kNotFound));
  EXPECT_EQ(reader->fetched().layers, 2U);
}

TEST_F(Branches, W5_ABranchThatIsOnlyRegisteredIsWhatItsAncestorWas) {
  const TimelineId leaf{{0xD4}};
  register_all({{.id = leaf, .ancestor = kBranch, .ancestor_lsn = Lsn{450}}});
  const auto reader = open_reader(leaf).value();
  EXPECT_EQ(reader->metadata().disk_consistent_lsn, Lsn{450});
  expect_all(*reader, Lsn{450}, [](int number) { return is_of_branch(number) ? 300 : 100; });
}

TEST_F(Branches, W5_TheAncestorsGarbageCollectionDoesNotReachWhereABranchBegins) {
  make(TimelineId{{0xE5}}, {0, kKeys}, Lsn{100},
       {.disk_consistent_lsn = Lsn{200}, .gc_cutoff_lsn = Lsn{180}});
  const TimelineId leaf{{0xD4}};
  register_all({{.id = TimelineId{{0xE5}}},
                {.id = leaf, .ancestor = TimelineId{{0xE5}}, .ancestor_lsn = Lsn{150}}});
  const auto reader = open_reader(leaf).value();
  expect_all(*reader, Lsn{150}, [](int) { return 100; });
  EXPECT_TRUE(reader->get(key(0), Lsn{149}).failed_with(ErrorCode::kNotFound));
}

TEST_F(Branches, W5_ABranchWithoutItsAncestorIsRefusedAndTheLinkNamed) {
  const TimelineId leaf{{0xD4}};
  const TimelineId gone{{0xF6}};
  register_all({{.id = leaf, .ancestor = gone, .ancestor_lsn = Lsn{150}}});
  const auto reader = open_reader(leaf);
  ASSERT_TRUE(reader.failed_with(ErrorCode::kNotFound));
  EXPECT_THAT(reader.error().message(), HasSubstr(gone.to_string()));
}

TEST_F(Branches, W5_AncestorsThatAreLocalCostNoRequest) {
  register_all();
  manager_.emplace(open(server).value());
  for (const TimelineId& id : {kMain, kBranch}) {
    const TenantTimelineId full{kTenant, id};
    LocalManifest state = LocalManifest::from_commit(
        {1, 0}, read_timeline_commit(storage, ObjectName::archive({kTenant, id}, 1), {})->manifest,
        {});
    VARVE_ASSERT_OK(test_support::download_timeline(
        server.context(), timeline_directory(server.directory(), full), state, {}, {}));
    manager_->store().add_timeline(state);
  }
  const auto reader = manager_->open_reader({kTenant, kBranch}, server.directory()).value();
  const uint64_t before = all_requests();
  expect_all(*reader, Lsn{500}, [](int number) { return is_of_branch(number) ? 300 : 100; });
  EXPECT_EQ(all_requests(), before);
}

}  // namespace
}  // namespace varve
