#include "storage_sync/partial_layer_file.h"

#include <gtest/gtest.h>

#include <thread>

#include "storage_sync/test_support/framed_layer.h"

namespace varve {
namespace {

using test_support::layer_name;
using test_support::much_noise;
using test_support::write_plain_file;

constexpr size_t kFrames = 3;
constexpr size_t kSize = 2 * kFrameSize + 1000;

class PartialLayer : public testing::Test {
 protected:
  static LayerEntry entry(ByteView content) {
    return {.name = layer_name(1),
            .size = content.size(),
            .checksum = checksum128(content),
            .stored = {.object = "somewhere.archive",
                       .table_offset = 1000,
                       .table_size = static_cast<uint32_t>(frame_table_size(content.size())),
                       .table_checksum = 5}};
  }
  std::unique_ptr<PartialLayerFile> open() {
    return PartialLayerFile::open(layer_, directory_.path()).value();
  }
  ByteView frame(size_t number) const {
    return ByteView(content_).subspan(number * kFrameSize, frame_raw_size(kSize, number));
  }
  void put(PartialLayerFile& file, std::initializer_list<size_t> frames) {
    for (const size_t number : frames)
      VARVE_ASSERT_OK(file.put(number, table()[number], frame(number)));
  }
  bool can_read(PartialLayerFile& file, size_t number) {
    Bytes read(frame(number).size());
    const bool there = file.read_at(number * kFrameSize, read).value();
    EXPECT_TRUE(!there || as_text(read) == as_text(frame(number)));
    return there;
  }
  void flip_byte(uint64_t at) {
    auto file = File::open(partial_, O_RDWR).value();
    Bytes byte(1);
    VARVE_ASSERT_OK(file.read_exactly_at(at, byte));
    byte[0] ^= 1;
    VARVE_ASSERT_OK(file.write_at(at, byte));
  }
  std::vector<std::string> files() {
    std::vector<std::string> names;
    const auto entries = list_directory(directory_.path()).value();
    for (const auto& entry : entries) names.push_back(entry.name);
    return names;
  }
  static FrameTable table() {
    FrameTable table;
    for (size_t i = 0; i < kFrames; ++i) {
      const auto raw = static_cast<uint32_t>(frame_raw_size(kSize, i));
      table.push_back({.offset = 32 + i * kFrameSize, .stored_size = raw, .raw_size = raw});
    }
    return table;
  }

