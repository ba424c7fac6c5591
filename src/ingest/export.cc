#include "ingest/export.h"

#include <unistd.h>

#include <algorithm>
#include <set>
#include <thread>

#include "base/copy_bytes.h"
#include "ingest/auxiliary_file_restorer.h"
#include "ingest/block_file_writer.h"
#include "ingest/database_selection.h"
#include "ingest/relation_restorer.h"
#include "ingest/scanned_value.h"
#include "ingest/target_directory.h"
#include "postgres/key_space.h"
#include "postgres/relation_map.h"
#include "postgres/stored_values.h"
#include "postgres/two_phase_file.h"
#include "postgres/wal_segment.h"

namespace varve {
namespace {

constexpr std::string_view kControlFilePath = "global/pg_control";

// What initdb makes (subdirs in src/bin/initdb/initdb.c).
constexpr std::string_view kDirectories[] = {
    "base",
    "global",
    "pg_commit_ts",
    "pg_dynshmem",
    "pg_logical",
    "pg_logical/mappings",
    "pg_logical/snapshots",
    "pg_multixact",
    "pg_multixact/members",
    "pg_multixact/offsets",
    "pg_notify",
    "pg_replslot",
    "pg_serial",
    "pg_snapshots",
    "pg_stat",
    "pg_stat_tmp",
    "pg_subtrans",
    "pg_tblspc",
    "pg_twophase",
    "pg_wal",
    "pg_wal/archive_status",
    "pg_xact",
};

std::string version_file_content() {
  return std::string(kPostgresMajorVersion) + "\n";
}

std::optional<SystemUser> default_owner() {
  if (::geteuid() != 0) return {};
  const auto postgres = find_system_user("postgres");
  return postgres.ok() ? std::optional(*postgres) : std::nullopt;
}

// Each reads, merges and writes pages; what fetches, decodes and applies records runs beside them.
size_t thread_count(const ExportOptions& options) {
  constexpr size_t kMostByDefault = 8;
  if (options.threads > 0) return options.threads;
  return std::clamp<size_t>(std::thread::hardware_concurrency(), 1, kMostByDefault);
}

// What decides how everything else is written; read before anything is.
struct ClusterFacts {
  ControlFile control_file;
  CheckpointRecord checkpoint;
  DataDirectoryFacts directory;
  std::map<uint32_t, TablespaceFacts> tablespaces;
};

template <typename Fields>
Result<Bytes> get_required(VersionSource& source, const Fields& fields, Lsn lsn) {
  auto value = source.get(make_key(fields), lsn);
  if (value.failed_with(ErrorCode::kNotFound)) {
    return std::move(value).context(
        fmt::format("the {} is not stored at {}", describe(make_key(fields)), lsn));
  }
  return value;
}

Result<ClusterFacts> read_cluster_facts(VersionSource& source, Lsn lsn) {
  VARVE_ASSIGN(const Bytes control_bytes, get_required(source, ControlFileKey{}, lsn));
  VARVE_ASSIGN(const ControlFile control_file, ControlFile::parse(control_bytes));
  VARVE_ASSIGN(const Bytes checkpoint_bytes, get_required(source, CheckpointKey{}, lsn));
  VARVE_ASSIGN(const CheckpointRecord checkpoint, CheckpointRecord::parse(checkpoint_bytes));
  VARVE_ASSIGN(const Bytes directory_bytes, get_required(source, DataDirectoryKey{}, lsn));
  VARVE_ASSIGN(const DataDirectoryFacts directory, DataDirectoryFacts::decode(directory_bytes));
  ClusterFacts facts{.control_file = control_file,
                     .checkpoint = checkpoint,
                     .directory = directory,
                     .tablespaces = {}};
  const auto add_tablespace = [&](const Key& key, ByteView image) -> Result<> {
    VARVE_ASSIGN(const TablespaceKey fields, fields_of<TablespaceKey>(key));
    VARVE_ASSIGN(facts.tablespaces[fields.tablespace], TablespaceFacts::decode(image));
    return {};
  };
  VARVE_TRY(source.scan(range_of(KeyKind::kTablespace), lsn, add_tablespace));
  return facts;
}

// Which tablespaces go where; those that are not in it stay inside pg_tblspc.
Result<std::map<uint32_t, std::filesystem::path>> resolve_mappings(
    const std::vector<TablespaceMapping>& mappings,
    const std::map<uint32_t, TablespaceFacts>& tablespaces) {
  std::map<uint32_t, std::filesystem::path> locations;
  for (const TablespaceMapping& mapping : mappings) {
    const auto found = std::ranges::find_if(tablespaces, [&](const auto& tablespace) {
      return std::to_string(tablespace.first) == mapping.tablespace ||
             (!tablespace.second.location.empty() &&
              tablespace.second.location == mapping.tablespace);
    });
    if (found == tablespaces.end()) {
      std::string known;
      for (const auto& [oid, facts] : tablespaces) {
        known += fmt::format(" {}{}", oid,
                             facts.location.empty() ? "" : fmt::format(" ({})", facts.location));
      }
      return make_error(ErrorCode::kInvalidArgument,
                        "there is no tablespace '{}' to map; the cluster has:{}",
                        mapping.tablespace, known.empty() ? " none" : known);
    }
    if (!mapping.location.is_absolute()) {
      return make_error(ErrorCode::kInvalidArgument,
                        "tablespace '{}' is mapped to '{}', which is not an absolute path",
                        mapping.tablespace, mapping.location.string());
    }
    if (!locations.emplace(found->first, mapping.location).second) {
      return make_error(ErrorCode::kInvalidArgument, "tablespace '{}' is mapped twice",
                        mapping.tablespace);
    }
  }
  return locations;
}

class Exporter {
 public:
  Exporter(VersionSource& source, Lsn lsn, const ExportOptions& options,
           const ProgressCallback& progress, ClusterFacts facts,
           std::map<uint32_t, std::filesystem::path> locations, DatabaseSelection databases,
           TargetDirectory target)
      : source_(source),
        lsn_(lsn),
        options_(options),
        report_progress_(progress),
        facts_(std::move(facts)),
        locations_(std::move(locations)),
        databases_(std::move(databases)),
        target_(std::move(target)) {}

