#include <fcntl.h>
#include <gtest/gtest.h>

#include "fs/directory.h"
#include "fs/file.h"
#include "fs/temporary_directory.h"
#include "layer/layer_reader.h"
#include "layer/layer_writer.h"
#include "layer/timeline_metadata.h"

namespace varve {
namespace {

Key key_of(uint32_t block) {
  Key key;
  key.bytes[0] = 1;
  store_big(key.bytes.data() + 14, block);
  return key;
}

TEST(Key, TheNextKeyCarriesOverAndStopsAtTheMaximum) {
  EXPECT_EQ(key_of(7).next(), key_of(8));
  EXPECT_EQ(key_of(255).next(), key_of(256));
  EXPECT_EQ(Key::max().next(), Key::max());
}

TEST(LayerName, ImageAndDeltaNamesAreReadBackAsWritten) {
  const KeyRange keys{key_of(1), key_of(9)};
  for (const auto& name : {LayerName::image(keys, Lsn{0x16B9188}),
                           LayerName::delta(keys, Lsn{0x16B9188}, Lsn{0x26B9188})}) {
    auto parsed = LayerName::parse(name.to_string());
    ASSERT_TRUE(parsed.ok()) << parsed.error().message();
    EXPECT_EQ(*parsed, name);
  }
  EXPECT_EQ(LayerName::image(keys, Lsn{0x16B9188}).to_string(),
            "010000000000000000000000000000000001-010000000000000000000000000000000009__"
            "00000000016b9188.sst");
}

TEST(LayerName, AnythingElseIsRefused) {
  const std::string good = LayerName::image({key_of(1), key_of(9)}, Lsn{1}).to_string();
  const std::string upper = [&] {
    std::string text = LayerName::image({key_of(10), key_of(11)}, Lsn{1}).to_string();
    for (char& c : text) c = static_cast<char>(toupper(c));
    return text;
  }();
  const std::string empty_range = LayerName::image({key_of(9), key_of(9)}, Lsn{1}).to_string();
  const std::string backwards =
      LayerName::delta({key_of(1), key_of(9)}, Lsn{5}, Lsn{5}).to_string();
  for (const std::string& text : {std::string(), std::string("metadata"), good + "x", "x" + good,
                                  good.substr(1), upper, empty_range, backwards}) {
    EXPECT_TRUE(LayerName::parse(text).failed_with(ErrorCode::kInvalidArgument)) << text;
  }
}

TEST(TimelineMetadata, IsReadBackAsWritten) {
  TimelineMetadata metadata{.disk_consistent_lsn = Lsn{1000},
                            .previous_record_lsn = Lsn{900},
                            .ancestor = std::nullopt,
                            .ancestor_lsn = {},
                            .gc_cutoff_lsn = Lsn{500},
                            .postgres_version = 15,
                            .system_identifier = 0x123456789ABCDEF0};
  EXPECT_EQ(TimelineMetadata::decode(metadata.encode()).value(), metadata);
  metadata.ancestor = TimelineId{{1, 2, 3}};
  metadata.ancestor_lsn = Lsn{700};
  EXPECT_EQ(TimelineMetadata::decode(metadata.encode()).value(), metadata);
}

TEST(TimelineMetadata, ATruncatedOrExtendedOneIsCorrupted) {
  Bytes encoded = TimelineMetadata{}.encode();
  for (size_t size = 0; size < encoded.size(); ++size) {
    EXPECT_TRUE(
        TimelineMetadata::decode(ByteView(encoded).first(size)).failed_with(ErrorCode::kCorrupted));
  }
  encoded.push_back(0);
  EXPECT_TRUE(TimelineMetadata::decode(encoded).failed_with(ErrorCode::kCorrupted));
}

class LayerFile : public testing::Test {
 protected:
  // 1,000 pages of 8 KiB at one LSN.
  LayerFileInfo write_pages() {
    auto writer = LayerWriter::create(directory_.path(), 1);
    EXPECT_TRUE(writer.ok());
    Bytes page(8192);
    for (uint32_t block = 0; block < 1000; ++block) {
      std::fill(page.begin(), page.end(), static_cast<uint8_t>(block));
      EXPECT_TRUE(writer->put({.key = key_of(block), .lsn = kLsn, .value = page}).ok());
    }
    auto info = writer->finish(LayerName::image({key_of(0), key_of(1000)}, kLsn));
    EXPECT_TRUE(info.ok());
    return *info;
  }
  std::filesystem::path path(const LayerName& name) { return directory_ / name.to_string(); }

