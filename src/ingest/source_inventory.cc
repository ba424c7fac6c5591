#include "ingest/source_inventory.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "fs/directory.h"
#include "postgres/key_space.h"
#include "postgres/relation_file_name.h"
#include "postgres/relation_map.h"
#include "postgres/stored_values.h"
#include "postgres/two_phase_file.h"

namespace varve {
namespace {

namespace filesystem = std::filesystem;

// Which top-level names a base backup leaves out, or keeps as empty directories: excludeFiles and
// excludeDirContents of src/backend/backup/basebackup.c. Added to them: the WAL and the server's
// logs, and the files that tell a server to start in a recovery mode.
constexpr std::string_view kLeftOut[] = {
    "pg_wal",
    "log",
    "pg_dynshmem",
    "pg_notify",
    "pg_replslot",
    "pg_serial",
    "pg_snapshots",
    "pg_stat_tmp",
    "pg_subtrans",
    "postmaster.pid",
    "postmaster.opts",
    "current_logfiles",
    "backup_label",
    "backup_label.old",
    "backup_manifest",
    "tablespace_map",
    "tablespace_map.old",
    "postgresql.auto.conf.tmp",
    "standby.signal",
    "recovery.signal",
    "PG_VERSION",
    "lost+found",
};

bool is_left_out(std::string_view name) {
  return std::ranges::find(kLeftOut, name) != std::end(kLeftOut);
}

// PG_TEMP_FILES_DIR and PG_TEMP_FILE_PREFIX; RELCACHE_INIT_FILENAME, also while it is being
// written.
bool is_temporary(std::string_view name) {
  return name.starts_with("pgsql_tmp") || name.starts_with("pg_internal.init");
}

struct SegmentFile {
  RelationForkTag fork;
  uint32_t segment = 0;
  uint64_t size = 0;
};

class InventoryTaker {
 public:
  explicit InventoryTaker(const DataDirectory& source) : source_(source), root_(source.path()) {}

  Result<SourceInventory> take() && {
    VARVE_ASSIGN(const auto entries, list_directory(root_));
    for (const DirectoryEntry& entry : entries) VARVE_TRY(add_top_level(entry.name));
    VARVE_TRY(assemble_forks());
    sort();
    VARVE_TRY(check_path_hashes());
    return std::move(inventory_);
  }

 private:
  Result<> add_top_level(const std::string& name) {
    if (is_left_out(name) || is_temporary(name)) return {};
    if (name == "global") return add_database({kGlobalTablespace, 0});
    if (name == "base") return add_databases_of(kDefaultTablespace, name);
    if (name == "pg_tblspc") return add_tablespaces();
    if (name == "pg_multixact") {
      VARVE_TRY(add_slru(Slru::kMultixactOffsets));
      return add_slru(Slru::kMultixactMembers);
    }
    if (name == directory(Slru::kTransactionStatus)) return add_slru(Slru::kTransactionStatus);
    if (name == directory(Slru::kCommitTimestamps)) return add_slru(Slru::kCommitTimestamps);
    if (name == kTwoPhaseDirectory) return add_two_phase_files();
    return add_auxiliary(name, Links::kFollowToDirectory);
  }

  Result<struct stat> status_of(const std::string& path) const {
    struct stat status{};
    if (stat((root_ / path).c_str(), &status) != 0) {
      return system_error(errno, fmt::format("cannot examine {}", (root_ / path).string()));
    }
    return status;
  }

  // The size of a file of blocks, without the last one where the file may end within it.
  Result<uint64_t> whole_blocks_of(const std::string& path) const {
    VARVE_ASSIGN(const struct stat status, status_of(path));
    const auto size = static_cast<uint64_t>(status.st_size);
    return source_.is_backup() ? size - size % kBlockSize : size;
  }

  Result<> add_databases_of(uint32_t tablespace, const std::string& path) {
    VARVE_ASSIGN(const auto entries, list_directory(root_ / path));
    for (const DirectoryEntry& entry : entries) {
      if (is_temporary(entry.name)) continue;
      const std::optional<uint32_t> database = parse_oid(entry.name);
      if (database && *database != 0) {
        VARVE_TRY(add_database({tablespace, *database}));
      } else {
        VARVE_TRY(add_auxiliary(path + "/" + entry.name, Links::kSkipToDirectory));
      }
    }
    return {};
  }