  Result<ExportSummary> run() && {
    summary_.lsn = lsn_;
    summary_.empty_databases = databases_.left_out();
    summary_.system_identifier = facts_.control_file.system_identifier();
    summary_.checkpoint_lsn = next_segment_checkpoint(lsn_, facts_.control_file.wal_segment_size(),
                                                      options_.timeline.has_value());
    VARVE_TRY(collect_forks());
    VARVE_TRY(make_directories());
    VARVE_TRY(write_relation_maps());
    VARVE_TRY(write_relations());
    VARVE_TRY(write_slrus());
    VARVE_TRY(write_two_phase_files());
    VARVE_TRY(write_auxiliary_files());
    VARVE_TRY(write_wal());
    VARVE_TRY(target_.sync(options_.stop));

    // Without pg_control no server starts, so its presence says that all the rest is on disk.
    VARVE_TRY(write_control_file());
    VARVE_TRY(target_.sync(options_.stop));
    target_.keep();
    summary_.files = target_.file_count();
    progress_.bytes_done = progress_.bytes_total;
    report();
    return summary_;
  }

 private:
  void report() const {
    if (report_progress_) report_progress_(progress_);
  }

  Result<> advance(uint64_t bytes) {
    progress_.bytes_done += bytes;
    report();
    return check_stop();
  }

  Result<> check_stop() const {
    if (!options_.stop.stop_requested()) return {};
    return make_error(ErrorCode::kCancelled, "the restore was stopped");
  }

  bool is_restored(const DatabaseTag& directory) const {
    return databases_.includes(directory.database);
  }

  Result<> collect_forks() {
    return source_.scan(
        range_of(KeyKind::kRelationSize), lsn_, [&](const Key& key, ByteView image) -> Result<> {
          VARVE_ASSIGN(const RelationSizeKey fields, fields_of<RelationSizeKey>(key));
          if (!is_restored(fields.fork.relation.directory)) {
            // It may have no key of its own.
            empty_directories_.insert(fields.fork.relation.directory);
            return {};
          }
          auto blocks = decode_block_count(image);
          if (!blocks.ok()) return blocks.error().context(describe(key));
          forks_.push_back({.tag = fields.fork, .blocks = *blocks});
          // An init fork is written twice: see RelationRestorer.
          const uint64_t copies = fields.fork.fork == RelationFork::kInit ? 2 : 1;
          progress_.bytes_total += copies * *blocks * kBlockSize;
          return {};
        });
  }

