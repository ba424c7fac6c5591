#include "storage_sync/stored_layer_file.h"

#include <gtest/gtest.h>

#include <thread>

#include "storage_sync/frame_codec.h"
#include "storage_sync/layer_on_demand.h"
#include "storage_sync/test_support/framed_layer.h"

namespace varve {
namespace {

using test_support::FramedLayerTest;
using test_support::kLog;

// Frames that compress, put by hand into a file whose content can be damaged.
class StoredLayer : public testing::Test {
 protected:
  static constexpr size_t kFrames = 7;
  static constexpr size_t kSize = (kFrames - 1) * kFrameSize + 1000;

  StoredLayer() {
    for (size_t i = 0; i < kSize; ++i) content_[i] = static_cast<uint8_t>(i / 1000);
  }
  ByteView frame(size_t number) const {
    return ByteView(content_).subspan(number * kFrameSize, frame_raw_size(kSize, number));
  }
  // What it takes is returned.
  size_t put(size_t number) {
    const ByteView raw = frame(number);
    const EncodedFrame encoded = encode_frame(Bytes(raw.begin(), raw.end()), 3).value();
    const Frame entry{.offset = 32,
                      .stored_size = static_cast<uint32_t>(encoded.stored.size()),
                      .raw_size = encoded.raw_size,
                      .codec = encoded.codec,
                      .checksum = encoded.checksum};
    VARVE_EXPECT_OK(file_->put(number, entry, encoded.stored));
    return encoded.stored.size();
  }
  // Another value where the frame begins, behind the back of `file_`, which has no name.
  void damage(size_t number) {
    const auto self = std::filesystem::path("/proc/self/fd");
    for (const auto& entry : std::filesystem::directory_iterator(self)) {
      std::error_code ignored;
      const auto target = std::filesystem::read_symlink(entry, ignored).string();
      if (!target.starts_with(file_->path().string())) continue;
      auto file = File::open(entry.path(), O_RDWR).value();
      VARVE_EXPECT_OK(file.write_at(number * kFrameSize + 20, as_bytes("damaged")));
    }
  }
  bool can_read(uint64_t offset, size_t size) {
    Bytes read(size);
    const bool there = file_->read_at(offset, read).value();
    EXPECT_TRUE(!there || as_text(read) == as_text(ByteView(content_).subspan(offset, size)));
    return there;
  }

  Bytes content_ = Bytes(kSize);
  ThreadPool codec_pool_{{.name = "codec", .threads = 2}};
  const TemporaryDirectory directory_ = TemporaryDirectory::create().value();
  const std::shared_ptr<StoredLayerFile> file_ =
      StoredLayerFile::scratch({.name = test_support::layer_name(1), .size = kSize},
                               directory_.path(), codec_pool_)
          .value();
};

TEST_F(StoredLayer, GivesBackTheFramesThatAreThereAndOnlyThose) {
  put(0);
  put(1);
  put(kFrames - 1);
  EXPECT_TRUE(can_read(0, 2 * kFrameSize));
  EXPECT_TRUE(can_read(kFrameSize - 10, 20));
  EXPECT_TRUE(can_read(kSize - 1000, 1000));
  EXPECT_FALSE(can_read(2 * kFrameSize - 10, 20));
  EXPECT_FALSE(file_->has(2));
}

TEST_F(StoredLayer, ItTakesWhatItsFramesTakeInTheRemoteStorageAndLeavesNothing) {
  const size_t stored = put(0) + put(1);
  EXPECT_EQ(file_->present_bytes(), stored);
  EXPECT_LT(stored, kFrameSize / 10);
  EXPECT_TRUE(list_directory(directory_.path()).value().empty());
}

TEST_F(StoredLayer, AllOfItCanBeReadByAndBy) {
  for (size_t i = 0; i < kFrames; ++i) put(i);
  for (uint64_t at = 0; at + 4096 < kSize; at += 4096) ASSERT_TRUE(can_read(at, 4096));
  file_->release_memory();
  EXPECT_TRUE(can_read(100, 4096));
}

TEST_F(StoredLayer, W4_ADamagedFrameIsNotGivenOutAndCountsAsAbsent) {
  put(0);
  put(1);
  damage(1);
  EXPECT_FALSE(can_read(kFrameSize, 10));
  EXPECT_FALSE(file_->has(1));
  EXPECT_TRUE(can_read(0, 10));
  put(1);
  EXPECT_TRUE(can_read(kFrameSize, 10));
}

TEST_F(StoredLayer, W4_AFrameThatIsDamagedOnceItWasReadIsFoundToo) {
  put(0);
  put(1);
  EXPECT_TRUE(can_read(kFrameSize, 10));
  damage(1);
  EXPECT_EQ(file_->drop_damaged().value(), 1U);
  EXPECT_FALSE(can_read(kFrameSize, 10));
  EXPECT_EQ(file_->drop_damaged().value(), 0U);
}

TEST_F(StoredLayer, ManyThreadsMayReadIt) {
  for (size_t i = 0; i < kFrames; ++i) put(i);
  std::vector<std::jthread> threads;
  for (uint64_t seed = 0; seed < 4; ++seed) {
    threads.emplace_back([&, seed] {
      SeededRandom random(seed);
      // Two go on and on, two jump.
      for (uint64_t i = 0; i < 60; ++i) {
        const uint64_t at = seed < 2 ? i * (kSize / 60) : random.next();
        EXPECT_TRUE(can_read(at % (kSize - 9000), 9000));
      }
    });
  }
}

class StoredOnDemand : public FramedLayerTest {};

TEST_F(StoredOnDemand, S19_ALayerIsFetchedAndReadWithoutBeingDecodedBefore) {
  const auto layer = LayerOnDemand::open(server_.context(), directory_.path(), FrameForm::kStored,
                                         {.log = kLog, .layer = layer_})
                         .value();
  layer->fetch_ahead();
  Bytes read(64 << 10);
  for (uint64_t at = 0; at < kLayerSize; at += read.size()) {
    VARVE_ASSERT_OK(layer->read_at(at, read));
    ASSERT_EQ(as_text(read), as_text(ByteView(content_).subspan(at, read.size())));
  }
  EXPECT_EQ(gets(), 2U);
}

TEST_F(StoredOnDemand, AFrameThatCameDamagedIsCorruptedAndNamesObjectAndMember) {
  const auto layer = LayerOnDemand::open(server_.context(), directory_.path(), FrameForm::kStored,
                                         {.log = kLog, .layer = layer_})
                         .value();
  Bytes read(10);
  VARVE_ASSERT_OK(layer->read_at(kLayerSize - 10, read));
  script({{.operation = Operation::kGet, .fault = Fault::flip_byte(100)}});
  const auto failed = layer->read_at(0, read);
  ASSERT_TRUE(failed.failed_with(ErrorCode::kCorrupted));
  EXPECT_NE(failed.error().message().find(layer_.name.to_string()), std::string::npos);
  VARVE_EXPECT_OK(layer->read_at(0, read));
}

}  // namespace
}  // namespace varve
