// What the writer and the reader of layer files share: the stored form of a key, options, errors.
//
// A layer file is a RocksDB block-based table (SST), docs/formats/layer-file.md. The user key is
// the page key followed by the bitwise inverse of the LSN, big-endian: so the newest version of a
// key sorts first, and the newest at or below an LSN is found with one Seek.
#pragma once

#include <rocksdb/options.h>
#include <rocksdb/status.h>

#include <array>
#include <optional>

#include "layer/key.h"
#include "layer/layer_name.h"
#include "layer/value.h"

namespace varve::layer_file {

inline constexpr size_t kStoredKeySize = Key::kSize + sizeof(uint64_t);
using StoredKey = std::array<uint8_t, kStoredKeySize>;

StoredKey encode_key(const Key& key, Lsn lsn);

// Key, LSN, kind and value of one table entry; the views point into the arguments. Corrupted when
// they cannot be taken apart.
Result<Version> decode_entry(ByteView stored_key, ByteView stored_value);

// The user properties of the table, which say what it claims to be.
inline constexpr char kVersionProperty[] = "varve.layer.version";
inline constexpr char kNameProperty[] = "varve.layer.name";
inline constexpr char kCurrentVersion[] = "1";

// Table options that writer and reader must agree on.
rocksdb::Options table_options();

// The error of a RocksDB call on `path`.
Error to_error(const rocksdb::Status& status, std::string_view path);

}  // namespace varve::layer_file
