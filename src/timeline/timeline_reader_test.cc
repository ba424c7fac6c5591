// Reading through layers that are local, remote, or gone.
#include "timeline/timeline_reader.h"

#include <gtest/gtest.h>

#include <thread>

#include "storage_sync/test_support/framed_layer.h"
#include "storage_sync/test_support/sync_fixture.h"
#include "timeline/timeline_draft.h"

namespace varve {
namespace {

using test_support::kLog;
using test_support::kTenant;
using test_support::kTimeline;
using test_support::noise;
using test_support::SyncTest;
using testing::HasSubstr;

constexpr int kKeys = 100;

Key key_of(int number) {
  Key key = test_support::key_at(5);
  store_big(key.bytes.data() + 14, static_cast<uint32_t>(number));
  return key;
}
Bytes value_of(int number) {
  return noise(1000, static_cast<uint64_t>(number));
}

// Flips a byte in the middle of a file.
void damage(const std::filesystem::path& path) {
  auto file = File::open(path, O_RDWR).value();
  const uint64_t at = file.size().value() / 2;
  Bytes byte(1);
  VARVE_ASSERT_OK(file.read_exactly_at(at, byte));
  byte[0] ^= 1;
  VARVE_ASSERT_OK(file.write_at(at, byte));
}

class Reader : public SyncTest {
 protected:
  void SetUp() override {
    auto draft = TimelineDraft::create({.id = {kTenant, kTimeline},
                                        .timelines_directory = server.directory(),
                                        .image_lsn = Lsn{100},
                                        .layer_size = 10'000})
                     .value();
    for (int i = 0; i < kKeys; ++i) VARVE_ASSERT_OK(draft.put_image(key_of(i), value_of(i)));
    VARVE_ASSERT_OK(draft.finish({.disk_consistent_lsn = Lsn{200}, .gc_cutoff_lsn = Lsn{100}}));
    KeptTimeline timeline(draft.directory(), draft.manifest());
    VARVE_ASSERT_OK(upload_timeline(server.context(), {.writer = server.writer}, timeline, {}, {}));
    local_ = *timeline.get();
    VARVE_ASSERT_OK(draft.publish());
    directory_ = server.directory() / kTimeline.to_string();
    ASSERT_GT(local_.manifest.layers.size(), 5U);
  }

  LayerCache::Options options(bool local, bool remote) {
    return {.directory = local ? directory_ : std::filesystem::path(),
            .log = kLog,
            .remote = remote ? &server.context() : nullptr,
            .scratch_parent = server.directory()};
  }
  TimelineReader reader(bool local, bool remote) {
    return {local_.manifest, {.cache = options(local, remote)}};
  }
  static void expect_all(TimelineReader& reader) {
    int next = 0;
    VARVE_EXPECT_OK(reader.scan(KeyRange::all(), Lsn{150}, [&](const Key& key, ByteView image) {
      EXPECT_EQ(key, key_of(next));
      EXPECT_EQ(as_text(image), as_text(value_of(next)));
      ++next;
      return Result<>();
    }));
    EXPECT_EQ(next, kKeys);
  }
  std::filesystem::path layer_file(size_t i) {
    return directory_ / local_.manifest.layers[i].name.to_string();
  }
  size_t scratch_entries() {
    size_t count = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(server.directory())) {
      if (entry.path().string().find("varve-scratch") != std::string::npos) ++count;
    }
    return count;
  }

  LocalManifest local_;
  std::filesystem::path directory_;
};

TEST_F(Reader, LocalLayersCostNoRequest) {
  const uint64_t before = all_requests();
  TimelineReader local = reader(true, true);
  expect_all(local);
  EXPECT_EQ(all_requests(), before);
  EXPECT_EQ(local.fetched().layers, 0U);
}

TEST_F(Reader, S19_LayersThatAreOnlyRemoteComeOnDemandAndLeaveNothingBehind) {
  {
    TimelineReader remote = reader(false, true);
    expect_all(remote);
    EXPECT_GE(remote.fetched().layers, local_.manifest.layers.size());
  }
  EXPECT_EQ(scratch_entries(), 0U);
}

TEST_F(Reader, S19_OneKeyFetchesOneLayer) {
  TimelineReader remote = reader(false, true);
  EXPECT_EQ(remote.get(key_of(42), Lsn{100}).value(), value_of(42));
  EXPECT_EQ(remote.get(key_of(42), Lsn{200}).value(), value_of(42));
  EXPECT_EQ(remote.fetched().layers, 1U);
}

TEST_F(Reader, S19_ALayerThatIsNotLocalIsFetchedAndTheOthersAreNot) {
  ASSERT_TRUE(remove_file(layer_file(2)).ok());
  TimelineReader mixed = reader(true, true);
  expect_all(mixed);
  EXPECT_EQ(mixed.fetched().layers, 1U);
  EXPECT_EQ(mixed.fetched().bytes, local_.manifest.layers[2].size);
}

TEST_F(Reader, ALayerThatIsNeitherLocalNorRemoteIsNotFoundAndNamed) {
  ASSERT_TRUE(remove_file(layer_file(0)).ok());
  TimelineReader local = reader(true, false);
  const auto lost = local.get(key_of(0), Lsn{100});
  ASSERT_TRUE(lost.failed_with(ErrorCode::kNotFound));
  EXPECT_THAT(lost.error().message(), HasSubstr(local_.manifest.layers[0].name.to_string()));
}

TEST_F(Reader, W4_ADamagedLocalLayerIsReadFromTheRemoteCopy) {
  test_support::write_plain_file(layer_file(0), as_bytes("no table"));
  std::filesystem::copy_file(layer_file(3), layer_file(1),
                             std::filesystem::copy_options::overwrite_existing);
  TimelineReader both = reader(true, true);
  expect_all(both);
  EXPECT_EQ(both.fetched().layers, 2U);
  TimelineReader alone = reader(true, false);
  EXPECT_TRUE(alone.get(key_of(0), Lsn{100}).failed_with(ErrorCode::kCorrupted));
  EXPECT_TRUE(alone.get(key_of(12), Lsn{100}).failed_with(ErrorCode::kCorrupted));
}

TEST_F(Reader, W4_DamageInTheMiddleOfAScanIsReadFromTheRemoteCopyAndTheScanGoesOn) {
  damage(layer_file(2));
  damage(layer_file(4));
  TimelineReader both = reader(true, true);
  expect_all(both);
  EXPECT_EQ(both.fetched().layers, 2U);
  const uint64_t before = all_requests();
  expect_all(both);
  EXPECT_EQ(all_requests(), before);
  TimelineReader alone = reader(true, false);
  EXPECT_TRUE(alone.scan(KeyRange::all(), Lsn{100}, [](const Key&, ByteView) { return Result<>(); })
                  .failed_with(ErrorCode::kCorrupted));
}

TEST_F(Reader, W4_DamageOnTheWayToAKeyIsReadFromTheRemoteCopy) {
  damage(layer_file(2));
  LayerCache cache(options(true, true));
  const LayerEntry& layer = local_.manifest.layers[2];
  int first = 0;
  while (key_of(first) != layer.name.keys.start) ++first;
  const auto cursor = cache.cursor(layer, layer.name.keys).value();
  EXPECT_EQ(cache.fetched().layers, 0U);
  VARVE_ASSERT_OK(cursor->seek(key_of(first + 7), Lsn::max()));
  EXPECT_EQ(cache.fetched().layers, 1U);
  ASSERT_NE(cursor->current(), nullptr);
  EXPECT_EQ(cursor->current()->key, key_of(first + 7));
  EXPECT_EQ(as_text(cursor->current()->value), as_text(value_of(first + 7)));
}

TEST_F(Reader, W4_AKeyInADamagedBlockIsReadFromTheRemoteCopy) {
  damage(layer_file(0));
  for (int i = 0; i < 10; ++i) {
    TimelineReader both = reader(true, true);
    EXPECT_EQ(both.get(key_of(i), Lsn{100}).value(), value_of(i));
  }
}

TEST_F(Reader, W4_DamageOfBothCopiesIsCorrupted) {
  damage(layer_file(2));
  Bytes archive = object(keys().front());
  for (size_t at = 100; at < archive.size(); at += 500) archive[at] ^= 1;
  overwrite(keys().front(), archive);
  TimelineReader both = reader(true, true);
  EXPECT_TRUE(both.scan(KeyRange::all(), Lsn{100}, [](const Key&, ByteView) { return Result<>(); })
                  .failed_with(ErrorCode::kCorrupted));
}

TEST_F(Reader, AnUnreachableStorageIsNotTakenForDamage) {
  TimelineReader remote = reader(false, true);
  fail({{.operation = Operation::kGet, .fault = Fault::fail_before(), .times = 1000}});
  EXPECT_TRUE(remote.get(key_of(0), Lsn{100}).failed_with(ErrorCode::kUnavailable));
  EXPECT_TRUE(
      remote.scan(KeyRange::all(), Lsn{100}, [](const Key&, ByteView) { return Result<>(); })
          .failed_with(ErrorCode::kUnavailable));
  heal();
  expect_all(remote);
}

TEST_F(Reader, LsnsThatAreNotKeptAreNotFound) {
  TimelineReader local = reader(true, false);
  for (const Lsn lsn : {Lsn{99}, Lsn{201}}) {
    EXPECT_TRUE(local.get(key_of(0), lsn).failed_with(ErrorCode::kNotFound));
    EXPECT_TRUE(local.scan(KeyRange::all(), lsn, [](const Key&, ByteView) { return Result<>(); })
                    .failed_with(ErrorCode::kNotFound));
  }
}

TEST_F(Reader, AKeyThatDoesNotExistIsNotFound) {
  TimelineReader local = reader(true, false);
  for (const Key& key : {Key::min(), key_of(kKeys), Key::max()}) {
    EXPECT_TRUE(local.get(key, Lsn{100}).failed_with(ErrorCode::kNotFound));
  }
}

TEST_F(Reader, AnErrorOfTheSinkEndsTheScan) {
  TimelineReader local = reader(true, false);
  int seen = 0;
  const auto result = local.scan(KeyRange::all(), Lsn{100}, [&](const Key&, ByteView) -> Result<> {
    if (++seen < 15) return {};
    return make_error(ErrorCode::kExhausted, "full");
  });
  EXPECT_TRUE(result.failed_with(ErrorCode::kExhausted));
  EXPECT_EQ(seen, 15);
}

TEST_F(Reader, B2_ManyThreadsThatNeedALayerFetchItOnce) {
  LayerCache cache(options(false, true));
  const LayerEntry& layer = local_.manifest.layers[1];
  std::vector<std::shared_ptr<const LayerReader>> readers(8);
  {
    std::vector<std::jthread> threads;
    for (auto& slot : readers) {
      threads.emplace_back([&] { slot = cache.get(layer).value(); });
    }
  }
  EXPECT_EQ(cache.fetched().layers, 1U);
  for (const auto& got : readers) EXPECT_EQ(got, readers[0]);
}

TEST_F(Reader, B2_ScansOfSeveralThreadsAtOnceAreRight) {
  TimelineReader remote = reader(false, true);
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back([&] { expect_all(remote); });
}

TEST_F(Reader, B2_TheLeastRecentlyUsedLayersGoFirst) {
  auto few = options(false, true);
  few.kept_layers = 2;
  LayerCache cache(few);
  const auto fetch = [&](size_t i) {
    const uint64_t before = cache.fetched().layers;
    EXPECT_TRUE(cache.get(local_.manifest.layers[i]).ok());
    return cache.fetched().layers > before;
  };
  EXPECT_TRUE(fetch(0));
  EXPECT_TRUE(fetch(1));
  EXPECT_FALSE(fetch(0));
  EXPECT_TRUE(fetch(2));  // 1 goes.
  EXPECT_FALSE(fetch(0));
  EXPECT_TRUE(fetch(1));
}

TEST_F(Reader, B2_TheSizeOfWhatIsKeptIsBounded) {
  auto small = options(false, true);
  small.kept_bytes = local_.manifest.layers[0].size + local_.manifest.layers[1].size;
  LayerCache cache(small);
  for (const size_t i : {0, 1, 0, 2}) EXPECT_TRUE(cache.get(local_.manifest.layers[i]).ok());
  EXPECT_EQ(cache.fetched().layers, 3U);
  EXPECT_TRUE(cache.get(local_.manifest.layers[0]).ok());
  EXPECT_EQ(cache.fetched().layers, 3U);
  EXPECT_TRUE(cache.get(local_.manifest.layers[1]).ok());
  EXPECT_EQ(cache.fetched().layers, 4U);
}

class ReaderInOrder : public Reader, public testing::WithParamInterface<ReadPattern> {};
INSTANTIATE_TEST_SUITE_P(, ReaderInOrder,
                         testing::Values(ReadPattern::kPart, ReadPattern::kEverything));

TEST_P(ReaderInOrder, B2_NothingIsFetchedTwice) {
  auto options = this->options(false, true);
  options.pattern = GetParam();
  options.kept_layers = 1;
  options.kept_bytes = 1;
  LayerCache cache(options);
  const auto read = [&](size_t i, const Key& from) {
    EXPECT_TRUE(cache.cursor(local_.manifest.layers[i], {from, Key::max()}).ok());
  };
  // As by two small scans, each of which needs both.
  for (const size_t i : {0, 1, 0, 1}) read(i, Key::min());
  EXPECT_EQ(cache.fetched().layers, 2U);
  // Their keys are passed.
  read(2, local_.manifest.layers[2].name.keys.start);
  EXPECT_EQ(cache.fetched().layers, 3U);
  read(0, Key::min());
  EXPECT_EQ(cache.fetched().layers, 4U);
}

TEST_F(Reader, AFailedFetchIsTriedAfreshByWhoeverAsksNext) {
  LayerCache cache(options(false, true));
  fail({{.operation = Operation::kGet, .fault = Fault::fail_before()}});
  EXPECT_TRUE(cache.get(local_.manifest.layers[0]).failed_with(ErrorCode::kUnavailable));
  EXPECT_TRUE(cache.get(local_.manifest.layers[0]).ok());
}

TEST_F(Reader, AReaderStaysUsableWhenItsLayerHasLeftTheCache) {
  auto few = options(false, true);
  few.kept_layers = 1;
  LayerCache cache(few);
  const auto held = cache.get(local_.manifest.layers[0]).value();
  EXPECT_TRUE(cache.get(local_.manifest.layers[1]).ok());
  EXPECT_EQ(held->find(key_of(0), Lsn{100}).value().at(0).value, value_of(0));
}

TEST_F(Reader, WhatNoLayerCoversIsCorruptedAndNamed) {
  auto& layers = local_.manifest.layers;
  const KeyRange lost = layers[2].name.keys;
  layers.erase(layers.begin() + 2);
  TimelineReader gap = reader(true, true);
  const auto found = gap.get(lost.start, Lsn{100});
  ASSERT_TRUE(found.failed_with(ErrorCode::kCorrupted));
  EXPECT_THAT(found.error().message(), HasSubstr(lost.start.to_string()));
  EXPECT_TRUE(gap.scan(KeyRange::all(), Lsn{100}, [](const Key&, ByteView) { return Result<>(); })
                  .failed_with(ErrorCode::kCorrupted));
}

// A reader that does not own the timeline, while the owner goes on.
class ReaderAndOwner : public Reader {
 protected:
  void SetUp() override {
    Reader::SetUp();
    owned_ = local_;
  }
  void commit() {
    KeptTimeline timeline(directory_, owned_);
    VARVE_ASSERT_OK(upload_timeline(server.context(), {.writer = server.writer}, timeline, {}, {}));
    owned_ = *timeline.get();
  }
  void remove_object(const std::string& file_name) {
    ASSERT_TRUE(storage.remove({kLog.prefix() + file_name}, {}).value().empty());
  }
  // Every layer goes into another object, and the one that held it away.
  void move_layers() {
    const std::string former = owned_.manifest.layers[0].stored.object;
    for (LayerEntry& layer : owned_.manifest.layers) layer.stored = {};
    owned_.manifest.metadata.disk_consistent_lsn.value += 1;
    commit();
    remove_object(former);
  }
  // One image of everything at LSN 150 takes the place of all layers.
  void compact(Lsn gc_cutoff) {
    const std::string former = owned_.manifest.layers[0].stored.object;
    auto draft = TimelineDraft::create({.id = {kTenant, TimelineId{{0x33}}},
                                        .timelines_directory = server.directory(),
                                        .image_lsn = Lsn{150}})
                     .value();
    for (int i = 0; i < kKeys; ++i) VARVE_ASSERT_OK(draft.put_image(key_of(i), value_of(i)));
    VARVE_ASSERT_OK(draft.finish({.disk_consistent_lsn = Lsn{200}}));
    owned_.manifest.layers = draft.manifest().manifest.layers;
    for (const LayerEntry& layer : owned_.manifest.layers) {
      const std::string name = layer.name.to_string();
      std::filesystem::rename(draft.directory() / name, directory_ / name);
    }
    owned_.manifest.metadata.gc_cutoff_lsn = gc_cutoff;
    commit();
    remove_object(former);
  }
  // As expect_all, with something happening in between.
  Result<> scan_and(TimelineReader& reader, Lsn lsn, int at, const std::function<void()>& happen) {
    int next = 0;
    auto scanned = reader.scan(KeyRange::all(), lsn, [&](const Key& key, ByteView image) {
      EXPECT_EQ(key, key_of(next));
      EXPECT_EQ(as_text(image), as_text(value_of(next)));
      if (next++ == at) happen();
      return Result<>();
    });
    EXPECT_EQ(scanned.ok(), next == kKeys);
    return scanned;
  }

