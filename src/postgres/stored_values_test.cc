#include "postgres/stored_values.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

namespace varve {
namespace {

TEST(StoredValues, ReadBack) {
  EXPECT_EQ(*decode_block_count(encode_block_count(0x01020304)), 0x01020304U);
  EXPECT_EQ(DataDirectoryFacts::decode(DataDirectoryFacts{.mode = 0750}.encode())->mode, 0750U);
  EXPECT_EQ(TablespaceFacts::decode(TablespaceFacts{.location = "/fast"}.encode())->location,
            "/fast");
  for (const bool has_version_file : {true, false}) {
    const DatabaseDirectoryFacts facts{.has_version_file = has_version_file};
    EXPECT_EQ(DatabaseDirectoryFacts::decode(facts.encode())->has_version_file, has_version_file);
  }
}

TEST(StoredValues, DamageIsRefused) {
  const Bytes wrong = {1, 2, 3, 4, 5};
  EXPECT_TRUE(decode_block_count(wrong).failed_with(ErrorCode::kCorrupted));
  EXPECT_TRUE(DataDirectoryFacts::decode(wrong).failed_with(ErrorCode::kCorrupted));
  EXPECT_TRUE(TablespaceFacts::decode(wrong).failed_with(ErrorCode::kCorrupted));
  EXPECT_TRUE(DatabaseDirectoryFacts::decode(wrong).failed_with(ErrorCode::kCorrupted));
  EXPECT_TRUE(DatabaseDirectoryFacts::decode(Bytes{2}).failed_with(ErrorCode::kCorrupted));
  EXPECT_TRUE(DataDirectoryFacts::decode(DataDirectoryFacts{.mode = 0777}.encode())
                  .failed_with(ErrorCode::kCorrupted));
}

Result<AuxiliaryFileHeader> decode_header(const std::string& path, mode_t mode = S_IFREG | 0600,
                                          uint64_t size = 3) {
  const Bytes value = AuxiliaryFileHeader{.path = path, .mode = mode, .size = size}.encode();
  ByteView view = value;
  return AuxiliaryFileHeader::decode(view);
}

TEST(AuxiliaryFile, TheHeaderPrecedesTheFirstChunk) {
  Bytes value = AuxiliaryFileHeader{.path = "a/b.conf", .mode = S_IFREG | 0640, .size = 2}.encode();
  value.push_back('x');
  value.push_back('y');
  ByteView view = value;
  const auto header = AuxiliaryFileHeader::decode(view);
  ASSERT_TRUE(header.ok());
  EXPECT_EQ(header->path, "a/b.conf");
  EXPECT_EQ(header->mode, mode_t{S_IFREG | 0640});
  EXPECT_EQ(header->size, 2U);
  EXPECT_EQ(as_text(view), "xy");
}

TEST(AuxiliaryFile, NoPathLeadsOutOfTheDataDirectory) {
  EXPECT_TRUE(decode_header("conf.d/..x").ok());
  for (const char* path :
       {"", "/etc/passwd", "..", "../x", "a/../../x", "a//b", "a/", "./a", "a/."}) {
    EXPECT_TRUE(decode_header(path).failed_with(ErrorCode::kCorrupted)) << path;
  }
  EXPECT_TRUE(decode_header(std::string("a\0b", 3)).failed_with(ErrorCode::kCorrupted));
}

TEST(AuxiliaryFile, IsAFileOrAnEmptyDirectory) {
  EXPECT_TRUE(decode_header("d", S_IFDIR | 0700, 0).ok());
  EXPECT_TRUE(decode_header("d", S_IFDIR | 0700, 1).failed_with(ErrorCode::kCorrupted));
  EXPECT_TRUE(decode_header("d", S_IFLNK | 0700, 1).failed_with(ErrorCode::kCorrupted));
}

TEST(AuxiliaryFile, IsCutIntoChunksOfAMebibyte) {
  const auto chunks = [](uint64_t size) {
    return AuxiliaryFileHeader{.path = "x", .mode = S_IFREG, .size = size}.chunk_count();
  };
  EXPECT_EQ(chunks(0), 1U);
  EXPECT_EQ(chunks(1U << 20), 1U);
  EXPECT_EQ(chunks((1U << 20) + 1), 2U);
}

}  // namespace
}  // namespace varve
