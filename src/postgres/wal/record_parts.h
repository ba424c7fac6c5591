// How the parts of a WAL record are marked (src/include/access/xlogrecord.h).
#pragma once

#include <cstdint>

namespace varve::wal_parts {

// XLR_BLOCK_ID_*.
inline constexpr uint8_t kShortDataId = 255;
inline constexpr uint8_t kLongDataId = 254;
inline constexpr uint8_t kOriginId = 253;
inline constexpr uint8_t kTopLevelTransactionId = 252;

// BKPBLOCK_*.
inline constexpr uint8_t kForkMask = 0x0F;
inline constexpr uint8_t kHasImage = 0x10;
inline constexpr uint8_t kHasData = 0x20;
inline constexpr uint8_t kWillInit = 0x40;
inline constexpr uint8_t kSameRelation = 0x80;

}  // namespace varve::wal_parts