  LocalManifest owned_;
};

TEST_F(ReaderAndOwner, S19_AScanGoesOnWhenTheLayersMoveIntoAnotherObject) {
  TimelineReader remote = reader(false, true);
  VARVE_EXPECT_OK(scan_and(remote, Lsn{150}, 30, [&] { move_layers(); }));
  expect_all(remote);
}

TEST_F(ReaderAndOwner, S19_AScanGoesOnHoweverOftenTheLayersMove) {
  TimelineReader remote = reader(false, true);
  VARVE_EXPECT_OK(scan_and(remote, Lsn{150}, 10, [&] { move_layers(); }));
  TimelineReader again = reader(false, true);
  VARVE_EXPECT_OK(scan_and(again, Lsn{150}, 60, [&] {
    move_layers();
    move_layers();
  }));
}

TEST_F(ReaderAndOwner, S19_OneListingFindsAllLayersThatHaveMoved) {
  TimelineReader remote = reader(false, true);
  move_layers();
  const uint64_t before = requests(Operation::kList);
  expect_all(remote);
  EXPECT_LE(requests(Operation::kList) - before, 2U);
}

TEST_F(ReaderAndOwner, S19_AKeyIsFoundWhenItsLayerHasMoved) {
  TimelineReader remote = reader(false, true);
  move_layers();
  EXPECT_EQ(remote.get(key_of(77), Lsn{150}).value(), value_of(77));
}

TEST_F(ReaderAndOwner, S19_AfterACompactionReadingGoesOnInTheNewLayers) {
  TimelineReader remote = reader(false, true);
  VARVE_EXPECT_OK(scan_and(remote, Lsn{150}, 30, [&] { compact(Lsn{100}); }));
  EXPECT_EQ(remote.get(key_of(3), Lsn{180}).value(), value_of(3));
}

TEST_F(ReaderAndOwner, S19_WhatIsBelowTheCutoffMeanwhileIsNotFoundAndTheErrorSaysWhatIsLeft) {
  TimelineReader remote = reader(false, true);
  const auto scanned = scan_and(remote, Lsn{120}, 30, [&] { compact(Lsn{150}); });
  ASSERT_TRUE(scanned.failed_with(ErrorCode::kNotFound));
  EXPECT_THAT(scanned.error().message(), HasSubstr("from 0/96 to 0/C8"));
  VARVE_EXPECT_OK(scan_and(remote, Lsn{150}, 1000, [] {}));
}

TEST_F(ReaderAndOwner, AnObjectThatIsMissingThoughItIsReferredToIsNotFoundAndNamed) {
  TimelineReader remote = reader(false, true);
  const std::string object = owned_.manifest.layers[0].stored.object;
  owned_.manifest.metadata.disk_consistent_lsn.value += 1;
  commit();
  remove_object(object);
  const auto found = remote.get(key_of(0), Lsn{150});
  ASSERT_TRUE(found.failed_with(ErrorCode::kNotFound));
  EXPECT_THAT(found.error().message(), HasSubstr(object));
  EXPECT_THAT(found.error().message(), HasSubstr("varve remote verify"));
}

TEST_F(ReaderAndOwner, ATimelineThatWasDeletedMeanwhileIsNotFoundAndSaidToBe) {
  TimelineReader remote = reader(false, true);
  const std::string object = owned_.manifest.layers[0].stored.object;
  owned_.manifest.layers.clear();
  owned_.manifest.deleted = true;
  commit();
  remove_object(object);
  const auto found = remote.get(key_of(0), Lsn{150});
  ASSERT_TRUE(found.failed_with(ErrorCode::kNotFound));
  EXPECT_THAT(found.error().message(), HasSubstr("deleted"));
}

TEST_F(ReaderAndOwner, AStorageThatCannotBeReachedIsNotTakenForACollectedLayer) {
  TimelineReader remote = reader(false, true);
  move_layers();
  fail({{.operation = Operation::kList, .fault = Fault::fail_before(), .times = 100}});
  EXPECT_TRUE(remote.get(key_of(0), Lsn{150}).failed_with(ErrorCode::kUnavailable));
}

// One layer of many frames.
class LargeLayerReader : public SyncTest {
 protected:
  static constexpr int kPages = 1500;

