// Layer files that are read through a source instead of from the file system.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "fs/directory.h"
#include "fs/temporary_directory.h"
#include "layer/layer_reader.h"
#include "layer/layer_writer.h"

namespace varve {
namespace {

constexpr uint32_t kKeys = 2000;
constexpr Lsn kLsn{0x1000};

Key key_of(uint32_t number) {
  Key key;
  key.bytes[0] = 1;
  store_big(key.bytes.data() + 14, number);
  return key;
}

// In memory; counts what is read, and fails from a byte on when it is told to.
class CountingSource : public LayerFileSource {
 public:
  explicit CountingSource(Bytes content) : content_(std::move(content)) {}

  uint64_t size() const override { return content_.size(); }
  Result<> read_at(uint64_t offset, std::span<uint8_t> out) override {
    EXPECT_LE(offset + out.size(), content_.size());
    if (failing_below && offset < *failing_below) {
      return make_error(failure, "the source does not answer");
    }
    bytes_read += out.size();
    std::ranges::copy(ByteView(content_).subspan(offset, out.size()), out.begin());
    return {};
  }
  void flip(uint64_t at) { content_[at] ^= 1; }

  std::optional<uint64_t> failing_below;
  ErrorCode failure = ErrorCode::kUnavailable;
  std::atomic<uint64_t> bytes_read = 0;

 private:
  Bytes content_;
};

class LayerSource : public testing::Test {
 protected:
  void SetUp() override {
    const auto directory = TemporaryDirectory::create().value();
    auto writer = LayerWriter::create(directory.path(), 1).value();
    Bytes page(8192);
    for (uint32_t i = 0; i < kKeys; ++i) {
      std::ranges::fill(page, static_cast<uint8_t>(i));
      ASSERT_TRUE(writer.put({.key = key_of(i), .lsn = kLsn, .value = page}).ok());
    }
    name_ = LayerName::image({key_of(0), key_of(kKeys)}, kLsn);
    ASSERT_TRUE(writer.finish(name_).ok());
    source_ = std::make_shared<CountingSource>(read_file(directory / name_.to_string()).value());
  }
  Result<LayerReader> open() { return LayerReader::open(source_, "far away"); }
  static Result<> ignore(const Version& /*version*/) { return {}; }

  LayerName name_;
  std::shared_ptr<CountingSource> source_;
};

TEST_F(LayerSource, AFileThatIsNowhereAtHandIsReadLikeAnyOther) {
  const auto reader = open().value();
  EXPECT_EQ(reader.name(), name_);
  EXPECT_EQ(reader.version_count(), kKeys);
  EXPECT_EQ(reader.find(key_of(1234), kLsn).value().at(0).value, Bytes(8192, uint8_t{1234 % 256}));
  EXPECT_TRUE(reader.find(key_of(kKeys), kLsn).value().empty());
  uint32_t next = 0;
  const auto scanned = reader.scan(KeyRange::all(), [&](const Version& version) -> Result<> {
    EXPECT_EQ(version.key, key_of(next++));
    return {};
  });
  EXPECT_TRUE(scanned.ok());
  EXPECT_EQ(next, kKeys);
}

TEST_F(LayerSource, OpeningReadsOnlyTheEndAndAKeyOnlyItsBlock) {
  const auto reader = open().value();
  EXPECT_LT(source_->bytes_read, 1U << 20);
  const uint64_t before = source_->bytes_read;
  EXPECT_EQ(reader.find(key_of(10), kLsn).value().size(), 1U);
  EXPECT_LT(source_->bytes_read - before, 64U << 10);
}

TEST_F(LayerSource, AnErrorOfTheSourceKeepsItsCode) {
  for (const ErrorCode code :
       {ErrorCode::kUnavailable, ErrorCode::kCancelled, ErrorCode::kDenied, ErrorCode::kNotFound}) {
    source_->failure = code;
    source_->failing_below = UINT64_MAX;
    EXPECT_TRUE(open().failed_with(code)) << name(code);

    source_->failing_below.reset();
    const auto reader = open().value();
    source_->failing_below = source_->size() / 2;
    const auto found = reader.find(key_of(10), kLsn);
    ASSERT_TRUE(found.failed_with(code)) << name(code);
    EXPECT_EQ(found.error().message(), "layer file far away: the source does not answer");
    EXPECT_TRUE(reader.scan(KeyRange::all(), ignore).failed_with(code)) << name(code);
    EXPECT_TRUE(reader.find(key_of(kKeys - 1), kLsn).ok());
    source_->failing_below.reset();
    EXPECT_TRUE(reader.scan(KeyRange::all(), ignore).ok());
  }
}

TEST_F(LayerSource, DamageIsCorruptedAlsoRightAfterAnErrorOfTheSource) {
  const auto reader = open().value();
  source_->failing_below = UINT64_MAX;
  EXPECT_TRUE(reader.find(key_of(10), kLsn).failed_with(ErrorCode::kUnavailable));
  source_->failing_below.reset();
  source_->flip(10 * 8192 + 4096);
  EXPECT_TRUE(reader.scan(KeyRange::all(), ignore).failed_with(ErrorCode::kCorrupted));
}

TEST_F(LayerSource, SomethingElseThanALayerIsCorrupted) {
  source_ = std::make_shared<CountingSource>(Bytes(100'000, 'x'));
  EXPECT_TRUE(open().failed_with(ErrorCode::kCorrupted));
  source_ = std::make_shared<CountingSource>(Bytes());
  EXPECT_TRUE(open().failed_with(ErrorCode::kCorrupted));
}

TEST_F(LayerSource, ErrorsOfManyThreadsStayApart) {
  const auto reader = open().value();
  source_->failing_below = source_->size() / 2;
  std::vector<std::jthread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, fails = thread % 2 == 0] {
      for (int i = 0; i < 100; ++i) {
        const auto found = reader.find(key_of(fails ? 5 : kKeys - 5), kLsn);
        EXPECT_EQ(found.failed_with(ErrorCode::kUnavailable), fails);
      }
    });
  }
}

}  // namespace
}  // namespace varve
