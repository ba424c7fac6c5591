#include "timeline/timeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "base/random.h"
#include "timeline/test_support/timeline_fixture.h"
#include "timeline/timeline_maintenance.h"

namespace varve {
namespace {

using test_support::AppendRedo;
using test_support::key_of;
using test_support::kStart;
using test_support::TimelineTest;
using testing::HasSubstr;

TEST_F(TimelineTest, WhatIsIngestedIsReadAtEveryLsn) {
  VARVE_ASSERT_OK(put(0, 110, "+a"));
  VARVE_ASSERT_OK(put(1, 120, "new", ValueKind::kImage));
  VARVE_ASSERT_OK(put(0, 130, "+b"));
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(get(0, 100), "base 0");
    EXPECT_EQ(get(0, 109), "base 0");
    EXPECT_EQ(get(0, 110), "base 0+a");
    EXPECT_EQ(get(0, 130), "base 0+a+b");
    EXPECT_EQ(get(1, 119), "NotFound");
    EXPECT_EQ(get(1, 130), "new");
    EXPECT_EQ(get(0, 131), "NotFound");
    EXPECT_EQ(get(0, 99), "NotFound");
    EXPECT_EQ(scan(*timeline_, {key_of(0), key_of(3)}, Lsn{120}),
              (std::map<Key, std::string>{
                  {key_of(0), "base 0+a"}, {key_of(1), "new"}, {key_of(2), "base 2"}}));
    // The same from files.
    VARVE_ASSERT_OK(timeline_->checkpoint());
  }
}

TEST_F(TimelineTest, RecordsOfOneBatchShowTogether) {
  const std::vector<Version> versions{
      {key_of(1), Lsn{110}, ValueKind::kImage, as_bytes(std::string_view("one"))},
      {key_of(3), Lsn{120}, ValueKind::kImage, as_bytes(std::string_view("three"))}};
  VARVE_ASSERT_OK(timeline_->ingest({.start = Lsn{115}, .end = Lsn{125}}, versions));
  EXPECT_EQ(timeline_->last_record_lsn(), Lsn{125});
  EXPECT_EQ(get(1, 125), "one");
  EXPECT_EQ(get(3, 125), "three");
  EXPECT_EQ(get(3, 119), "NotFound");
}

TEST_F(TimelineTest, WhatDoesNotFollowIsRefused) {
  VARVE_ASSERT_OK(put(0, 110, "+a"));
  EXPECT_TRUE(put(0, 110, "+b").failed_with(ErrorCode::kInvalidArgument));
  EXPECT_TRUE(put(0, 105, "+b").failed_with(ErrorCode::kInvalidArgument));
  const Version beyond{key_of(0), Lsn{120}, ValueKind::kRecord, {}};
  EXPECT_TRUE(timeline_->ingest({.start = Lsn{111}, .end = Lsn{119}}, {&beyond, 1})
                  .failed_with(ErrorCode::kInvalidArgument));
  VARVE_ASSERT_OK(put(0, 111, "+c"));
  EXPECT_EQ(get(0, 111), "base 0+a+c");
}

TEST_F(TimelineTest, HalfARecordIsNeverWrittenNorRead) {
  VARVE_ASSERT_OK(put(0, 110, "+a"));
  const std::vector<Version> twice{
      {key_of(2), Lsn{120}, ValueKind::kRecord, as_bytes(std::string_view("+x"))},
      {key_of(2), Lsn{120}, ValueKind::kRecord, as_bytes(std::string_view("+y"))}};
  EXPECT_FALSE(timeline_->ingest({.start = Lsn{111}, .end = Lsn{120}}, twice).ok());
  EXPECT_TRUE(put(0, 130, "+b").failed_with(ErrorCode::kConflict));
  VARVE_ASSERT_OK(timeline_->checkpoint());
  EXPECT_EQ(get(2, 110), "base 2");
  EXPECT_EQ(get(2, 120), "NotFound");
  open();
  EXPECT_EQ(timeline_->last_record_lsn(), kStart);
  VARVE_ASSERT_OK(put(2, 120, "+z"));
  EXPECT_EQ(get(2, 120), "base 2+z");
}

TEST_F(TimelineTest, ACheckpointIsWhatACrashLeaves) {
  VARVE_ASSERT_OK(put(0, 110, "+a"));
  VARVE_ASSERT_OK(timeline_->checkpoint());
  VARVE_ASSERT_OK(put(0, 120, "+b"));
  timeline_->freeze();
  EXPECT_EQ(timeline_->disk_consistent_lsn(), Lsn{110});
  open();
  EXPECT_EQ(timeline_->last_record_lsn(), Lsn{110});
  EXPECT_EQ(kept_->get()->manifest.metadata.previous_record_lsn, Lsn{109});
  EXPECT_EQ(get(0, 110), "base 0+a");
  EXPECT_EQ(get(0, 120), "NotFound");
  VARVE_ASSERT_OK(put(0, 120, "+b again"));
  EXPECT_EQ(get(0, 120), "base 0+a+b again");
}

TEST_F(TimelineTest, RecordsThatChangeNothingMoveTheCheckpointOn) {
  VARVE_ASSERT_OK(timeline_->ingest({.start = Lsn{150}, .end = Lsn{160}}, {}));
  const size_t files = layer_files();
  VARVE_ASSERT_OK(timeline_->checkpoint());
  EXPECT_EQ(timeline_->disk_consistent_lsn(), Lsn{160});
  EXPECT_EQ(layer_files(), files);
  // Nothing happened since.
  EXPECT_FALSE(timeline_->flush().value());
}

TEST_F(TimelineTest, WhatIsGoneIsGoneAndWhatBeginsAnewNeedsNothingOlder) {
  const auto check = [&](std::string_view when) {
    SCOPED_TRACE(when);
    EXPECT_EQ(get(0, 110), "base 0+a");
    EXPECT_EQ(get(0, 120), "NotFound");
    EXPECT_EQ(get(0, 129), "NotFound");
    EXPECT_EQ(get(0, 130), "+b");
    EXPECT_EQ(get(1, 119), "NotFound");
    EXPECT_EQ(get(1, 121), "new");
    EXPECT_EQ(get(1, 131), "new+c");
    EXPECT_EQ(get(2, 122), "anew");
    EXPECT_EQ(get(2, 132), "anew+d");
    EXPECT_EQ(get(4, 123), "NotFound");
    EXPECT_EQ(get(4, 140), "NotFound");
    const KeyRange some{key_of(0), key_of(5)};
    EXPECT_EQ(scan(*timeline_, some, Lsn{129}),
              (std::map<Key, std::string>{{key_of(1), "new"}, {key_of(2), "anew"}}));
    EXPECT_EQ(scan(*timeline_, some, Lsn{140}),
              (std::map<Key, std::string>{
                  {key_of(0), "+b"}, {key_of(1), "new+c"}, {key_of(2), "anew+d"}}));
  };
  VARVE_ASSERT_OK(put(0, 110, "+a"));
  VARVE_ASSERT_OK(put(0, 120, "", ValueKind::kTombstone));
  VARVE_ASSERT_OK(put(1, 121, "new", ValueKind::kFirstRecord));
  VARVE_ASSERT_OK(put(2, 122, "anew", ValueKind::kFirstRecord));
  VARVE_ASSERT_OK(put(4, 123, "", ValueKind::kTombstone));
  VARVE_ASSERT_OK(put(0, 130, "+b"));
  VARVE_ASSERT_OK(put(1, 131, "+c"));
  VARVE_ASSERT_OK(put(2, 132, "+d"));
  VARVE_ASSERT_OK(put(20, 140, "x", ValueKind::kImage));
  check("in memory");
  VARVE_ASSERT_OK(timeline_->checkpoint());
  check("in layers");
  for (uint64_t lsn = 150; lsn < 250; lsn += 10) {
    VARVE_ASSERT_OK(put(30, lsn, "x", ValueKind::kImage));
    VARVE_ASSERT_OK(put(6, lsn + 1, "+y"));
    VARVE_ASSERT_OK(timeline_->checkpoint());
    while (timeline_->compact().value()) {
    }
  }
  check("merged");
  VARVE_ASSERT_OK(timeline_->collect_garbage(Lsn{240}, [] { return std::set<Lsn>(); }));
  EXPECT_EQ(get(0, 240), "+b");
  EXPECT_EQ(get(4, 240), "NotFound");
}

TEST_F(TimelineTest, TheOpenLayerIsFrozenAtTheCheckpointDistance) {
  options_.checkpoint_distance = 4 << 20;
  open();
  const std::string value(1 << 20, 'x');
  for (uint64_t i = 0; i < 10; ++i) VARVE_ASSERT_OK(put(1, 110 + i, value, ValueKind::kImage));
  EXPECT_GT(timeline_->memory_bytes(), 10U << 20);
  EXPECT_TRUE(timeline_->flush().value());
  EXPECT_LT(timeline_->memory_bytes(), 4U << 20);
  EXPECT_EQ(flushed_layers(), 2U);
  EXPECT_LT(timeline_->disk_consistent_lsn(), timeline_->last_record_lsn());
}

TEST_F(TimelineTest, LayersThatAreFlushedTogetherAreAllThere) {
  for (uint32_t i = 0; i < 5; ++i) {
    VARVE_ASSERT_OK(put(0, 110 + i, fmt::format("+{}", i)));
    timeline_->freeze();
  }
  EXPECT_TRUE(timeline_->flush().value());
  EXPECT_EQ(flushed_layers(), 5U);
  open();
  EXPECT_EQ(timeline_->disk_consistent_lsn(), Lsn{114});
  EXPECT_EQ(get(0, 112), "base 0+0+1+2");
  EXPECT_EQ(get(0, 114), "base 0+0+1+2+3+4");
}

TEST_F(TimelineTest, WhatCouldNotBeWrittenIsStillThere) {
  VARVE_ASSERT_OK(put(0, 110, "+a"));
  timeline_->freeze();
  VARVE_ASSERT_OK(put(0, 120, "+b"));
  const auto files = kept_->directory();
  std::filesystem::rename(files, files.string() + ".away");
  EXPECT_FALSE(timeline_->checkpoint().ok());
  EXPECT_EQ(timeline_->disk_consistent_lsn(), kStart);
  std::filesystem::rename(files.string() + ".away", files);
  EXPECT_EQ(get(0, 110), "base 0+a");
  VARVE_ASSERT_OK(timeline_->checkpoint());
  EXPECT_EQ(timeline_->disk_consistent_lsn(), Lsn{120});
  EXPECT_EQ(get(0, 110), "base 0+a");
  EXPECT_EQ(get(0, 120), "base 0+a+b");
}

TEST_F(TimelineTest, WhatACrashLeftUnlistedIsRemoved) {
  const auto stray = LayerName::delta(KeyRange::all(), Lsn{101}, Lsn{200}).to_string();
  for (const auto& name : {stray, std::string("layer-7.tmp")}) {
    VARVE_ASSERT_OK(write_file_atomically(kept_->directory() / name, as_bytes(name)));
  }
  open();
  EXPECT_FALSE(path_exists(kept_->directory() / stray).value());
  EXPECT_FALSE(path_exists(kept_->directory() / "layer-7.tmp").value());
  EXPECT_EQ(get(0, 100), "base 0");
}

TEST_F(TimelineTest, ALostLayerIsAnErrorThatNamesItAndNeverAnOlderVersion) {
  VARVE_ASSERT_OK(put(0, 110, "+a"));
  VARVE_ASSERT_OK(timeline_->checkpoint());
  const auto lost =
      std::ranges::find_if(layers(), [](const LayerEntry& layer) { return !layer.name.is_image; });
  ASSERT_NE(lost, layers().end());
  VARVE_ASSERT_OK(remove_file(kept_->directory() / lost->name.to_string()));
  open();
  const auto found = timeline_->get(key_of(0), Lsn{110});
  ASSERT_FALSE(found.ok());
  EXPECT_THAT(found.error().message(), HasSubstr(lost->name.to_string()));
  EXPECT_FALSE(
      timeline_->scan(KeyRange::all(), Lsn{110}, [](const Key&, ByteView) { return Result<>(); })
          .ok());
}

TEST_F(TimelineTest, RecordsWithoutAnythingToChangeAreCorrupted) {
  VARVE_ASSERT_OK(put(1, 110, "+a"));
  const auto found = timeline_->get(key_of(1), Lsn{110});
  EXPECT_TRUE(found.failed_with(ErrorCode::kCorrupted));
  EXPECT_THAT(found.error().message(), HasSubstr(key_of(1).to_string()));
  EXPECT_TRUE(
      timeline_->scan(KeyRange::all(), Lsn{110}, [](const Key&, ByteView) { return Result<>(); })
          .failed_with(ErrorCode::kCorrupted));
}

TEST_F(TimelineTest, CompactionMergesDeltasAndShortensChains) {
  const auto redo = std::make_shared<AppendRedo>();
  options_.redo = redo;
  open();
  std::string expected = "base 0";
  for (uint64_t lsn = 110; lsn < 170; lsn += 10) {
    VARVE_ASSERT_OK(put(0, lsn, "+"));
    VARVE_ASSERT_OK(put(20, lsn + 5, "-"));
    expected += "+";
    VARVE_ASSERT_OK(timeline_->checkpoint());
    const bool is_due = flushed_layers() == 3;
    EXPECT_EQ(timeline_->compact().value(), is_due);
  }
  EXPECT_EQ(flushed_layers(), 0U);
  EXPECT_EQ(layer_files(), layers().size());
  redo->applied = 0;
  EXPECT_EQ(get(0, 165), expected);
  EXPECT_LT(redo->applied, 6U);
  EXPECT_EQ(get(0, 110), "base 0+");
  EXPECT_FALSE(timeline_->compact().value());
}

TEST_F(TimelineTest, WhatNoReadNeedsIsCollected) {
  for (uint64_t lsn = 110; lsn < 200; lsn += 10) {
    VARVE_ASSERT_OK(put(0, lsn, "+"));
    VARVE_ASSERT_OK(timeline_->checkpoint());
    VARVE_ASSERT_OK(timeline_->compact());
  }
  const std::string newest = get(0, 190);
  const size_t before = layers().size();
  auto lease = std::make_unique<Timeline::Lease>(timeline_->retain(Lsn{115}).value());
  EXPECT_GT(timeline_->collect_garbage(Lsn{190}, [&] { return std::set<Lsn>({Lsn{125}}); }).value(),
            0U);
  const size_t with_pins = layers().size();
  EXPECT_LT(with_pins, before);
  EXPECT_EQ(layer_files(), with_pins);
  EXPECT_EQ(get(0, 190), newest);
  EXPECT_EQ(get(0, 189), "NotFound");
  EXPECT_EQ(get(0, 115), "base 0+");
  EXPECT_TRUE(timeline_->retain(Lsn{120}).failed_with(ErrorCode::kNotFound));

  lease.reset();
  EXPECT_EQ(get(0, 115), "NotFound");
  EXPECT_GT(timeline_->collect_garbage(Lsn{190}, [] { return std::set<Lsn>(); }).value(), 0U);
  EXPECT_EQ(layer_files(), layers().size());
  EXPECT_EQ(get(0, 190), newest);
  EXPECT_EQ(timeline_->collect_garbage(Lsn{150}, [] { return std::set<Lsn>(); }).value(), 0U);
  EXPECT_EQ(get(0, 160), "NotFound");
  open();
  EXPECT_EQ(get(0, 190), newest);
  EXPECT_EQ(get(0, 189), "NotFound");
}

// As a merge makes them of delta layers that were written before and after an image.
TEST_F(TimelineTest, WhatADeltaLayerHasBelowTheImageIsNotAppliedToIt) {
  LayerFiles files(kept_->directory());
  auto image = files.create().value();
  VARVE_ASSERT_OK(
      image.put({key_of(0), Lsn{120}, ValueKind::kImage, as_bytes(std::string_view("base 0+a"))}));
  auto delta = files.create().value();
  for (const auto& [lsn, value] : {std::pair{130, "+b"}, {110, "+a"}}) {
    VARVE_ASSERT_OK(delta.put({key_of(0), Lsn{static_cast<uint64_t>(lsn)}, ValueKind::kRecord,
                               as_bytes(std::string_view(value))}));
  }
  const KeyRange keys{key_of(0), key_of(1)};
  VARVE_ASSERT_OK(kept_->change([&](LocalManifest& state) -> Result<> {
    auto& listed = state.manifest.layers;
    listed.push_back(local_entry(image.finish(LayerName::image(keys, Lsn{120})).value()));
    listed.push_back(local_entry(delta.finish(LayerName::delta(keys, Lsn{101}, Lsn{141})).value()));
    std::ranges::sort(listed, {}, &LayerEntry::name);
    state.manifest.metadata.disk_consistent_lsn = Lsn{140};
    return {};
  }));
  open();
  for (const auto& [lsn, expected] :
       {std::pair{110, "base 0+a"}, {120, "base 0+a"}, {140, "base 0+a+b"}}) {
    const auto at = static_cast<uint64_t>(lsn);
    EXPECT_EQ(get(0, at), expected);
    EXPECT_EQ(scan(*timeline_, keys, Lsn{at}), (std::map<Key, std::string>{{key_of(0), expected}}));
  }
}

TEST_F(TimelineTest, NothingIsCollectedThatIsNotOnDisk) {
  VARVE_ASSERT_OK(put(0, 110, "+"));
  EXPECT_TRUE(timeline_->collect_garbage(Lsn{110}, [] { return std::set<Lsn>(); })
                  .failed_with(ErrorCode::kInvalidArgument));
  EXPECT_EQ(get(0, 105), "base 0");
}

TEST_F(TimelineTest, TheFeedWaitsWhileTooMuchIsInMemory) {
  options_.memory_limit = 3 << 20;
  open();
  const std::string value(1 << 20, 'x');
  for (uint64_t i = 0; i < 4; ++i) VARVE_ASSERT_OK(put(1, 110 + i, value, ValueKind::kImage));
  EXPECT_TRUE(timeline_->wait_for_room({.deadline = Deadline::after(std::chrono::seconds(-1))})
                  .failed_with(ErrorCode::kCancelled));
  Result<> waited = make_error(ErrorCode::kInternal, "still waiting");
  {
    const std::jthread feed([&] { waited = timeline_->wait_for_room({}); });
    // The wait gives all there is to the flush.
    for (bool written = false; !written;) written = timeline_->flush().value();
  }
  VARVE_EXPECT_OK(waited);
  EXPECT_LT(timeline_->memory_bytes(), 1U << 20);
}

TEST_F(TimelineTest, CheckpointsAndCompactionGoOnInTheBackground) {
  options_.checkpoint_distance = 1 << 20;
  options_.memory_limit = 2 << 20;
  open();
  std::atomic<int> checkpoints = 0;
  ManualClock waiting({}, ManualClock::Sleep::kWaits);
  SeededRandom random(1);
  std::optional<TimelineMaintenance> maintenance;
  maintenance.emplace(*timeline_, waiting, random,
                      TimelineMaintenance::Options{.checkpointed = [&] { ++checkpoints; }});
  // By distance.
  const std::string value(400'000, 'x');
  uint64_t lsn = 110;
  while (checkpoints < 4) {
    VARVE_ASSERT_OK(put(1, lsn++, value, ValueKind::kImage));
    VARVE_ASSERT_OK(timeline_->wait_for_room({}));
  }
  // By time.
  VARVE_ASSERT_OK(put(0, lsn, "+"));
  while (timeline_->disk_consistent_lsn() < Lsn{lsn}) {
    waiting.advance(std::chrono::seconds(1));
    std::this_thread::yield();
  }
  maintenance.reset();
  EXPECT_EQ(get(0, lsn), "base 0+");
}

TEST_F(TimelineTest, IsReadWhileItIsWrittenAndCompacted) {
  std::atomic<bool> done = false;
  std::vector<std::jthread> readers;
  for (uint32_t reader = 0; reader < 2; ++reader) {
    readers.emplace_back([&, key = reader * 2] {
      while (!done) {
        const uint64_t lsn = timeline_->last_record_lsn().value;
        const std::string found = get(key, lsn);
        // A '+' for each LSN since the start.
        ASSERT_EQ(std::ranges::count(found, '+'), static_cast<std::ptrdiff_t>(lsn - kStart.value))
            << found;
      }
    });
  }
  std::jthread maintenance([&] {
    while (!done) {
      VARVE_EXPECT_OK(timeline_->checkpoint());
      VARVE_EXPECT_OK(timeline_->compact());
    }
  });
  for (uint64_t lsn = kStart.value + 1; lsn < kStart.value + 500; ++lsn) {
    const std::vector<Version> both{
        {key_of(0), Lsn{lsn}, ValueKind::kRecord, as_bytes(std::string_view("+"))},
        {key_of(2), Lsn{lsn}, ValueKind::kRecord, as_bytes(std::string_view("+"))}};
    VARVE_EXPECT_OK(timeline_->ingest({.start = Lsn{lsn - 1}, .end = Lsn{lsn}}, both));
  }
  done = true;
}

TEST_F(TimelineTest, ALongChainIsMadeOnceAndGoneOnWith) {
  const auto redo = std::make_shared<AppendRedo>();
  options_.redo = redo;
  open();
  std::string expected = "base 2";
  uint64_t lsn = 200;
  const auto add = [&](std::string_view value) {
    VARVE_ASSERT_OK(put(2, ++lsn, value));
    expected += value;
  };
  for (int i = 0; i < 100; ++i) add("x");
  EXPECT_EQ(get(2, lsn), expected);
  EXPECT_EQ(redo->applied, 100U);
  EXPECT_EQ(get(2, lsn), expected);
  EXPECT_EQ(redo->applied, 100U);
  // Newer records, in memory and in files, beyond and within the layer of the others.
  add("y");
  VARVE_ASSERT_OK(timeline_->checkpoint());
  EXPECT_EQ(get(2, lsn), expected);
  add("z");
  EXPECT_EQ(get(2, lsn), expected);
  EXPECT_EQ(redo->applied, 103U);
  // Older ones are made as ever, and so is what was made anew since.
  EXPECT_EQ(get(2, 203), "base 2xxx");
  VARVE_ASSERT_OK(put(2, ++lsn, "anew", ValueKind::kImage));
  EXPECT_EQ(get(2, lsn), "anew");
  VARVE_ASSERT_OK(put(2, ++lsn, "", ValueKind::kTombstone));
  EXPECT_EQ(get(2, lsn), "NotFound");
}

}  // namespace
}  // namespace varve