  void SetUp() override {
    auto draft = TimelineDraft::create({.id = {kTenant, kTimeline},
                                        .timelines_directory = server.directory(),
                                        .image_lsn = Lsn{100}})
                     .value();
    for (int i = 0; i < kPages; ++i) VARVE_ASSERT_OK(draft.put_image(key_of(i), page_of(i)));
    VARVE_ASSERT_OK(draft.finish({.disk_consistent_lsn = Lsn{100}, .gc_cutoff_lsn = Lsn{100}}));
    KeptTimeline timeline(draft.directory(), draft.manifest());
    VARVE_ASSERT_OK(upload_timeline(server.context(), {.writer = server.writer}, timeline, {}, {}));
    local_ = *timeline.get();
    ASSERT_EQ(local_.manifest.layers.size(), 1U);
    ASSERT_GT(local_.manifest.layers[0].size, 10U << 20);
    VARVE_ASSERT_OK(draft.publish());
    gets_before_ = requests(Operation::kGet);
    received_before_ = metered().counts().bytes_received;
  }

  static Bytes page_of(int number) {
    return test_support::much_noise(8192, static_cast<uint64_t>(number));
  }
  uint64_t gets() const { return requests(Operation::kGet) - gets_before_; }
  uint64_t received() const { return metered().counts().bytes_received - received_before_; }
  TimelineReader reader(ReadPattern pattern, bool local = false) {
    return {local_.manifest,
            {.cache = {.directory = local ? server.directory() / kTimeline.to_string()
                                          : std::filesystem::path(),
                       .log = kLog,
                       .remote = &server.context(),
                       .scratch_parent = server.directory(),
                       .pattern = pattern}}};
  }
  static void expect_all(TimelineReader& reader) {
    int next = 0;
    VARVE_EXPECT_OK(reader.scan(KeyRange::all(), Lsn{100}, [&](const Key& key, ByteView image) {
      EXPECT_EQ(key, key_of(next));
      EXPECT_EQ(checksum64(image), checksum64(page_of(next)));
      ++next;
      return Result<>();
    }));
    EXPECT_EQ(next, kPages);
  }