  static constexpr Lsn kLsn{0x1000};
  TemporaryDirectory directory_ = TemporaryDirectory::create().value();
};

TEST_F(LayerFile, GivesBackWhatWasPutAndTheChecksumOfItsBytes) {
  const LayerFileInfo info = write_pages();
  const Bytes content = read_file(path(info.name)).value();
  EXPECT_EQ(info.size, content.size());
  EXPECT_EQ(info.checksum, checksum128(content));

  auto reader = LayerReader::open(path(info.name));
  ASSERT_TRUE(reader.ok()) << reader.error().message();
  EXPECT_EQ(reader->name(), info.name);
  EXPECT_EQ(reader->version_count(), 1000U);
  uint32_t next = 10;
  const auto scanned = reader->scan({key_of(10), key_of(20)}, [&](const Version& version) {
    EXPECT_EQ(version.key, key_of(next));
    EXPECT_EQ(version.lsn, kLsn);
    EXPECT_EQ(version.value.size(), 8192U);
    EXPECT_EQ(version.value[8191], static_cast<uint8_t>(next));
    ++next;
    return Result<>();
  });
  ASSERT_TRUE(scanned.ok());
  EXPECT_EQ(next, 20U);
}

TEST_F(LayerFile, FindsTheNewestVersionAtOrBelowAnLsn) {
  auto writer = LayerWriter::create(directory_.path(), 1).value();
  for (const uint64_t lsn : {300, 200, 100}) {
    const Bytes value{static_cast<uint8_t>(lsn / 100)};
    ASSERT_TRUE(writer.put({.key = key_of(5), .lsn = Lsn{lsn}, .value = value}).ok());
  }
  const auto info = writer.finish(LayerName::delta({key_of(5), key_of(6)}, Lsn{100}, Lsn{301}));
  ASSERT_TRUE(info.ok());
  const auto reader = LayerReader::open(path(info->name)).value();
  EXPECT_TRUE(reader.find(key_of(5), Lsn{99}).value().empty());
  EXPECT_EQ(reader.find(key_of(5), Lsn{100}).value().at(0).lsn, Lsn{100});
  EXPECT_EQ(reader.find(key_of(5), Lsn{299}).value().at(0).lsn, Lsn{200});
  EXPECT_EQ(reader.find(key_of(5), Lsn{5000}).value().at(0).value, Bytes{3});
  EXPECT_TRUE(reader.find(key_of(4), Lsn{5000}).value().empty());
  EXPECT_TRUE(reader.find(key_of(6), Lsn{5000}).value().empty());
}

TEST_F(LayerFile, ACursorPassesOverManyVersionsAtOnce) {
  constexpr uint64_t kVersions = 5000;
  auto writer = LayerWriter::create(directory_.path(), 1).value();
  const Bytes value(100);
  for (const uint32_t key : {5, 6}) {
    for (uint64_t lsn = kVersions; lsn > 0; --lsn) {
      ASSERT_TRUE(writer.put({.key = key_of(key), .lsn = Lsn{lsn}, .value = value}).ok());
    }
  }
  const auto info =
      writer.finish(LayerName::delta({key_of(5), key_of(7)}, Lsn{1}, Lsn{kVersions + 1}));
  const auto reader = LayerReader::open(path(info.value().name)).value();
  const auto cursor = reader.cursor(KeyRange::all()).value();
  const auto expect_at = [&](uint32_t key, uint64_t lsn) {
    ASSERT_NE(cursor->current(), nullptr);
    EXPECT_EQ(cursor->current()->key, key_of(key));
    EXPECT_EQ(cursor->current()->lsn, Lsn{lsn});
  };
  ASSERT_TRUE(cursor->seek(key_of(5), Lsn{kVersions - 3}).ok());
  expect_at(5, kVersions - 3);
  ASSERT_TRUE(cursor->seek(key_of(5), Lsn{100}).ok());
  expect_at(5, 100);
  ASSERT_TRUE(cursor->seek(key_of(5), Lsn{200}).ok());
  expect_at(5, 100);
  ASSERT_TRUE(cursor->seek(key_of(6), Lsn::max()).ok());
  expect_at(6, kVersions);
  ASSERT_TRUE(cursor->next().ok());
  expect_at(6, kVersions - 1);
  ASSERT_TRUE(cursor->seek(key_of(7), Lsn::max()).ok());
  EXPECT_EQ(cursor->current(), nullptr);
}

TEST_F(LayerFile, KeysOutOfOrderAreRefused) {
  auto writer = LayerWriter::create(directory_.path(), 1).value();
  const Bytes value{1};
  ASSERT_TRUE(writer.put({.key = key_of(5), .lsn = kLsn, .value = value}).ok());
  EXPECT_TRUE(writer.put({.key = key_of(5), .lsn = kLsn, .value = value})
                  .failed_with(ErrorCode::kInvalidArgument));
  EXPECT_TRUE(writer.put({.key = key_of(4), .lsn = kLsn, .value = value})
                  .failed_with(ErrorCode::kInvalidArgument));
}

TEST_F(LayerFile, AWriterThatIsGivenUpLeavesNothing) {
  {
    auto writer = LayerWriter::create(directory_.path(), 1).value();
    const Bytes value{1};
    ASSERT_TRUE(writer.put({.key = key_of(5), .lsn = kLsn, .value = value}).ok());
  }
  EXPECT_TRUE(list_directory(directory_.path()).value().empty());
}

TEST_F(LayerFile, AFlippedByteIsCorruptedAndNamesTheFile) {
  const LayerFileInfo info = write_pages();
  {
    auto file = File::open(path(info.name), O_RDWR).value();
    Bytes byte(1);
    ASSERT_TRUE(file.read_exactly_at(4 << 20, byte).ok());
    byte[0] ^= 1;
    ASSERT_TRUE(file.write_at(4 << 20, byte).ok());
  }
  const auto reader = LayerReader::open(path(info.name)).value();
  const auto scanned = reader.scan(KeyRange::all(), [](const Version&) { return Result<>(); });
  ASSERT_TRUE(scanned.failed_with(ErrorCode::kCorrupted));
  EXPECT_NE(scanned.error().message().find(path(info.name).string()), std::string::npos);
}

TEST_F(LayerFile, AFileThatIsNoLayerIsCorrupted) {
  const auto file = directory_ / "text.sst";
  ASSERT_TRUE(write_file_atomically(file, as_bytes(std::string(100'000, 'x'))).ok());
  EXPECT_TRUE(LayerReader::open(file).failed_with(ErrorCode::kCorrupted));
}

}  // namespace
}  // namespace varve
