#include "postgres/relation_map.h"

#include "base/checksum.h"

namespace varve {
namespace {

// RelMapFile: magic, number of mappings, the mappings (8 bytes each), CRC of all before it,
// padding.
constexpr uint32_t kMagic = 0x592717;  // RELMAPPER_FILEMAGIC
constexpr size_t kMappingCount = 4;
constexpr size_t kMappings = 8;
constexpr size_t kMappingSize = 8;         // The OID of the catalog, the number of its files.
constexpr uint32_t kMaximumMappings = 62;  // MAX_MAPPINGS
constexpr size_t kCrc = kMappings + kMaximumMappings * kMappingSize;

}  // namespace

Result<> check_relation_map(ByteView file) {
  if (file.size() != kRelationMapSize) {
    return make_error(ErrorCode::kCorrupted, "the relation map has {} bytes, not {}",
                      kRelationMapSize, file.size());
  }
  if (load_little<uint32_t>(file.data()) != kMagic ||
      load_little<uint32_t>(&file[kMappingCount]) > kMaximumMappings) {
    return make_error(ErrorCode::kCorrupted, "the relation map has an invalid header");
  }
  const auto stored = load_little<uint32_t>(&file[kCrc]);
  const uint32_t computed = crc32c(file.first(kCrc));
  if (stored != computed) {
    return make_error(ErrorCode::kCorrupted,
                      "the relation map is damaged: its CRC is {:08x}, computed {:08x}", stored,
                      computed);
  }
  return {};
}

Result<uint32_t> mapped_relation(ByteView file, uint32_t catalog) {
  VARVE_TRY(check_relation_map(file));
  const auto count = load_little<uint32_t>(&file[kMappingCount]);
  for (uint32_t i = 0; i < count; ++i) {
    const uint8_t* mapping = &file[kMappings + i * kMappingSize];
    if (load_little<uint32_t>(mapping) == catalog) return load_little<uint32_t>(mapping + 4);
  }
  return make_error(ErrorCode::kCorrupted, "the relation map does not have the catalog {}",
                    catalog);
}

}  // namespace varve
