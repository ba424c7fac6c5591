// What differs in the WAL from one major version of PostgreSQL to the next, but for the payloads of
// its records: those of version 15 are in v15/.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/result.h"
#include "postgres/wal/wal_record.h"

namespace varve {

// Who wrote a record, and what its record types are called.
struct ResourceManager {
  std::string_view name;
  // By the high four bits of a record's info: as pg_waldump prints them; empty: there is none.
  std::array<std::string_view, 16> record_types;
};

struct WalFormat {
  uint32_t major_version = 0;
  uint16_t page_magic = 0;  // XLOG_PAGE_MAGIC
  // Flags of a page image, bimg_info.
  uint8_t image_has_hole = 0;
  uint8_t image_apply = 0;
  uint8_t image_pglz = 0;
  uint8_t image_lz4 = 0;
  uint8_t image_zstd = 0;
  // By number.
  std::span<const ResourceManager> resource_managers;

  uint8_t image_flags() const {
    return image_has_hole | image_apply | image_pglz | image_lz4 | image_zstd;
  }
};

// PostgreSQL 15 (v15/).
const WalFormat& wal_format_15();

// The format by a major version, or by the magic number of a page; nothing when it is not
// supported.
const WalFormat* find_wal_format(uint32_t major_version);
const WalFormat* find_wal_format_by_magic(uint16_t page_magic);

// "PostgreSQL 14", for messages; nothing for a number that no release uses.
std::optional<std::string_view> release_of_wal_magic(uint16_t page_magic);

// The resource managers of extensions, RM_MIN_CUSTOM_ID of src/include/access/rmgr.h.
inline constexpr uint8_t kFirstCustomResourceManager = 128;

struct RecordType {
  std::string_view resource_manager;
  std::string_view name;
};

// What kind of record this is. InvalidArgument, naming resource manager, info and `lsn`, when the
// format knows none such: it comes from an extension with records of its own, or from a server that
// is newer than this program. Whoever follows the WAL must stop there, since nobody here knows what
// the record changes; to repeat makes no sense without another server or another program.
Result<RecordType> identify_record(const WalFormat& format, const WalRecordHeader& header, Lsn lsn);

}  // namespace varve
