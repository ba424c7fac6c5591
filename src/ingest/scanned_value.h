// What a scan gives, checked to be what was asked for.
#pragma once

#include "postgres/key_space.h"

namespace varve {

// Internal when the key is of another kind.
template <typename Fields>
Result<Fields> fields_of(const Key& key) {
  VARVE_ASSIGN(const KeyFields fields, parse_key(key));
  if (const Fields* typed = std::get_if<Fields>(&fields)) return *typed;
  return make_error(ErrorCode::kInternal, "{} came from a scan of another range", describe(key));
}

// Of a page of a relation or an SLRU. Corrupted otherwise.
inline Result<> check_block_size(const Key& key, ByteView image) {
  if (image.size() == kBlockSize) return {};
  return make_error(ErrorCode::kCorrupted, "{} has {} bytes instead of {}", describe(key),
                    image.size(), kBlockSize);
}

}  // namespace varve
