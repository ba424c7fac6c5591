#include "layer/pipelined_sink.h"

#include <gtest/gtest.h>

namespace varve {
namespace {

constexpr uint32_t kImages = 2'000;

Key key_of(uint32_t block) {
  Key key;
  store_big(key.bytes.data() + Key::kSize - sizeof(block), block);
  return key;
}

Bytes image_of(uint32_t block) {
  return Bytes(8192 + block % 3, static_cast<uint8_t>(block));
}

class MemorySink : public VersionSink {
 public:
  Result<> put_image(const Key& key, ByteView image) override {
    images.emplace_back(key, Bytes(image.begin(), image.end()));
    return {};
  }
  std::vector<std::pair<Key, Bytes>> images;
};

// Takes so many images and then fails.
class FullSink : public VersionSink {
 public:
  explicit FullSink(uint32_t capacity) : capacity_(capacity) {}
  Result<> put_image(const Key& /*key*/, ByteView /*image*/) override {
    if (taken_ == capacity_) return make_error(ErrorCode::kExhausted, "the disk is full");
    ++taken_;
    return {};
  }
  uint32_t taken() const { return taken_; }

 private:
  const uint32_t capacity_;
  uint32_t taken_ = 0;
};

TEST(PipelinedSink, EveryImageArrivesInOrder) {
  MemorySink target;
  PipelinedSink sink(target);
  for (uint32_t block = 0; block < kImages; ++block) {
    ASSERT_TRUE(sink.put_image(key_of(block), image_of(block)).ok());
  }
  ASSERT_TRUE(sink.finish().ok());
  ASSERT_EQ(target.images.size(), kImages);
  for (uint32_t block = 0; block < kImages; ++block) {
    EXPECT_EQ(target.images[block], std::pair(key_of(block), image_of(block)));
  }
}

TEST(PipelinedSink, AnErrorOfTheTargetReachesTheWriterOfImages) {
  FullSink target(10);
  PipelinedSink sink(target);
  Result<> put;
  for (uint32_t block = 0; block < kImages && put.ok(); ++block) {
    put = sink.put_image(key_of(block), image_of(block));
  }
  EXPECT_TRUE(put.failed_with(ErrorCode::kExhausted)) << "2,000 pages went by unnoticed";
  EXPECT_TRUE(sink.finish().failed_with(ErrorCode::kExhausted));
  EXPECT_EQ(target.taken(), 10U);
}

TEST(PipelinedSink, AnErrorWithTheLastImageIsTheResult) {
  FullSink target(kImages - 1);
  PipelinedSink sink(target);
  for (uint32_t block = 0; block < kImages; ++block) {
    ASSERT_TRUE(sink.put_image(key_of(block), image_of(block)).ok());
  }
  EXPECT_TRUE(sink.finish().failed_with(ErrorCode::kExhausted));
}

TEST(PipelinedSink, OneThatIsGivenUpEnds) {
  FullSink target(kImages);
  {
    PipelinedSink sink(target);
    for (uint32_t block = 0; block < 500; ++block) {
      ASSERT_TRUE(sink.put_image(key_of(block), image_of(block)).ok());
    }
  }
  EXPECT_LE(target.taken(), 500U);
}

}  // namespace
}  // namespace varve
