#include "postgres/stored_record.h"

namespace varve {
namespace {

constexpr uint8_t kHintBitsLogged = 1;

}  // namespace

Bytes StoredRecord::encode() const {
  Bytes value;
  value.reserve(1 + bytes.size());
  value.push_back(hint_bits_logged ? kHintBitsLogged : 0);
  value.insert(value.end(), bytes.begin(), bytes.end());
  return value;
}

Result<StoredRecord> StoredRecord::parse(ByteView value) {
  if (value.empty()) return make_error(ErrorCode::kCorrupted, "a stored WAL record is empty");
  const uint8_t flags = value.front();
  if ((flags & ~kHintBitsLogged) != 0) {
    return make_error(ErrorCode::kCorrupted, "a stored WAL record has the unknown flags {:02x}",
                      flags);
  }
  return StoredRecord{.hint_bits_logged = flags == kHintBitsLogged, .bytes = value.subspan(1)};
}

}  // namespace varve
