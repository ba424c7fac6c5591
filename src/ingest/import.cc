#include "ingest/import.h"

#include <sys/stat.h>

#include <algorithm>

#include "fs/directory.h"
#include "ingest/source_file.h"
#include "ingest/source_inventory.h"
#include "ingest/time_index.h"
#include "postgres/key_space.h"
#include "postgres/page.h"
#include "postgres/relation_map.h"
#include "postgres/stored_values.h"
#include "postgres/two_phase_file.h"
#include "postgres/wal_segment.h"

namespace varve {
namespace {

constexpr size_t kReadSize = 1U << 20;
constexpr size_t kBlocksPerRead = kReadSize / kBlockSize;
constexpr uint64_t kSmallFile = 64 << 10;
// MaxAllocSize of src/include/utils/memutils.h: the server reads such a file in one piece.
constexpr uint64_t kMaximumTwoPhaseFile = (1ULL << 30) - 1;

class Importer {
 public:
  Importer(const DataDirectory& source, VersionSink& sink, const ImportOptions& options,
           const ProgressCallback& progress)
      : source_(source),
        sink_(sink),
        options_(options),
        report_progress_(progress),
        page_checksums_(source.control_file().has_data_checksums() ? PageChecksums::kEnabled
                                                                   : PageChecksums::kDisabled) {}

  Result<ImportSummary> run() && {
    summarise_control_file();
    VARVE_ASSIGN(inventory_, take_inventory(source_));
    progress_.bytes_total = inventory_.total_bytes();

    // In the order of the key kinds.
    VARVE_TRY(put_cluster_facts());
    VARVE_TRY(put_directories());
    VARVE_TRY(put_relation_maps());
    VARVE_TRY(put_relations());
    VARVE_TRY(put_slrus());
    VARVE_TRY(put_two_phase_files());
    VARVE_TRY(put_auxiliary_files());
    VARVE_TRY(put_time());

    VARVE_TRY(source_.check_unchanged());
    summarise_inventory();
    progress_.bytes_done = progress_.bytes_total;
    report();
    return std::move(summary_);
  }

 private:
  void summarise_control_file() {
    const ControlFile& control_file = source_.control_file();
    summary_.image_lsn = source_.start_lsn();
    summary_.last_record_lsn = source_.end_lsn();
    summary_.system_identifier = control_file.system_identifier();
    summary_.catalog_version = kCatalogVersion;
    summary_.timeline = control_file.checkpoint().timeline;
    summary_.wal_segment_size = control_file.wal_segment_size();
  }

  void summarise_inventory() {
    const RelationTag* previous = nullptr;
    for (const SourceFork& fork : inventory_.forks) {
      if (previous == nullptr || *previous != fork.fork.relation) ++summary_.relations;
      previous = &fork.fork.relation;
    }
    summary_.databases = static_cast<uint64_t>(
        std::ranges::count(inventory_.databases, true, &SourceDatabase::has_version_file));
    summary_.tablespaces = inventory_.tablespaces.size();
    summary_.auxiliary_files = inventory_.auxiliary_files.size();
    summary_.skipped = std::move(inventory_.skipped);
  }

  template <typename Fields>
  Result<> put(const Fields& fields, ByteView image) {
    VARVE_TRY(sink_.put_image(make_key(fields), image));
    ++summary_.images;
    summary_.bytes += image.size();
    return {};
  }

  void report() const {
    if (report_progress_) report_progress_(progress_);
  }

  // After each piece that was read from the source.
  Result<> advance(uint64_t bytes) {
    progress_.bytes_done += bytes;
    unreported_ += bytes;
    if (unreported_ >= kReadSize) {
      unreported_ = 0;
      report();
    }
    if (options_.stop.stop_requested()) {
      return make_error(ErrorCode::kCancelled, "the import of {} was stopped",
                        source_.path().string());
    }
    return {};
  }

  Result<> put_cluster_facts() {
    const ControlFile& control_file = source_.control_file();
    VARVE_TRY(put(ControlFileKey{}, control_file.data()));
    VARVE_TRY(put(CheckpointKey{}, control_file.checkpoint_bytes()));
    return put(DataDirectoryKey{}, DataDirectoryFacts{.mode = source_.mode()}.encode());
  }

