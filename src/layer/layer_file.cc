#include "layer/layer_file.h"

#include <rocksdb/filter_policy.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>

namespace varve::layer_file {

StoredKey encode_key(const Key& key, Lsn lsn) {
  StoredKey stored;
  std::memcpy(stored.data(), key.bytes.data(), Key::kSize);
  store_big(stored.data() + Key::kSize, ~lsn.value);
  return stored;
}

Result<Version> decode_entry(ByteView stored_key, ByteView stored_value) {
  if (stored_key.size() != kStoredKeySize || stored_value.empty()) {
    return make_error(ErrorCode::kCorrupted, "a table entry has {} key and {} value bytes",
                      stored_key.size(), stored_value.size());
  }
  Version version;
  std::memcpy(version.key.bytes.data(), stored_key.data(), Key::kSize);
  version.lsn.value = ~load_big<uint64_t>(stored_key.data() + Key::kSize);
  const uint8_t kind = stored_value[0];
  if (kind < static_cast<uint8_t>(ValueKind::kImage) ||
      static_cast<uint8_t>(ValueKind::kTombstone) < kind) {
    return make_error(ErrorCode::kCorrupted, "the value of key {} at {} has the unknown kind {}",
                      version.key, version.lsn, kind);
  }
  version.kind = static_cast<ValueKind>(kind);
  version.value = stored_value.subspan(1);
  return version;
}

rocksdb::Options table_options() {
  rocksdb::BlockBasedTableOptions table;
  table.format_version = 5;
  table.checksum = rocksdb::kXXH3;
  // About 1 % of false positives; see rocksdb/filter_policy.h.
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.whole_key_filtering = false;
  // Reads go through the page cache of the system; blocks kept here as well would be kept twice.
  table.no_block_cache = true;

  rocksdb::Options options;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.prefix_extractor.reset(rocksdb::NewFixedPrefixTransform(Key::kSize));
  // Compression is the archive's business: a block that is read on demand should cost no
  // decompression.
  options.compression = rocksdb::kNoCompression;
  return options;
}

Error to_error(const rocksdb::Status& status, std::string_view path) {
  ErrorCode code = ErrorCode::kInternal;
  if (status.IsCorruption() || status.IsNotSupported()) {
    code = ErrorCode::kCorrupted;
  } else if (status.IsNoSpace()) {
    code = ErrorCode::kExhausted;
  } else if (status.IsPathNotFound() || status.IsNotFound()) {
    code = ErrorCode::kNotFound;
  } else if (status.IsIOError()) {
    code = ErrorCode::kUnavailable;
  }
  return make_error(code, "layer file {}: {}", path, status.ToString());
}

}  // namespace varve::layer_file