  LocalManifest local_;
  uint64_t gets_before_ = 0;
  uint64_t received_before_ = 0;
};

TEST_F(LargeLayerReader, S19_TheFirstKeyOfAColdTimelineTakesFewRequestsAndBytes) {
  TimelineReader cold = reader(ReadPattern::kOnDemand);
  EXPECT_EQ(cold.get(key_of(700), Lsn{100}).value(), page_of(700));
  EXPECT_LE(gets(), 4U);
  EXPECT_LT(received(), 3U << 20);
  // Its neighbour is there already.
  const uint64_t before = gets();
  EXPECT_EQ(cold.get(key_of(701), Lsn{100}).value(), page_of(701));
  EXPECT_EQ(gets(), before);
}

TEST_F(LargeLayerReader, S19_ALayerThatMovesWhileItIsReadKeepsWhatWasFetched) {
  TimelineReader cold = reader(ReadPattern::kOnDemand);
  EXPECT_EQ(cold.get(key_of(700), Lsn{100}).value(), page_of(700));
  const std::string former = local_.manifest.layers[0].stored.object;
  LocalManifest owned = local_;
  owned.manifest.layers[0].stored = {};
  owned.manifest.metadata.disk_consistent_lsn = Lsn{101};
  // The first layer of the new object is another one, so that every offset differs.
  const auto directory = server.directory() / kTimeline.to_string();
  const LayerName other = LayerName::image({Key::min(), test_support::key_at(1)}, Lsn{101});
  test_support::write_plain_file(directory / other.to_string(), noise(5000, 1));
  owned.manifest.layers.push_back(
      {.name = other, .size = 5000, .checksum = checksum128(noise(5000, 1)), .stored = {}});
  std::ranges::sort(owned.manifest.layers, {}, &LayerEntry::name);
  ASSERT_EQ(owned.manifest.layers[0].name, other);
  KeptTimeline timeline(directory, owned);
  VARVE_ASSERT_OK(upload_timeline(server.context(), {.writer = server.writer}, timeline, {}, {}));
  ASSERT_TRUE(storage.remove({kLog.prefix() + former}, {}).value().empty());
  expect_all(cold);
  EXPECT_EQ(cold.fetched().bytes, local_.manifest.layers[0].size);
}

TEST_F(LargeLayerReader, S19_AScanOfAWholeLayerIsTwoRequests) {
  TimelineReader cold = reader(ReadPattern::kOnDemand);
  expect_all(cold);
  EXPECT_EQ(gets(), 2U);
}

TEST_F(LargeLayerReader, S19_ManySmallScansInTurnFetchTheLayerOnceWhenEverythingIsRead) {
  TimelineReader cold = reader(ReadPattern::kEverything);
  EXPECT_EQ(cold.get(key_of(kPages - 1), Lsn{100}).value(), page_of(kPages - 1));
  for (int i = 0; i + 10 <= kPages; i += 10) {
    int seen = 0;
    VARVE_EXPECT_OK(cold.scan({key_of(i), key_of(i + 10)}, Lsn{100}, [&](const Key&, ByteView) {
      ++seen;
      return Result<>();
    }));
    EXPECT_EQ(seen, 10);
  }
  EXPECT_EQ(gets(), 2U);
}

TEST_F(LargeLayerReader, S19_ASmallScanFetchesALittle) {
  TimelineReader cold = reader(ReadPattern::kOnDemand);
  int seen = 0;
  VARVE_EXPECT_OK(cold.scan({key_of(500), key_of(520)}, Lsn{100}, [&](const Key&, ByteView) {
    ++seen;
    return Result<>();
  }));
  EXPECT_EQ(seen, 20);
  EXPECT_LT(received(), 5U << 20);
}

TEST_F(LargeLayerReader, W4_OfADamagedLocalLayerOnlyWhatIsLeftToReadIsFetched) {
  damage(server.directory() / kTimeline.to_string() / local_.manifest.layers[0].name.to_string());
  TimelineReader both = reader(ReadPattern::kOnDemand, true);
  int seen = 0;
  VARVE_EXPECT_OK(
      both.scan({key_of(700), key_of(800)}, Lsn{100}, [&](const Key& key, ByteView image) {
        EXPECT_EQ(key, key_of(700 + seen));
        EXPECT_EQ(checksum64(image), checksum64(page_of(700 + seen)));
        ++seen;
        return Result<>();
      }));
  EXPECT_EQ(seen, 100);
  EXPECT_EQ(both.fetched().layers, 1U);
  EXPECT_LT(received(), 6U << 20);
}

}  // namespace
}  // namespace varve