  Result<> put_directories() {
    for (const SourceTablespace& tablespace : inventory_.tablespaces) {
      VARVE_TRY(put(TablespaceKey{tablespace.tablespace},
                    TablespaceFacts{.location = tablespace.location}.encode()));
    }
    for (const SourceDatabase& database : inventory_.databases) {
      if (database.directory.tablespace == kGlobalTablespace) continue;
      if (database.has_version_file) VARVE_TRY(check_version_file(database.directory));
      VARVE_TRY(
          put(DatabaseDirectoryKey{database.directory},
              DatabaseDirectoryFacts{.has_version_file = database.has_version_file}.encode()));
    }
    return {};
  }

  Result<> check_version_file(const DatabaseTag& directory) {
    const auto path = source_.path() / directory.path() / "PG_VERSION";
    VARVE_ASSIGN(const Bytes content, read_file(path, kSmallFile));
    const std::string_view text = as_text(content);
    const std::string_view version = text.substr(0, text.find('\n'));
    if (version == kPostgresMajorVersion) return {};
    return make_error(ErrorCode::kInvalidArgument,
                      "{} says PostgreSQL {}: only PostgreSQL {} is supported", path.string(),
                      version, kPostgresMajorVersion);
  }

  Result<> put_relation_maps() {
    for (const SourceDatabase& database : inventory_.databases) {
      if (!database.has_relation_map) continue;
      const auto path = source_.path() / database.directory.path() / kRelationMapFileName;
      VARVE_ASSIGN(const Bytes content, read_file(path, kSmallFile));
      VARVE_TRY(check_relation_map(content).context(path.string()));
      VARVE_TRY(put(RelationMapKey{database.directory}, content));
      VARVE_TRY(advance(content.size()));
    }
    return {};
  }

  Result<> put_relations() {
    for (const SourceFork& fork : inventory_.forks) {
      VARVE_TRY(put(RelationSizeKey{fork.fork}, encode_block_count(fork.blocks)));
    }
    for (const SourceFork& fork : inventory_.forks) VARVE_TRY(put_blocks(fork));
    return {};
  }

  Result<> put_blocks(const SourceFork& fork) {
    for (uint32_t first = 0; first < fork.blocks; first += kBlocksPerSegment) {
      const uint32_t count = std::min(fork.blocks - first, kBlocksPerSegment);
      const auto path = source_.path() / fork.fork.path(first / kBlocksPerSegment);
      const auto put_page = [&](uint32_t block_in_file, ByteView page) -> Result<> {
        const RelationBlockKey key{fork.fork, first + block_in_file};
        VARVE_TRY(check_page(key, page, path));
        return put(key, page);
      };
      VARVE_TRY(read_blocks(path, count, put_page));
      // A block number has 32 bits, and the last segment ends just below that.
      if (fork.blocks - first <= kBlocksPerSegment) break;
    }
    return {};
  }

  Result<> check_page(const RelationBlockKey& key, ByteView page,
                      const std::filesystem::path& path) const {
    // WAL from its start on brings the whole of what is torn.
    if (source_.is_backup()) return {};
    const auto damaged = [&](std::string_view why) {
      return make_error(ErrorCode::kCorrupted, "{} block {} in {} is damaged: {}",
                        key.fork.to_string(), key.block, path.string(), why);
    };
    if (options_.verify_checksums) {
      if (const auto defect = page_defect(page, key.block, page_checksums_)) {
        return damaged(*defect);
      }
    }
    // Redo would take such a page to have changes that are still to come, and skip them.
    if (page_lsn(page) > summary_.last_record_lsn) {
      return damaged(fmt::format("its LSN {} is beyond the end of the WAL, {}", page_lsn(page),
                                 summary_.last_record_lsn));
    }
    return {};
  }

