#include "postgres/wal/v15/storage.h"

#include "postgres/wal/payload_reader.h"

namespace varve::wal15 {
namespace {

// XLOG_SMGR_* and SMGR_TRUNCATE_* of src/include/catalog/storage_xlog.h.
constexpr uint8_t kCreate = 0x10;
constexpr uint8_t kTruncate = 0x20;
constexpr uint32_t kTruncateMain = 0x0001;
constexpr uint32_t kTruncateVisibilityMap = 0x0002;
constexpr uint32_t kTruncateFreeSpaceMap = 0x0004;
constexpr uint32_t kTruncateAll = kTruncateMain | kTruncateVisibilityMap | kTruncateFreeSpaceMap;

RelationCreated take_created(PayloadReader& reader) {
  const RelationTag relation = reader.take_relation();
  const auto fork = reader.take<uint32_t>();
  if (fork >= kForkCount) reader.fail();
  return {{.relation = relation, .fork = static_cast<RelationFork>(fork % kForkCount)}};
}

RelationTruncated take_truncated(PayloadReader& reader) {
  const auto block = reader.take<uint32_t>();
  const RelationTag relation = reader.take_relation();
  const auto flags = reader.take<uint32_t>();
  if ((flags & ~kTruncateAll) != 0) reader.fail();
  return {.relation = relation,
          .block = block,
          .main = (flags & kTruncateMain) != 0,
          .visibility_map = (flags & kTruncateVisibilityMap) != 0,
          .free_space_map = (flags & kTruncateFreeSpaceMap) != 0};
}

}  // namespace

Result<StoragePayload> parse_storage(const DecodedRecord& record) {
  PayloadReader reader(record);
  StoragePayload payload;
  switch (record.header().record_type()) {
    case kCreate:
      payload = take_created(reader);
      break;
    case kTruncate:
      payload = take_truncated(reader);
      break;
    default:
      reader.fail();
  }
  VARVE_TRY(reader.finish("storage"));
  return payload;
}

}  // namespace varve::wal15
