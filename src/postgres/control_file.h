// pg_control of PostgreSQL 15: global/pg_control, the state of a cluster in one small file.
//
// Facts: src/include/catalog/pg_control.h (ControlFileData, CheckPoint) as a 64-bit little-endian
// build lays it out. The offsets of all fields are in control_file.cc.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "base/lsn.h"
#include "base/result.h"

namespace varve {

// PG_CONTROL_FILE_SIZE: the file is padded with zeros to this size.
inline constexpr size_t kControlFileSize = 8192;
// sizeof(ControlFileData).
inline constexpr size_t kControlFileDataSize = 296;
// sizeof(CheckPoint): the body of a checkpoint record.
inline constexpr size_t kCheckpointSize = 88;

// DBState.
enum class DatabaseState : uint32_t {
  kStartup = 0,
  kShutDown = 1,
  kShutDownInRecovery = 2,
  kShuttingDown = 3,
  kInCrashRecovery = 4,
  kInArchiveRecovery = 5,
  kInProduction = 6,
};

// As pg_controldata prints it: "shut down", "in production", ...
std::string_view name(DatabaseState state);

// WalLevel of src/include/access/xlog.h.
enum class WalLevel : uint32_t { kMinimal = 0, kReplica = 1, kLogical = 2 };
// "minimal", "replica", "logical": the values of the parameter wal_level.
std::string_view name(WalLevel level);

// CheckPoint: where redo starts, and the counters of the cluster at that moment.
struct CheckpointRecord {
  Lsn redo;
  uint32_t timeline = 0;
  uint32_t previous_timeline = 0;
  bool full_page_writes = false;
  uint64_t next_transaction = 0;  // The epoch in the upper 32 bits.
  uint32_t next_oid = 0;
  uint32_t next_multixact = 0;
  uint32_t next_multixact_offset = 0;
  uint32_t oldest_transaction = 0;
  uint32_t oldest_transaction_database = 0;
  uint32_t oldest_multixact = 0;
  uint32_t oldest_multixact_database = 0;
  int64_t time = 0;  // Seconds since 1970.
  uint32_t oldest_commit_timestamp_transaction = 0;
  uint32_t newest_commit_timestamp_transaction = 0;
  uint32_t oldest_active_transaction = 0;

  auto operator<=>(const CheckpointRecord&) const = default;

  // Corrupted unless `bytes` is kCheckpointSize long.
  static Result<CheckpointRecord> parse(ByteView bytes);
  std::array<uint8_t, kCheckpointSize> encode() const;
};

// The settings a server must not fall below when it replays this cluster's WAL or takes over its
// prepared transactions.
struct ServerSettings {
  WalLevel wal_level = WalLevel::kMinimal;
  bool wal_log_hints = false;
  bool track_commit_timestamp = false;
  uint32_t max_connections = 0;
  uint32_t max_worker_processes = 0;
  uint32_t max_wal_senders = 0;
  uint32_t max_prepared_transactions = 0;
  uint32_t max_locks_per_transaction = 0;

  auto operator<=>(const ServerSettings&) const = default;
};

// An immutable, valid control file. Bytes between the fields are kept as they were.
class ControlFile {
 public:
  // Reads a whole file, or just its first kControlFileDataSize bytes as data() gives them.
  // InvalidArgument when it is of another PostgreSQL version or build, which the message names;
  // Corrupted when it is too short or its CRC does not match.
  static Result<ControlFile> parse(ByteView bytes);
  // Of no cluster: enough for a server without data that redoes records of others. Shut down, with
  // no checkpoint, no data checksums, and no wal_log_hints.
  static ControlFile for_redo();

  uint64_t system_identifier() const;
  DatabaseState state() const;
  // Where the last checkpoint record starts.
  Lsn checkpoint_lsn() const;
  CheckpointRecord checkpoint() const;
  // The same as the file holds it: kCheckpointSize bytes, valid as long as this object.
  ByteView checkpoint_bytes() const;
  uint32_t wal_segment_size() const;
  // 0 when pages carry no checksums.
  uint32_t data_checksum_version() const;
  bool has_data_checksums() const { return data_checksum_version() != 0; }
  // Whether changes of hint bits are logged: XLogHintBitIsNeeded() of src/include/access/xlog.h.
  bool logs_hint_bits() const { return has_data_checksums() || settings().wal_log_hints; }
  ServerSettings settings() const;

  // kControlFileDataSize bytes, the CRC included; valid as long as this object.
  ByteView data() const { return data_; }
  // The whole file.
  Bytes to_file() const;

  // The same cluster with other settings, as a parameter change in the WAL brings them.
  ControlFile with_settings(const ServerSettings& settings) const;

  // For a data directory that the server starts without recovery: state "shut down" at
  // `checkpoint`, whose record starts at `checkpoint_lsn`; nothing left of a recovery or a backup.
  ControlFile shut_down_at(const CheckpointRecord& checkpoint, Lsn checkpoint_lsn) const;

  bool operator==(const ControlFile&) const = default;

 private:
  ControlFile() = default;
  explicit ControlFile(ByteView bytes);
  void update_checksum();

  std::array<uint8_t, kControlFileDataSize> data_{};
};

}  // namespace varve