  Result<> add_database(const DatabaseTag& tag) {
    const std::string path = tag.path();
    SourceDatabase database{.directory = tag};
    VARVE_ASSIGN(const auto entries, list_directory(root_ / path));
    for (const DirectoryEntry& entry : entries) {
      const std::string entry_path = path + "/" + entry.name;
      if (is_temporary(entry.name)) continue;
      if (entry.name == "pg_control" && tag.tablespace == kGlobalTablespace) continue;
      if (entry.name == "PG_VERSION") {
        database.has_version_file = true;
      } else if (entry.name == kRelationMapFileName) {
        database.has_relation_map = true;
      } else if (const auto file = RelationFileName::parse(entry.name)) {
        if (file->backend) continue;
        VARVE_ASSIGN(const uint64_t size, whole_blocks_of(entry_path));
        segments_.push_back({.fork = {.relation = {tag, file->relation}, .fork = file->fork},
                             .segment = file->segment,
                             .size = size});
      } else {
        VARVE_TRY(add_auxiliary(entry_path, Links::kSkipToDirectory));
      }
    }
    inventory_.databases.push_back(database);
    return {};
  }

  Result<> add_tablespaces() {
    VARVE_ASSIGN(const auto entries, list_directory(root_ / "pg_tblspc"));
    for (const DirectoryEntry& entry : entries) {
      const std::string path = "pg_tblspc/" + entry.name;
      const std::optional<uint32_t> oid = parse_oid(entry.name);
      if (!oid || *oid == 0) {
        VARVE_TRY(add_auxiliary(path, Links::kSkipToDirectory));
        continue;
      }
      SourceTablespace tablespace{.tablespace = *oid,
                                  .location = source_.tablespace_location(*oid)};
      if (entry.type == filesystem::file_type::symlink) {
        std::error_code error;
        tablespace.location = filesystem::read_symlink(root_ / path, error).string();
        if (error) {
          return system_error(error.value(),
                              fmt::format("cannot read the link {}", (root_ / path).string()));
        }
      }
      inventory_.tablespaces.push_back(std::move(tablespace));
      // What else lies there belongs to another major version, or not to PostgreSQL.
      const std::string version_path = fmt::format("{}/{}", path, kTablespaceVersionDirectory);
      VARVE_TRY(add_databases_of(*oid, version_path));
    }
    return {};
  }

  Result<> add_slru(Slru slru) {
    const std::string path(directory(slru));
    VARVE_ASSIGN(const auto entries, list_directory(root_ / path));
    for (const DirectoryEntry& entry : entries) {
      const std::string entry_path = path + "/" + entry.name;
      const std::optional<uint32_t> segment = parse_slru_segment_name(entry.name);
      if (!segment) {
        VARVE_TRY(add_auxiliary(entry_path, Links::kSkipToDirectory));
        continue;
      }
      VARVE_ASSIGN(const uint64_t size, whole_blocks_of(entry_path));
      if (size % kBlockSize != 0 || size > uint64_t{kSlruPagesPerSegment} * kBlockSize) {
        return make_error(ErrorCode::kCorrupted,
                          "{} has {} bytes: expected whole pages of {}, {} at most",
                          (root_ / entry_path).string(), size, kBlockSize, kSlruPagesPerSegment);
      }
      inventory_.slru_segments.push_back(
          {.slru = slru, .segment = *segment, .pages = static_cast<uint32_t>(size / kBlockSize)});
    }
    return {};
  }

  Result<> add_two_phase_files() {
    VARVE_ASSIGN(const auto entries, list_directory(root_ / kTwoPhaseDirectory));
    for (const DirectoryEntry& entry : entries) {
      if (const auto transaction = parse_two_phase_file_name(entry.name)) {
        inventory_.prepared_transactions.push_back(*transaction);
      } else {
        VARVE_TRY(add_auxiliary(fmt::format("{}/{}", kTwoPhaseDirectory, entry.name),
                                Links::kSkipToDirectory));
      }
    }
    return {};
  }

  // Only the administrator's own top-level links lead to directories that belong to the cluster;
  // further down, a link might lead round in a circle.
  enum class Links : uint8_t { kFollowToDirectory, kSkipToDirectory };

  Result<> add_auxiliary(const std::string& path, Links links) {
    struct stat link_status{};
    if (lstat((root_ / path).c_str(), &link_status) != 0) {
      return system_error(errno, fmt::format("cannot examine {}", (root_ / path).string()));
    }
    const bool is_link = S_ISLNK(link_status.st_mode);
    struct stat status = link_status;
    if (is_link && stat((root_ / path).c_str(), &status) != 0) {
      inventory_.skipped.push_back(path);
      return {};
    }
    if (S_ISREG(status.st_mode)) {
      add_auxiliary_entry(path, status.st_mode, static_cast<uint64_t>(status.st_size));
      return {};
    }
    if (!S_ISDIR(status.st_mode) || (is_link && links == Links::kSkipToDirectory)) {
      inventory_.skipped.push_back(path);
      return {};
    }
    VARVE_ASSIGN(const auto entries, list_directory(root_ / path));
    if (entries.empty()) add_auxiliary_entry(path, status.st_mode, 0);
    for (const DirectoryEntry& entry : entries) {
      if (is_temporary(entry.name)) continue;
      VARVE_TRY(add_auxiliary(path + "/" + entry.name, Links::kSkipToDirectory));
    }
    return {};
  }

