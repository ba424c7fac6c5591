#include "postgres/wal/wal_format.h"

#include <fmt/format.h>

namespace varve {
namespace {

// XLR_INFO_MASK without XLR_SPECIAL_REL_UPDATE and XLR_CHECK_CONSISTENCY of
// src/include/access/xlogrecord.h.
constexpr uint8_t kUnknownInfoBits = 0x0C;

}  // namespace

const WalFormat* find_wal_format(uint32_t major_version) {
  return major_version == 15 ? &wal_format_15() : nullptr;
}

const WalFormat* find_wal_format_by_magic(uint16_t page_magic) {
  return page_magic == wal_format_15().page_magic ? &wal_format_15() : nullptr;
}

// XLOG_PAGE_MAGIC in src/include/access/xlog_internal.h of each release.
std::optional<std::string_view> release_of_wal_magic(uint16_t page_magic) {
  switch (page_magic) {
    case 0xD106:
      return "PostgreSQL 13";
    case 0xD10D:
      return "PostgreSQL 14";
    case 0xD110:
      return "PostgreSQL 15";
    case 0xD113:
      return "PostgreSQL 16";
    case 0xD116:
      return "PostgreSQL 17";
    case 0xD118:
      return "PostgreSQL 18";
    default:
      return {};
  }
}

Result<RecordType> identify_record(const WalFormat& format, const WalRecordHeader& header,
                                   Lsn lsn) {
  const uint8_t number = header.resource_manager;
  if (number >= format.resource_managers.size()) {
    return make_error(ErrorCode::kInvalidArgument,
                      "the WAL record at {} is of resource manager {} (info {:02x}), {}: what it "
                      "changes is not known, so nothing after it can be followed",
                      lsn, number, header.info,
                      number >= kFirstCustomResourceManager
                          ? "that of an extension"
                          : fmt::format("which PostgreSQL {} does not have", format.major_version));
  }
  const ResourceManager& manager = format.resource_managers[number];
  const std::string_view type = manager.record_types[header.info >> 4];
  if (type.empty() || (header.info & kUnknownInfoBits) != 0) {
    return make_error(ErrorCode::kInvalidArgument,
                      "the WAL record at {} has info {:02x}, which the resource manager {} of "
                      "PostgreSQL {} does not have: what it changes is not known, so nothing after "
                      "it can be followed",
                      lsn, header.info, manager.name, format.major_version);
  }
  return RecordType{manager.name, type};
}

}  // namespace varve
