// pg_filenode.map: which files hold the catalogs that are needed to read the catalogs
// (src/backend/utils/cache/relmapper.c).
#pragma once

#include "base/bytes.h"
#include "base/result.h"

namespace varve {

inline constexpr std::string_view kRelationMapFileName = "pg_filenode.map";
// sizeof(RelMapFile).
inline constexpr size_t kRelationMapSize = 512;

// Checks size, magic, number of mappings and CRC; Corrupted when one is wrong.
Result<> check_relation_map(ByteView file);

// The number that names the files of a mapped catalog. Corrupted when the map is damaged or does
// not have it.
Result<uint32_t> mapped_relation(ByteView file, uint32_t catalog);

}  // namespace varve
