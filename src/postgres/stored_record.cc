#include "postgres/stored_record.h"

#include "base/copy_bytes.h"

namespace varve {
namespace {

constexpr uint8_t kHintBitsLogged = 1;

}  // namespace

void StoredRecord::encode_to(std::span<uint8_t> out) const {
  out.front() = hint_bits_logged ? kHintBitsLogged : 0;
  copy_bytes(bytes, out.subspan(1));
}

Bytes StoredRecord::encode() const {
  Bytes value(encoded_size());
  encode_to(value);
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