  template <typename Consumer>
  Result<> read_blocks(const std::filesystem::path& path, uint32_t count, const Consumer& consume) {
    VARVE_ASSIGN(SourceFile file,
                 SourceFile::open(path, uint64_t{count} * kBlockSize, source_.is_backup()));
    for (uint32_t block = 0; block < count;) {
      const auto blocks = std::min<uint32_t>(count - block, kBlocksPerRead);
      const auto piece = std::span(buffer_).first(size_t{blocks} * kBlockSize);
      VARVE_TRY(file.read(piece));
      for (uint32_t i = 0; i < blocks; ++i) {
        VARVE_TRY(consume(block + i, piece.subspan(size_t{i} * kBlockSize, kBlockSize)));
      }
      block += blocks;
      VARVE_TRY(advance(piece.size()));
    }
    return file.check_unchanged();
  }

  Result<> put_slrus() {
    for (const SourceSlruSegment& segment : inventory_.slru_segments) {
      VARVE_TRY(put(SlruSegmentSizeKey{segment.slru, segment.segment},
                    encode_block_count(segment.pages)));
    }
    for (const SourceSlruSegment& segment : inventory_.slru_segments) {
      const auto path =
          source_.path() / directory(segment.slru) / slru_segment_name(segment.segment);
      const auto put_page = [&](uint32_t page_in_file, ByteView page) -> Result<> {
        const uint32_t number = segment.segment * kSlruPagesPerSegment + page_in_file;
        return put(SlruBlockKey{segment.slru, number}, page);
      };
      VARVE_TRY(read_blocks(path, segment.pages, put_page));
    }
    return {};
  }

  Result<> put_two_phase_files() {
    for (const uint32_t transaction : inventory_.prepared_transactions) {
      const auto path = source_.path() / kTwoPhaseDirectory / two_phase_file_name(transaction);
      VARVE_ASSIGN(const Bytes content, read_file(path, kMaximumTwoPhaseFile));
      auto whole = check_two_phase_file(content, transaction);
      // That of a transaction which the WAL prepares anew; others were there before the backup.
      if (source_.is_backup() && !whole.ok()) continue;
      VARVE_TRY(std::move(whole).context(path.string()));
      VARVE_TRY(put(TwoPhaseFileKey{transaction}, content));
    }
    return {};
  }

  Result<> put_auxiliary_files() {
    for (const SourceAuxiliaryFile& file : inventory_.auxiliary_files) {
      const AuxiliaryFileHeader header{.path = file.path, .mode = file.mode, .size = file.size};
      if (S_ISDIR(file.mode)) {
        VARVE_TRY(put(AuxiliaryFileKey{file.path_hash, 0}, header.encode()));
        continue;
      }
      VARVE_TRY(put_auxiliary_file(header, file.path_hash));
    }
    return {};
  }

  Result<> put_auxiliary_file(const AuxiliaryFileHeader& header, uint64_t path_hash) {
    VARVE_ASSIGN(SourceFile file, SourceFile::open(source_.path() / header.path, header.size));
    Bytes value = header.encode();
    uint64_t left = header.size;
    for (uint32_t chunk = 0; chunk < header.chunk_count(); ++chunk) {
      const auto count = static_cast<size_t>(std::min<uint64_t>(left, kAuxiliaryChunkSize));
      const size_t at = value.size();
      value.resize(at + count);
      if (count > 0) VARVE_TRY(file.read(std::span(value).subspan(at)));
      VARVE_TRY(put(AuxiliaryFileKey{path_hash, chunk}, value));
      VARVE_TRY(advance(count));
      left -= count;
      value.clear();
    }
    return file.check_unchanged();
  }

  // From then on the cluster was as it is.
  Result<> put_time() {
    constexpr int64_t kMicrosPerSecond = 1'000'000;
    const Timestamp time{source_.control_file().checkpoint().time * kMicrosPerSecond};
    return put(TimeIndexKey{time}, time_index_value(summary_.last_record_lsn));
  }

  const DataDirectory& source_;
  VersionSink& sink_;
  const ImportOptions& options_;
  const ProgressCallback& report_progress_;
  const PageChecksums page_checksums_;
  SourceInventory inventory_;
  ImportSummary summary_;
  Progress progress_;
  uint64_t unreported_ = 0;
  Bytes buffer_ = Bytes(kReadSize);
};

}  // namespace

Result<ImportSummary> import_data_directory(const DataDirectory& source, VersionSink& sink,
                                            const ImportOptions& options,
                                            const ProgressCallback& progress) {
  return Importer(source, sink, options, progress).run();
}

}  // namespace varve