  void add_auxiliary_entry(const std::string& path, mode_t mode, uint64_t size) {
    inventory_.auxiliary_files.push_back(
        {.path_hash = auxiliary_path_hash(path), .path = path, .mode = mode, .size = size});
  }

  // Turns the segment files into forks, without the content of unlogged relations: they are those
  // with an init fork, and a restored server starts them from that.
  Result<> assemble_forks() {
    std::ranges::sort(segments_, {},
                      [](const SegmentFile& file) { return std::pair(file.fork, file.segment); });
    for (auto first = segments_.begin(); first != segments_.end();) {
      const RelationTag relation = first->fork.relation;
      const auto end = std::find_if(first, segments_.end(), [&](const SegmentFile& file) {
        return file.fork.relation != relation;
      });
      const bool is_unlogged = (end - 1)->fork.fork == RelationFork::kInit;
      while (first != end) {
        const auto fork_end = std::find_if(
            first, end, [&](const SegmentFile& file) { return file.fork != first->fork; });
        if (!is_unlogged || first->fork.fork == RelationFork::kInit) {
          VARVE_TRY(add_fork({first, fork_end}));
        }
        first = fork_end;
      }
    }
    segments_ = {};
    return {};
  }

  // All segments before the last one that is not empty must be full: the server itself would take
  // the relation to end at the first that is not. In a base backup it does end there, since the
  // WAL cuts it off.
  Result<> add_fork(std::span<const SegmentFile> segments) {
    constexpr uint64_t kFullSize = uint64_t{kBlocksPerSegment} * kBlockSize;
    uint64_t blocks = 0;
    bool ended = false;
    uint32_t expected = 0;
    for (const SegmentFile& file : segments) {
      const std::string path = (root_ / file.fork.path(file.segment)).string();
      if (file.size % kBlockSize != 0 || file.size > kFullSize) {
        return make_error(ErrorCode::kCorrupted,
                          "{} has {} bytes: expected whole blocks of {}, {} at most", path,
                          file.size, kBlockSize, kBlocksPerSegment);
      }
      if (file.segment != expected) ended = true;
      if (ended && source_.is_backup()) break;
      if (ended && file.size != 0) {
        return make_error(ErrorCode::kCorrupted,
                          "{} has {} bytes, but the segment before it is missing or not full", path,
                          file.size);
      }
      ended = ended || file.size < kFullSize;
      blocks += file.size / kBlockSize;
      expected = file.segment + 1;
    }
    if (blocks >= UINT32_MAX) {
      return make_error(ErrorCode::kCorrupted, "{} has {} blocks: more than PostgreSQL can number",
                        segments.front().fork.to_string(), blocks);
    }
    inventory_.forks.push_back(
        {.fork = segments.front().fork, .blocks = static_cast<uint32_t>(blocks)});
    return {};
  }

  void sort() {
    std::ranges::sort(inventory_.tablespaces, {}, &SourceTablespace::tablespace);
    std::ranges::sort(inventory_.databases, {}, &SourceDatabase::directory);
    std::ranges::sort(inventory_.slru_segments, {}, [](const SourceSlruSegment& segment) {
      return std::pair(segment.slru, segment.segment);
    });
    std::ranges::sort(inventory_.prepared_transactions);
    std::ranges::sort(inventory_.auxiliary_files, {}, &SourceAuxiliaryFile::path_hash);
  }

  Result<> check_path_hashes() const {
    const auto& files = inventory_.auxiliary_files;
    const auto twin = std::ranges::adjacent_find(files, {}, &SourceAuxiliaryFile::path_hash);
    if (twin == files.end()) return {};
    return make_error(ErrorCode::kInvalidArgument,
                      "the paths {} and {} have the same hash and cannot be told apart in storage: "
                      "rename one",
                      twin->path, std::next(twin)->path);
  }

  const DataDirectory& source_;
  const filesystem::path& root_;
  SourceInventory inventory_;
  std::vector<SegmentFile> segments_;
};

}  // namespace

uint64_t SourceInventory::total_bytes() const {
  uint64_t bytes = kControlFileDataSize;
  for (const SourceDatabase& database : databases) {
    if (database.has_relation_map) bytes += kRelationMapSize;
  }
  for (const SourceFork& fork : forks) bytes += uint64_t{fork.blocks} * kBlockSize;
  for (const SourceSlruSegment& segment : slru_segments)
    bytes += uint64_t{segment.pages} * kBlockSize;
  for (const SourceAuxiliaryFile& file : auxiliary_files) bytes += file.size;
  return bytes;
}

Result<SourceInventory> take_inventory(const DataDirectory& source) {
  return InventoryTaker(source).take();
}

}  // namespace varve
