#include "postgres/control_file.h"

#include <bit>

#include "base/checksum.h"
#include "postgres/layout.h"
#include "postgres/wal_segment.h"

namespace varve {
namespace {

constexpr uint32_t kControlVersion = 1300;  // PG_CONTROL_VERSION, the same from 13 to 16.

// Offsets in CheckPoint.
enum CheckpointOffset : size_t {
  kRedo = 0,                    // uint64
  kTimeline = 8,                // uint32
  kPreviousTimeline = 12,       // uint32
  kFullPageWrites = 16,         // bool
  kNextTransaction = 24,        // uint64
  kNextOid = 32,                // uint32
  kNextMultixact = 36,          // uint32
  kNextMultixactOffset = 40,    // uint32
  kOldestTransaction = 44,      // uint32
  kOldestTransactionDb = 48,    // uint32
  kOldestMultixact = 52,        // uint32
  kOldestMultixactDb = 56,      // uint32
  kCheckpointTime = 64,         // int64
  kOldestCommitTimestamp = 72,  // uint32
  kNewestCommitTimestamp = 76,  // uint32
  kOldestActive = 80,           // uint32
};

// Offsets in ControlFileData.
enum ControlOffset : size_t {
  kSystemIdentifier = 0,           // uint64
  kPgControlVersion = 8,           // uint32
  kCatalogVersionNumber = 12,      // uint32
  kState = 16,                     // uint32
  kTime = 24,                      // int64
  kCheckpointLsn = 32,             // uint64
  kCheckpointCopy = 40,            // CheckPoint
  kUnloggedLsn = 128,              // uint64
  kMinimumRecoveryPoint = 136,     // uint64
  kMinimumRecoveryTimeline = 144,  // uint32
  kBackupStartPoint = 152,         // uint64
  kBackupEndPoint = 160,           // uint64
  kBackupEndRequired = 168,        // bool
  kWalLevel = 172,                 // uint32
  kWalLogHints = 176,              // bool
  kMaxConnections = 180,           // uint32
  kMaxWorkerProcesses = 184,       // uint32
  kMaxWalSenders = 188,            // uint32
  kMaxPreparedTransactions = 192,  // uint32
  kMaxLocksPerTransaction = 196,   // uint32
  kTrackCommitTimestamp = 200,     // bool
  kMaximumAlignment = 204,         // uint32
  kFloatFormat = 208,              // double
  kBlockSizeField = 216,           // uint32
  kRelationSegmentSize = 220,      // uint32
  kWalBlockSizeField = 224,        // uint32
  kWalSegmentSize = 228,           // uint32
  kNameDataLength = 232,           // uint32
  kIndexMaxKeys = 236,             // uint32
  kToastMaxChunkSize = 240,        // uint32
  kLargeObjectBlockSize = 244,     // uint32
  kFloat8ByValue = 248,            // bool
  kDataChecksumVersion = 252,      // uint32
  kMockNonce = 256,                // 32 bytes
  kCrc = 288,                      // uint32, over all before it
};

uint32_t word_at(ByteView data, size_t offset) {
  return load_little<uint32_t>(&data[offset]);
}
uint64_t wide_at(ByteView data, size_t offset) {
  return load_little<uint64_t>(&data[offset]);
}

Result<> check_version(ByteView data) {
  const uint32_t control_version = word_at(data, kPgControlVersion);
  if (control_version != kControlVersion) {
    return make_error(ErrorCode::kInvalidArgument,
                      "pg_control has format version {}: it is not of PostgreSQL 15, the only "
                      "version that is supported (format version {})",
                      control_version, kControlVersion);
  }
  return {};
}

// The releases that share the format version with 15 (src/include/catalog/catversion.h of each).
std::string_view release_of(uint32_t catalog_version) {
  switch (catalog_version) {
    case 202007201:
      return "PostgreSQL 13";
    case 202107181:
      return "PostgreSQL 14";
    case 202307071:
      return "PostgreSQL 16";
    default:
      return "another server or a development version";
  }
}

Result<> check_catalog_version(ByteView data) {
  const uint32_t found = word_at(data, kCatalogVersionNumber);
  if (found == kCatalogVersion) return {};
  return make_error(ErrorCode::kInvalidArgument,
                    "pg_control has catalog version {}, of {}: only PostgreSQL 15 (catalog "
                    "version {}) is supported",
                    found, release_of(found), kCatalogVersion);
}

// What a build with default options writes: the values are those of src/include/pg_config.h,
// pg_config_manual.h, access/heaptoast.h and storage/large_object.h.
struct BuildValue {
  std::string_view what;
  size_t offset;
  uint32_t value;
};
constexpr std::array<BuildValue, 8> kBuild = {{
    {"maximum data alignment", kMaximumAlignment, 8},
    {"database block size", kBlockSizeField, kBlockSize},
    {"blocks per segment of a large relation", kRelationSegmentSize, kBlocksPerSegment},
    {"WAL block size", kWalBlockSizeField, kWalBlockSize},
    {"maximum length of identifiers", kNameDataLength, 64},
    {"maximum columns in an index", kIndexMaxKeys, 32},
    {"maximum size of a TOAST chunk", kToastMaxChunkSize, 1996},
    {"size of a large-object chunk", kLargeObjectBlockSize, 2048},
}};
// FLOATFORMAT_VALUE of src/include/catalog/pg_control.h.
constexpr double kFloatFormatValue = 1234567.0;

Result<> check_build(ByteView data) {
  for (const auto& [what, offset, value] : kBuild) {
    if (word_at(data, offset) == value) continue;
    return make_error(ErrorCode::kInvalidArgument,
                      "the cluster was made by an unusual build of PostgreSQL: {} is {}, only {} "
                      "is supported",
                      what, word_at(data, offset), value);
  }
  if (std::bit_cast<double>(wide_at(data, kFloatFormat)) != kFloatFormatValue ||
      data[kFloat8ByValue] != 1) {
    return make_error(ErrorCode::kInvalidArgument,
                      "the cluster was made by an unusual build of PostgreSQL: its floating-point "
                      "format is not supported");
  }
  if (!is_valid_wal_segment_size(word_at(data, kWalSegmentSize))) {
    return make_error(ErrorCode::kCorrupted, "pg_control has the impossible WAL segment size {}",
                      word_at(data, kWalSegmentSize));
  }
  if (word_at(data, kDataChecksumVersion) > 1) {
    return make_error(ErrorCode::kInvalidArgument,
                      "the cluster has data checksums of version {}: only version 1 is supported",
                      word_at(data, kDataChecksumVersion));
  }
  return {};
}

}  // namespace

std::string_view name(DatabaseState state) {
  switch (state) {
    case DatabaseState::kStartup:
      return "starting up";
    case DatabaseState::kShutDown:
      return "shut down";
    case DatabaseState::kShutDownInRecovery:
      return "shut down in recovery";
    case DatabaseState::kShuttingDown:
      return "shutting down";
    case DatabaseState::kInCrashRecovery:
      return "in crash recovery";
    case DatabaseState::kInArchiveRecovery:
      return "in archive recovery";
    case DatabaseState::kInProduction:
      return "in production";
  }
  return "unknown";
}

std::string_view name(WalLevel level) {
  switch (level) {
    case WalLevel::kMinimal:
      return "minimal";
    case WalLevel::kReplica:
      return "replica";
    case WalLevel::kLogical:
      return "logical";
  }
  return "unknown";
}

Result<CheckpointRecord> CheckpointRecord::parse(ByteView bytes) {
  if (bytes.size() != kCheckpointSize) {
    return make_error(ErrorCode::kCorrupted, "a checkpoint has {} bytes, not {}", kCheckpointSize,
                      bytes.size());
  }
  return CheckpointRecord{
      .redo = {wide_at(bytes, kRedo)},
      .timeline = word_at(bytes, kTimeline),
      .previous_timeline = word_at(bytes, kPreviousTimeline),
      .full_page_writes = bytes[kFullPageWrites] != 0,
      .next_transaction = wide_at(bytes, kNextTransaction),
      .next_oid = word_at(bytes, kNextOid),
      .next_multixact = word_at(bytes, kNextMultixact),
      .next_multixact_offset = word_at(bytes, kNextMultixactOffset),
      .oldest_transaction = word_at(bytes, kOldestTransaction),
      .oldest_transaction_database = word_at(bytes, kOldestTransactionDb),
      .oldest_multixact = word_at(bytes, kOldestMultixact),
      .oldest_multixact_database = word_at(bytes, kOldestMultixactDb),
      .time = static_cast<int64_t>(wide_at(bytes, kCheckpointTime)),
      .oldest_commit_timestamp_transaction = word_at(bytes, kOldestCommitTimestamp),
      .newest_commit_timestamp_transaction = word_at(bytes, kNewestCommitTimestamp),
      .oldest_active_transaction = word_at(bytes, kOldestActive),
  };
}

std::array<uint8_t, kCheckpointSize> CheckpointRecord::encode() const {
  std::array<uint8_t, kCheckpointSize> bytes{};
  const auto put = [&bytes](size_t offset, auto value) { store_little(&bytes[offset], value); };
  put(kRedo, redo.value);
  put(kTimeline, timeline);
  put(kPreviousTimeline, previous_timeline);
  bytes[kFullPageWrites] = full_page_writes ? 1 : 0;
  put(kNextTransaction, next_transaction);
  put(kNextOid, next_oid);
  put(kNextMultixact, next_multixact);
  put(kNextMultixactOffset, next_multixact_offset);
  put(kOldestTransaction, oldest_transaction);
  put(kOldestTransactionDb, oldest_transaction_database);
  put(kOldestMultixact, oldest_multixact);
  put(kOldestMultixactDb, oldest_multixact_database);
  put(kCheckpointTime, static_cast<uint64_t>(time));
  put(kOldestCommitTimestamp, oldest_commit_timestamp_transaction);
  put(kNewestCommitTimestamp, newest_commit_timestamp_transaction);
  put(kOldestActive, oldest_active_transaction);
  return bytes;
}

Result<ControlFile> ControlFile::parse(ByteView bytes) {
  if (bytes.size() < kControlFileDataSize) {
    return make_error(ErrorCode::kCorrupted, "pg_control has {} bytes, at least {} were expected",
                      bytes.size(), kControlFileDataSize);
  }
  const ByteView data = bytes.first(kControlFileDataSize);
  // Another format has its CRC elsewhere, so the version comes first.
  VARVE_TRY(check_version(data));
  const uint32_t computed = crc32c(data.first(kCrc));
  if (computed != word_at(data, kCrc)) {
    return make_error(ErrorCode::kCorrupted,
                      "pg_control is damaged: its CRC is {:08x}, computed {:08x}",
                      word_at(data, kCrc), computed);
  }
  VARVE_TRY(check_catalog_version(data));
  VARVE_TRY(check_build(data));
  if (word_at(data, kState) > static_cast<uint32_t>(DatabaseState::kInProduction)) {
    return make_error(ErrorCode::kCorrupted, "pg_control has the unknown cluster state {}",
                      word_at(data, kState));
  }
  return ControlFile(data);
}

ControlFile::ControlFile(ByteView bytes) {
  std::ranges::copy(bytes, data_.begin());
}

ControlFile ControlFile::for_redo() {
  // Any will do.
  constexpr uint64_t kIdentifier = 0x4F44'4552'5641'5256;
  constexpr uint32_t kSegmentSize = 16 << 20;
  ControlFile file;
  const auto put = [&file](size_t offset, auto value) { store_little(&file.data_[offset], value); };
  put(kSystemIdentifier, kIdentifier);
  put(kPgControlVersion, kControlVersion);
  put(kCatalogVersionNumber, kCatalogVersion);
  put(kState, static_cast<uint32_t>(DatabaseState::kShutDown));
  for (const BuildValue& each : kBuild) put(each.offset, each.value);
  put(kFloatFormat, std::bit_cast<uint64_t>(kFloatFormatValue));
  file.data_[kFloat8ByValue] = 1;
  put(kWalSegmentSize, kSegmentSize);
  file.update_checksum();
  return file;
}

uint64_t ControlFile::system_identifier() const {
  return wide_at(data_, kSystemIdentifier);
}

DatabaseState ControlFile::state() const {
  return static_cast<DatabaseState>(word_at(data_, kState));
}

Lsn ControlFile::checkpoint_lsn() const {
  return {wide_at(data_, kCheckpointLsn)};
}

CheckpointRecord ControlFile::checkpoint() const {
  return *CheckpointRecord::parse(checkpoint_bytes());
}

ByteView ControlFile::checkpoint_bytes() const {
  return ByteView(data_).subspan(kCheckpointCopy, kCheckpointSize);
}

uint32_t ControlFile::wal_segment_size() const {
  return word_at(data_, kWalSegmentSize);
}

uint32_t ControlFile::data_checksum_version() const {
  return word_at(data_, kDataChecksumVersion);
}

ServerSettings ControlFile::settings() const {
  return {
      .wal_level = static_cast<WalLevel>(word_at(data_, kWalLevel)),
      .wal_log_hints = data_[kWalLogHints] != 0,
      .track_commit_timestamp = data_[kTrackCommitTimestamp] != 0,
      .max_connections = word_at(data_, kMaxConnections),
      .max_worker_processes = word_at(data_, kMaxWorkerProcesses),
      .max_wal_senders = word_at(data_, kMaxWalSenders),
      .max_prepared_transactions = word_at(data_, kMaxPreparedTransactions),
      .max_locks_per_transaction = word_at(data_, kMaxLocksPerTransaction),
  };
}

Bytes ControlFile::to_file() const {
  Bytes file(kControlFileSize);
  std::ranges::copy(data_, file.begin());
  return file;
}

ControlFile ControlFile::with_settings(const ServerSettings& settings) const {
  ControlFile changed = *this;
  const auto put = [&changed](size_t offset, uint32_t value) {
    store_little(&changed.data_[offset], value);
  };
  put(kWalLevel, static_cast<uint32_t>(settings.wal_level));
  changed.data_[kWalLogHints] = settings.wal_log_hints ? 1 : 0;
  changed.data_[kTrackCommitTimestamp] = settings.track_commit_timestamp ? 1 : 0;
  put(kMaxConnections, settings.max_connections);
  put(kMaxWorkerProcesses, settings.max_worker_processes);
  put(kMaxWalSenders, settings.max_wal_senders);
  put(kMaxPreparedTransactions, settings.max_prepared_transactions);
  put(kMaxLocksPerTransaction, settings.max_locks_per_transaction);
  changed.update_checksum();
  return changed;
}

ControlFile ControlFile::shut_down_at(const CheckpointRecord& checkpoint,
                                      Lsn checkpoint_lsn) const {
  ControlFile changed = *this;
  const auto put = [&changed](size_t offset, auto value) {
    store_little(&changed.data_[offset], value);
  };
  put(kState, static_cast<uint32_t>(DatabaseState::kShutDown));
  put(kTime, static_cast<uint64_t>(checkpoint.time));
  put(kCheckpointLsn, checkpoint_lsn.value);
  std::ranges::copy(checkpoint.encode(), changed.data_.begin() + kCheckpointCopy);
  put(kMinimumRecoveryPoint, uint64_t{0});
  put(kMinimumRecoveryTimeline, uint32_t{0});
  put(kBackupStartPoint, uint64_t{0});
  put(kBackupEndPoint, uint64_t{0});
  changed.data_[kBackupEndRequired] = 0;
  changed.update_checksum();
  return changed;
}

void ControlFile::update_checksum() {
  store_little(&data_[kCrc], crc32c(ByteView(data_).first(kCrc)));
}

}  // namespace varve