  const Bytes content_ = much_noise(kSize, 1);
  LayerEntry layer_ = entry(content_);
  const TemporaryDirectory directory_ = TemporaryDirectory::create().value();
  const std::filesystem::path final_ = directory_ / layer_name(1).to_string();
  const std::filesystem::path partial_ = final_.string() + ".partial";
  const std::filesystem::path map_ = final_.string() + ".frames";
};

TEST_F(PartialLayer, GivesBackTheFramesThatAreThereAndOnlyThose) {
  auto file = open();
  put(*file, {2, 0});
  EXPECT_TRUE(can_read(*file, 0));
  EXPECT_FALSE(can_read(*file, 1));
  EXPECT_TRUE(can_read(*file, 2));
  EXPECT_EQ(file->present_bytes(), kFrameSize + 1000);
  Bytes across(2);
  EXPECT_FALSE(file->read_at(kFrameSize - 1, across).value());
  put(*file, {1});
  EXPECT_TRUE(file->read_at(kFrameSize - 1, across).value());
  EXPECT_EQ(across, Bytes({content_[kFrameSize - 1], content_[kFrameSize]}));
}

TEST_F(PartialLayer, S18_ItGoesOnWithWhatWasThereBefore) {
  {
    auto file = open();
    file->set_table(layer_.stored, table());
    put(*file, {0, 2});
  }
  auto file = open();
  EXPECT_TRUE(can_read(*file, 0));
  EXPECT_FALSE(can_read(*file, 1));
  EXPECT_TRUE(can_read(*file, 2));
  ASSERT_TRUE(file->table());
  EXPECT_EQ(*file->table(), table());
  EXPECT_EQ(file->present_bytes(), kFrameSize + 1000);
}

// What a crash leaves is what the directory holds while the file is open.
TEST_F(PartialLayer, S18_AfterACrashItKnowsWhatItHadNotedAndNotMore) {
  const auto crashed = TemporaryDirectory::create().value();
  {
    auto file = PartialLayerFile::open(layer_, directory_.path(), kFrameSize).value();
    put(*file, {0});
    put(*file, {2});
    for (const auto& path : {partial_, map_}) {
      std::filesystem::copy_file(path, crashed / path.filename().string());
    }
  }
  auto after = PartialLayerFile::open(layer_, crashed.path()).value();
  EXPECT_TRUE(can_read(*after, 0));
  EXPECT_FALSE(after->has(2));
}

TEST_F(PartialLayer, S18_ADamagedFrameIsNotGivenOutAndCountsAsAbsent) {
  {
    put(*open(), {0, 1});
  }
  flip_byte(kFrameSize + 77);
  auto file = open();
  EXPECT_TRUE(can_read(*file, 0));
  EXPECT_FALSE(can_read(*file, 1));
  EXPECT_FALSE(file->has(1));
  EXPECT_EQ(file->present_bytes(), kFrameSize);
  put(*file, {1});
  EXPECT_TRUE(can_read(*file, 1));
}

TEST_F(PartialLayer, AFileThatWasCutOffLacksItsLastFrames) {
  {
    put(*open(), {0, 1, 2});
  }
  std::filesystem::resize_file(partial_, kFrameSize + 5);
  auto file = open();
  EXPECT_TRUE(can_read(*file, 0));
  EXPECT_FALSE(can_read(*file, 1));
  EXPECT_FALSE(can_read(*file, 2));
}

TEST_F(PartialLayer, S18_OnceItIsCompleteItGetsTheLayersName) {
  {
    auto file = open();
    put(*file, {0, 1, 2});
    EXPECT_TRUE(file->publish().value());
  }
  EXPECT_THAT(files(), testing::ElementsAre(final_.filename().string()));
  EXPECT_EQ(read_file(final_).value(), content_);
}

TEST_F(PartialLayer, S18_ADamagedFrameIsFoundBeforeItGetsTheLayersName) {
  {
    auto file = open();
    put(*file, {0, 1, 2});
    flip_byte(5);
    EXPECT_FALSE(file->publish().value());
    EXPECT_FALSE(file->has(0));
    EXPECT_TRUE(file->has(1));
    EXPECT_FALSE(std::filesystem::exists(final_));
    put(*file, {0});
    EXPECT_TRUE(file->publish().value());
  }
  EXPECT_EQ(read_file(final_).value(), content_);
}

TEST_F(PartialLayer, FramesThatAreRightAndNotTheLayerAreCorrupted) {
  layer_.checksum.bytes[0] ^= 1;
  {
    auto file = open();
    put(*file, {0, 1, 2});
    EXPECT_TRUE(file->publish().failed_with(ErrorCode::kCorrupted));
  }
  EXPECT_TRUE(files().empty());
}

TEST_F(PartialLayer, OnlyOneAtATimeMayFetchALayer) {
  auto file = open();
  EXPECT_TRUE(PartialLayerFile::open(layer_, directory_.path()).failed_with(ErrorCode::kConflict));
  file.reset();
  EXPECT_TRUE(PartialLayerFile::open(layer_, directory_.path()).ok());
}

TEST_F(PartialLayer, WhatIsThereOfAnotherLayerDoesNotCount) {
  {
    put(*open(), {0, 1, 2});
  }
  const Bytes other = much_noise(kFrameSize, 2);
  layer_ = entry(other);
  auto file = open();
  EXPECT_FALSE(file->has(0));
  VARVE_ASSERT_OK(file->put(0, {}, other));
  EXPECT_TRUE(file->publish().value());
  EXPECT_EQ(read_file(final_).value(), other);
}

TEST_F(PartialLayer, ALayerThatHasMovedKeepsItsFramesAndLosesItsTable) {
  {
    auto file = open();
    file->set_table(layer_.stored, table());
    put(*file, {0});
  }
  layer_.stored.object = "elsewhere.archive";
  auto file = open();
  EXPECT_TRUE(can_read(*file, 0));
  EXPECT_FALSE(file->table());
}

TEST_F(PartialLayer, WithoutItsMapNothingCounts) {
  {
    put(*open(), {0});
  }
  for (const std::string_view content : {"", "no map"}) {
    write_plain_file(map_, as_bytes(content));
    EXPECT_FALSE(open()->has(0));
  }
  write_plain_file(partial_, content_);
  EXPECT_FALSE(open()->has(0));
}

TEST_F(PartialLayer, NothingIsLeftOfOneThatGotNoFrame) {
  {
    open();
  }
  EXPECT_TRUE(files().empty());
}

TEST_F(PartialLayer, AScratchFileLeavesNothing) {
  auto file = PartialLayerFile::scratch(layer_, directory_.path()).value();
  EXPECT_TRUE(files().empty());
  put(*file, {0, 1, 2});
  EXPECT_TRUE(can_read(*file, 2));
  file.reset();
  EXPECT_TRUE(files().empty());
}

TEST_F(PartialLayer, FramesMayBePutAndReadByManyThreads) {
  const Bytes content = much_noise(8 * kFrameSize, 3);
  layer_ = entry(content);
  {
    auto file = PartialLayerFile::open(layer_, directory_.path(), kFrameSize).value();
    std::vector<std::jthread> threads;
    for (size_t number = 0; number < 8; ++number) {
      threads.emplace_back([&, number] {
        const ByteView raw = ByteView(content).subspan(number * kFrameSize, kFrameSize);
        VARVE_EXPECT_OK(file->put(number, {}, raw));
        Bytes read(kFrameSize);
        EXPECT_TRUE(file->read_at(number * kFrameSize, read).value());
        EXPECT_EQ(as_text(read), as_text(raw));
      });
    }
  }
  auto file = PartialLayerFile::open(layer_, directory_.path()).value();
  EXPECT_EQ(file->present_bytes(), layer_.size);
  EXPECT_TRUE(file->publish().value());
}

TEST_F(PartialLayer, TheRestOfInterruptedDownloadsIsRemovedAndNothingElse) {
  {
    put(*open(), {0});
  }
  const std::vector<std::string> kept{"layer-1.tmp", "metadata", "note.partial",
                                      final_.filename().string()};
  for (const std::string& name : kept) write_plain_file(directory_ / name, {});
  write_plain_file(map_.string() + ".tmp", {});
  VARVE_ASSERT_OK(remove_partial_layer_files(directory_.path()));
  EXPECT_THAT(files(), testing::UnorderedElementsAreArray(kept));
}

TEST(FrameMap, IsReadBackAsWritten) {
  FrameMap map = FrameMap::none_of(
      {.name = layer_name(1), .size = kSize, .checksum = checksum128({}), .stored = {}});
  EXPECT_EQ(FrameMap::decode(map.encode()).value(), map);
  map.layer.stored = {.object = "x", .table_offset = 1, .table_size = 2, .table_checksum = 3};
  map.frames[1] = 7;
  map.frames[2] = 0;
  FrameTable table(kFrames);
  for (size_t i = 0; i < kFrames; ++i) {
    table[i] = {.offset = 32,
                .stored_size = 1,
                .raw_size = static_cast<uint32_t>(frame_raw_size(kSize, i))};
  }
  map.table = table;
  EXPECT_EQ(FrameMap::decode(map.encode()).value(), map);
}

TEST(FrameMap, ATruncatedOrExtendedOneIsCorrupted) {
  Bytes encoded =
      FrameMap::none_of({.name = layer_name(1), .size = kSize, .checksum = {}, .stored = {}})
          .encode();
  for (size_t size = 0; size < encoded.size(); ++size) {
    EXPECT_TRUE(FrameMap::decode(ByteView(encoded).first(size)).failed_with(ErrorCode::kCorrupted));
  }
  encoded.push_back(0);
  EXPECT_TRUE(FrameMap::decode(encoded).failed_with(ErrorCode::kCorrupted));
}

}  // namespace
}  // namespace varve