  Result<> make_directories() {
    for (const std::string_view path : kDirectories) {
      VARVE_TRY(target_.make_directory(std::string(path)));
    }
    for (const auto& [tablespace, facts] : facts_.tablespaces) {
      const std::string path = fmt::format("pg_tblspc/{}", tablespace);
      if (const auto location = locations_.find(tablespace); location != locations_.end()) {
        VARVE_TRY(target_.link_directory(path, location->second));
      }
      VARVE_TRY(target_.make_directory(fmt::format("{}/{}", path, kTablespaceVersionDirectory)));
    }
    VARVE_TRY(target_.write_file("PG_VERSION", as_bytes(version_file_content())));
    for (const DatabaseTag& directory : empty_directories_) {
      VARVE_TRY(target_.make_directory(directory.path()));
    }
    return source_.scan(
        range_of(KeyKind::kDatabaseDirectory), lsn_,
        [&](const Key& key, ByteView image) -> Result<> {
          VARVE_ASSIGN(const DatabaseDirectoryKey fields, fields_of<DatabaseDirectoryKey>(key));
          VARVE_ASSIGN(const DatabaseDirectoryFacts facts, DatabaseDirectoryFacts::decode(image));
          const std::string path = fields.directory.path();
          VARVE_TRY(target_.make_directory(path));
          if (!facts.has_version_file || !is_restored(fields.directory)) return {};
          ++summary_.databases;
          return target_.write_file(path + "/PG_VERSION", as_bytes(version_file_content()));
        });
  }

  Result<> write_relation_maps() {
    return source_.scan(
        range_of(KeyKind::kRelationMap), lsn_, [&](const Key& key, ByteView image) -> Result<> {
          VARVE_ASSIGN(const RelationMapKey fields, fields_of<RelationMapKey>(key));
          if (!is_restored(fields.directory)) return {};
          VARVE_TRY(check_relation_map(image).context(describe(key)));
          return target_.write_file(
              fmt::format("{}/{}", fields.directory.path(), kRelationMapFileName), image);
        });
  }

  Result<> write_relations() {
    RelationRestorer restorer(source_, target_,
                              {.lsn = lsn_,
                               .checksums = facts_.control_file.has_data_checksums(),
                               .change =
                                   [this](const RelationBlockKey& block, std::span<uint8_t> page) {
                                     return databases_.mark_left_out(block, page);
                                   },
                               .advance =
                                   [this](uint64_t bytes) {
                                     summary_.bytes += bytes;
                                     return advance(bytes);
                                   },
                               .stop = options_.stop,
                               .threads = thread_count(options_)});
    for (auto fork = forks_.begin(); fork != forks_.end(); ++fork) {
      if (fork == forks_.begin() || fork->tag.relation != (fork - 1)->tag.relation) {
        ++summary_.relations;
      }
    }
    return restorer.restore(forks_);
  }

  Result<> write_slrus() {
    std::vector<std::pair<SlruSegmentSizeKey, uint32_t>> segments;
    const auto add = [&](const Key& key, ByteView image) -> Result<> {
      VARVE_ASSIGN(const SlruSegmentSizeKey fields, fields_of<SlruSegmentSizeKey>(key));
      auto pages = decode_block_count(image);
      if (!pages.ok()) return pages.error().context(describe(key));
      segments.emplace_back(fields, *pages);
      return {};
    };
    VARVE_TRY(source_.scan(range_of(KeyKind::kSlruSegmentSize), lsn_, add));
    for (const auto& [fields, pages] : segments) VARVE_TRY(write_slru_segment(fields, pages));
    return {};
  }

  Result<> write_slru_segment(const SlruSegmentSizeKey& segment, uint32_t pages) {
    if (pages > kSlruPagesPerSegment) {
      return make_error(ErrorCode::kCorrupted, "{} is {} pages", describe(make_key(segment)),
                        pages);
    }
    const uint32_t first = segment.segment * kSlruPagesPerSegment;
    BlockFileWriter writer(
        target_, buffer_,
        BlockFileWriter::Layout{
            .blocks = pages, .blocks_per_file = kSlruPagesPerSegment, .path = [&segment](uint32_t) {
              return fmt::format("{}/{}", directory(segment.slru),
                                 slru_segment_name(segment.segment));
            }});
    const auto add = [&](const Key& key, ByteView image) -> Result<> {
      VARVE_ASSIGN(const SlruBlockKey fields, fields_of<SlruBlockKey>(key));
      if (fields.page - first >= pages) return {};
      VARVE_TRY(check_block_size(key, image));
      VARVE_ASSIGN(const auto place, writer.place(fields.page - first));
      copy_bytes(image, place);
      summary_.bytes += image.size();
      return check_stop();
    };
    VARVE_TRY(source_.scan(slru_blocks_of(segment.slru, segment.segment), lsn_, add));
    return writer.finish();
  }

