#include "ingest/relation_restorer.h"

#include <algorithm>
#include <atomic>
#include <thread>

#include "base/copy_bytes.h"
#include "ingest/scanned_value.h"
#include "postgres/page.h"

namespace varve {
namespace {

// Written between two looks at whether somebody wants the work to stop.
constexpr uint64_t kReportedAtOnce = WriteBuffer::kCapacity;

}  // namespace

class RelationRestorer::Worker {
 public:
  explicit Worker(RelationRestorer& restorer) : restorer_(restorer) {}

  Result<> restore(const Unit& unit) {
    auto restored =
        unit.is_init_fork ? restore_init_fork(unit.pieces.front()) : restore_pieces(unit.pieces);
    VARVE_TRY(restored);
    return report();
  }

 private:
  BlockFileWriter writer(const Piece& piece, WriteBuffer& buffer) {
    const auto path = [tag = piece.tag, first = piece.first / kBlocksPerSegment](uint32_t segment) {
      return tag.path(first + segment);
    };
    return {
        restorer_.target_, buffer,
        BlockFileWriter::Layout{
            .blocks = piece.end - piece.first, .blocks_per_file = kBlocksPerSegment, .path = path}};
  }

  Result<> restore_pieces(std::span<const Piece> pieces) {
    auto piece = pieces.begin();
    std::optional<BlockFileWriter> file = writer(*piece, buffer_);
    const auto finish_piece = [&]() -> Result<> {
      VARVE_TRY(file->finish());
      if (++piece != pieces.end()) file = writer(*piece, buffer_);
      return {};
    };
    const auto add = [&](const Key& key, ByteView image) -> Result<> {
      VARVE_ASSIGN(const RelationBlockKey fields, fields_of<RelationBlockKey>(key));
      while (piece != pieces.end() && piece->tag < fields.fork) VARVE_TRY(finish_piece());
      // Beyond the end lie blocks from before the relation was truncated.
      if (piece == pieces.end() || piece->tag != fields.fork || fields.block >= piece->end) {
        return {};
      }
      VARVE_ASSIGN(const auto place, file->place(fields.block - piece->first));
      return write_page(place, fields, image);
    };
    VARVE_TRY(scan(pieces, add));
    while (piece != pieces.end()) VARVE_TRY(finish_piece());
    return {};
  }

  Result<> restore_init_fork(const Piece& init) {
    Piece main = init;
    main.tag.fork = RelationFork::kMain;
    BlockFileWriter init_file = writer(init, buffer_);
    BlockFileWriter main_file = writer(main, second_buffer_);
    const auto add = [&](const Key& key, ByteView image) -> Result<> {
      VARVE_ASSIGN(const RelationBlockKey fields, fields_of<RelationBlockKey>(key));
      for (BlockFileWriter* const file : {&init_file, &main_file}) {
        VARVE_ASSIGN(const auto place, file->place(fields.block));
        VARVE_TRY(write_page(place, fields, image));
      }
      return {};
    };
    VARVE_TRY(scan({&init, 1}, add));
    VARVE_TRY(init_file.finish());
    return main_file.finish();
  }

  Result<> scan(std::span<const Piece> pieces, const ImageSink& sink) {
    if (std::ranges::all_of(pieces, [](const Piece& piece) { return piece.first == piece.end; })) {
      return {};
    }
    const Piece& last = pieces.back();
    const KeyRange range{
        .start = make_key(RelationBlockKey{pieces.front().tag, pieces.front().first}),
        .end = last.first == last.end ? make_key(RelationBlockKey{last.tag, last.first})
                                      : make_key(RelationBlockKey{last.tag, last.end - 1}).next()};
    return restorer_.source_.scan(range, restorer_.options_.lsn, sink);
  }

  Result<> write_page(std::span<uint8_t> place, const RelationBlockKey& fields, ByteView image) {
    const Options& options = restorer_.options_;
    VARVE_TRY(check_block_size(make_key(fields), image));
    if (page_lsn(image) > options.lsn) {
      return make_error(ErrorCode::kCorrupted, "{} at {} holds changes up to {}",
                        describe(make_key(fields)), options.lsn, page_lsn(image));
    }
    copy_bytes(image, place);
    if (options.change) VARVE_TRY(options.change(fields, place));
    // A page that redo made bears the checksum of an earlier state.
    if (options.checksums) set_page_checksum(place, fields.block);
    unreported_ += image.size();
    return unreported_ < kReportedAtOnce ? Result<>() : report();
  }

  Result<> report() { return restorer_.advance(std::exchange(unreported_, 0)); }

  RelationRestorer& restorer_;
  WriteBuffer buffer_;
  WriteBuffer second_buffer_;
  uint64_t unreported_ = 0;
};

Result<> RelationRestorer::restore(std::span<const StoredFork> forks) {
  const std::vector<Unit> units = units_of(forks);
  std::atomic<size_t> next = 0;
  std::atomic<bool> is_failing = false;
  Result<> first_failure;
  // In the order of keys, so that all threads read about the same layers.
  const auto work = [&] {
    Worker worker(*this);
    for (size_t i = next++; i < units.size() && !is_failing; i = next++) {
      auto restored = worker.restore(units[i]);
      if (restored.ok()) continue;
      const std::lock_guard lock(mutex_);
      if (!is_failing.exchange(true)) first_failure = std::move(restored);
    }
  };
  {
    std::vector<std::jthread> helpers;
    for (size_t i = 1; i < std::min(options_.threads, units.size()); ++i) {
      helpers.emplace_back(work);
    }
    work();
  }
  return first_failure;
}

std::vector<RelationRestorer::Unit> RelationRestorer::units_of(std::span<const StoredFork> forks) {
  std::vector<Unit> units;
  while (!forks.empty()) {
    const RelationTag relation = forks.front().tag.relation;
    const auto end = std::ranges::find_if(
        forks, [&](const StoredFork& fork) { return fork.tag.relation != relation; });
    const auto count = static_cast<size_t>(end - forks.begin());
    add_units(forks.first(count), units);
    forks = forks.subspan(count);
  }
  return units;
}

void RelationRestorer::add_units(std::span<const StoredFork> relation, std::vector<Unit>& units) {
  const StoredFork& last = relation.back();
  if (last.tag.fork == RelationFork::kInit) {
    units.push_back(
        {.pieces = {{.tag = last.tag, .first = 0, .end = last.blocks}}, .is_init_fork = true});
    return;
  }
  // Of a large fork each file is a unit; what is small goes with its neighbours.
  bool is_open = false;
  for (const StoredFork& fork : relation) {
    const bool is_large = fork.blocks > kBlocksPerSegment;
    uint32_t first = 0;
    do {
      const uint32_t end = first + std::min<uint32_t>(fork.blocks - first, kBlocksPerSegment);
      if (is_large || !is_open) units.emplace_back();
      units.back().pieces.push_back({.tag = fork.tag, .first = first, .end = end});
      first = end;
    } while (first < fork.blocks);
    is_open = !is_large;
  }
}

Result<> RelationRestorer::advance(uint64_t bytes) {
  if (options_.stop.stop_requested()) {
    return make_error(ErrorCode::kCancelled, "the restore was stopped");
  }
  const std::lock_guard lock(mutex_);
  return options_.advance ? options_.advance(bytes) : Result<>();
}

}  // namespace varve
