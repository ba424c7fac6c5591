#include "postgres/wal/wal_record.h"

#include "base/checksum.h"

namespace varve {

uint32_t wal_record_crc(ByteView record) {
  return crc32c(record.first(kWalRecordCrcOffset), crc32c(record.subspan(kWalRecordHeaderSize)));
}

}  // namespace varve