  Result<> write_two_phase_files() {
    return source_.scan(
        range_of(KeyKind::kTwoPhaseFile), lsn_, [&](const Key& key, ByteView image) -> Result<> {
          VARVE_ASSIGN(const TwoPhaseFileKey fields, fields_of<TwoPhaseFileKey>(key));
          VARVE_TRY(check_two_phase_file(image, fields.transaction));
          if (!databases_.includes(two_phase_file_database(image))) return {};
          return target_.write_file(
              fmt::format("{}/{}", kTwoPhaseDirectory, two_phase_file_name(fields.transaction)),
              image);
        });
  }

  Result<> write_auxiliary_files() {
    AuxiliaryFileRestorer restorer(
        target_, databases_,
        options_.keep_config ? Configuration::kAsStored : Configuration::kHarmless);
    const auto add = [&](const Key& key, ByteView image) -> Result<> {
      VARVE_ASSIGN(const AuxiliaryFileKey fields, fields_of<AuxiliaryFileKey>(key));
      VARVE_TRY(restorer.add(fields, image));
      summary_.bytes += image.size();
      return check_stop();
    };
    VARVE_TRY(source_.scan(range_of(KeyKind::kAuxiliaryFile), lsn_, add));
    return restorer.finish(facts_.control_file.settings());
  }

  CheckpointRecord restored_checkpoint() const {
    CheckpointRecord checkpoint = facts_.checkpoint;
    checkpoint.redo = summary_.checkpoint_lsn;
    checkpoint.previous_timeline = checkpoint.timeline;
    // Nothing runs at a shutdown checkpoint; prepared transactions have their files.
    checkpoint.oldest_active_transaction = 0;
    return checkpoint;
  }

  Result<> write_wal() {
    const uint32_t size = facts_.control_file.wal_segment_size();
    const CheckpointRecord checkpoint = restored_checkpoint();
    std::optional<RestoreMark> mark;
    if (options_.timeline) mark = {.timeline = *options_.timeline, .lsn = lsn_};
    const Bytes page =
        shutdown_checkpoint_page({.system_identifier = facts_.control_file.system_identifier(),
                                  .wal_segment_size = size,
                                  .mark = mark,
                                  .lsn = summary_.checkpoint_lsn,
                                  .checkpoint = checkpoint});
    const std::string segment =
        wal_segment_name(checkpoint.timeline, summary_.checkpoint_lsn, size);
    VARVE_ASSIGN(File file, target_.create_file("pg_wal/" + segment));
    SequentialWriter writer(std::move(file), buffer_);
    VARVE_ASSIGN(const auto place, writer.extend(page.size()));
    copy_bytes(page, place);
    VARVE_TRY(writer.append_zeros(size - page.size()));
    return writer.finish();
  }

  Result<> write_control_file() {
    const ControlFile restored =
        facts_.control_file.shut_down_at(restored_checkpoint(), summary_.checkpoint_lsn);
    return target_.write_file(std::string(kControlFilePath), restored.to_file());
  }

  VersionSource& source_;
  const Lsn lsn_;
  const ExportOptions& options_;
  const ProgressCallback& report_progress_;
  const ClusterFacts facts_;
  const std::map<uint32_t, std::filesystem::path> locations_;
  const DatabaseSelection databases_;
  TargetDirectory target_;
  std::vector<StoredFork> forks_;
  // Those with relations that are not restored.
  std::set<DatabaseTag> empty_directories_;
  WriteBuffer buffer_;
  ExportSummary summary_;
  Progress progress_;
};

}  // namespace

Result<ExportSummary> export_data_directory(VersionSource& source, Lsn lsn,
                                            const std::filesystem::path& to,
                                            const ExportOptions& options,
                                            const ProgressCallback& progress) {
  VARVE_ASSIGN(ClusterFacts facts, read_cluster_facts(source, lsn));
  VARVE_ASSIGN(auto locations, resolve_mappings(options.tablespaces, facts.tablespaces));
  DatabaseSelection databases;
  if (!options.databases.empty()) {
    VARVE_ASSIGN(databases,
                 DatabaseSelection::choose(source, lsn, facts.checkpoint, options.databases));
  }
  VARVE_ASSIGN(
      TargetDirectory target,
      TargetDirectory::create(to, {.owner = options.owner ? options.owner : default_owner(),
                                   .directory_mode = facts.directory.mode}));
  return Exporter(source, lsn, options, progress, std::move(facts), std::move(locations),
                  std::move(databases), std::move(target))
      .run();
}

}  // namespace varve
