// Prints the records of WAL segment files in the form of `pg_waldump --bkp-details`, each followed
// by lines of its own: where it ends, which bits of the visibility map it clears, and the state
// that a prepared transaction leaves. The last line says where and why the WAL ends.
//
//   varve_wal_reader [--start LSN] [--chunk N] [--images FILE] [--quiet] SEGMENT...
//
// With --images the pages that records carry are appended to a file, each behind the end of its
// record, the numbers of its relation, fork and block.
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <CLI/CLI.hpp>

#include "base/hex.h"
#include "description.h"
#include "postgres/page.h"
#include "postgres/two_phase_file.h"
#include "postgres/wal/block_image.h"
#include "postgres/wal/stream_decoder.h"

namespace varve {
namespace {

struct Arguments {
  std::vector<std::filesystem::path> segments;
  std::string start;
  size_t chunk = 1U << 20;
  std::filesystem::path images;
  bool quiet = false;
};

Bytes read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string content{std::istreambuf_iterator<char>(file), {}};
  const ByteView bytes = as_bytes(content);
  return {bytes.begin(), bytes.end()};
}

// The inverse of wal_segment_name.
Result<Lsn> start_of_segment(const std::filesystem::path& path, uint32_t segment_size) {
  const std::string name = path.filename();
  if (name.size() != 24) {
    return make_error(ErrorCode::kInvalidArgument, "{} is no WAL segment", path.string());
  }
  const uint64_t high = std::stoull(name.substr(8, 8), nullptr, 16);
  const uint64_t low = std::stoull(name.substr(16, 8), nullptr, 16);
  return Lsn{(high << 32) + low * segment_size};
}

std::string_view method_of(ImageCompression compression) {
  switch (compression) {
    case ImageCompression::kPglz:
      return "pglz";
    case ImageCompression::kLz4:
      return "lz4";
    case ImageCompression::kZstd:
      return "zstd";
    case ImageCompression::kNone:
      break;
  }
  return "none";
}

class Printer {
 public:
  explicit Printer(const Arguments& arguments) : quiet_(arguments.quiet) {
    if (!arguments.images.empty()) images_.open(arguments.images, std::ios::binary);
  }

  Result<> print(const WalRecord& wal) {
    VARVE_TRY(record_.decode(wal));
    VARVE_ASSIGN(const RecordType type,
                 identify_record(wal_format_15(), record_.header(), wal.start));
    VARVE_ASSIGN(const wal15::Payload payload, wal15::parse_payload(record_));
    size_t image_bytes = 0;
    for (const BlockReference& block : record_.blocks()) {
      if (!block.image) continue;
      image_bytes += block.image->bytes.size();
      VARVE_TRY(restore(block));
    }
    if (quiet_) return {};
    const WalRecordHeader& header = record_.header();
    fmt::print("rmgr: {:<11} len (rec/tot): {:6}/{:6}, tx: {:10}, lsn: {}, prev {}, desc: {} {}\n",
               type.resource_manager, header.total_length - image_bytes, header.total_length,
               header.transaction, padded(wal.start), padded(header.previous), type.name,
               describe(payload, record_.origin()));
    for (const BlockReference& block : record_.blocks()) print(block);
    fmt::print("\tend {}\n", wal.end);
    print_extras(payload);
    return {};
  }

 private:
  static std::string padded(Lsn lsn) {
    return fmt::format("{:X}/{:08X}", lsn.value >> 32, lsn.value & UINT32_MAX);
  }

  void print(const BlockReference& block) const {
    const RelationTag& relation = block.fork.relation;
    fmt::print("\tblkref #{}: rel {}/{}/{} fork {} blk {}", block.id, relation.directory.tablespace,
               relation.directory.database, relation.relation, name(block.fork.fork), block.block);
    if (block.image) {
      const BlockImage& image = *block.image;
      fmt::print(" (FPW{}); hole: offset: {}, length: {}",
                 image.apply ? "" : " for WAL verification", image.hole_offset, image.hole_length);
      if (image.compression != ImageCompression::kNone) {
        fmt::print(", compression saved: {}, method: {}",
                   kBlockSize - image.hole_length - image.bytes.size(),
                   method_of(image.compression));
      }
    }
    fmt::print("\n");
  }

  Result<> restore(const BlockReference& block) {
    VARVE_TRY(restore_block_image(block, page_));
    if (page_lsn(page_) > record_.end()) {
      return make_error(ErrorCode::kCorrupted, "the image at {} is newer than its record",
                        record_.start());
    }
    if (const auto defect = page_defect(page_, block.block, PageChecksums::kDisabled)) {
      return make_error(ErrorCode::kCorrupted, "the image at {}: {}", record_.start(), *defect);
    }
    if (!images_.is_open()) return {};
    ByteWriter entry;
    entry.put(record_.end());
    entry.put(block.fork.relation.directory.tablespace);
    entry.put(block.fork.relation.directory.database);
    entry.put(block.fork.relation.relation);
    entry.put(static_cast<uint32_t>(block.fork.fork));
    entry.put(block.block);
    entry.put_raw(page_);
    images_ << as_text(entry.view());
    return {};
  }

  static void print_extras(const wal15::Payload& payload) {
    if (const auto* heap = std::get_if<wal15::HeapPayload>(&payload)) {
      if (const auto* change = std::get_if<wal15::HeapChange>(heap)) {
        for (const wal15::VisibilityMapClear& clear : change->cleared()) {
          fmt::print("\tclears {} {}\n", clear.heap_block,
                     clear.bits == wal15::VisibilityMapClear::Bits::kAll ? "all" : "frozen");
        }
      }
    }
    if (const auto* transaction = std::get_if<wal15::TransactionPayload>(&payload)) {
      if (const auto* prepared = std::get_if<wal15::TransactionPrepared>(transaction)) {
        const Bytes file = prepared->two_phase_file();
        if (check_two_phase_file(file, prepared->transaction).ok()) {
          fmt::print("\tstate {}\n", hex_encode(file));
        }
      }
    }
  }

  const bool quiet_;
  DecodedRecord record_;
  std::array<uint8_t, kBlockSize> page_{};
  std::ofstream images_;
};

std::string_view name(WalStop stop) {
  switch (stop) {
    case WalStop::kUnwritten:
      return "unwritten";
    case WalStop::kRecycled:
      return "recycled";
    case WalStop::kInvalid:
      break;
  }
  return "invalid";
}

Result<> read(const Arguments& arguments) {
  Bytes segment = read_file(arguments.segments.front());
  if (segment.size() < kLongWalPageHeaderSize) {
    return make_error(ErrorCode::kInvalidArgument, "{} is no WAL segment",
                      arguments.segments.front().string());
  }
  const WalPageHeader first = WalPageHeader::load(ByteView(segment).first(kLongWalPageHeaderSize));
  WalStreamOptions options{.start = WalStreamOptions::Start::kPage,
                           .wal_segment_size = static_cast<uint32_t>(segment.size())};
  VARVE_ASSIGN(options.position,
               start_of_segment(arguments.segments.front(), options.wal_segment_size));
  options.system_identifier = first.system_identifier;
  uint64_t skipped = 0;
  if (!arguments.start.empty()) {
    VARVE_ASSIGN(const Lsn start, Lsn::parse(arguments.start));
    skipped = start.value - options.position.value;
    options.position = start;
    options.start = WalStreamOptions::Start::kRecord;
  }
  VARVE_ASSIGN(auto decoder, WalStreamDecoder::create(options));
  Printer printer(arguments);
  for (size_t i = 0; i < arguments.segments.size(); ++i) {
    if (i > 0) segment = read_file(arguments.segments[i]);
    ByteView rest = ByteView(segment).subspan(i == 0 ? skipped : 0);
    while (!rest.empty()) {
      ByteView input = rest.first(std::min(arguments.chunk, rest.size()));
      rest = rest.subspan(input.size());
      while (true) {
        const auto record = decoder.next(input);
        if (!record.ok()) {
          fmt::print("stop {} {}: {}\n", decoder.stop_position(), name(*decoder.stop()),
                     record.error().message());
          return {};
        }
        if (!*record) break;
        VARVE_TRY(printer.print(**record));
      }
    }
  }
  fmt::print("stop {} incomplete\n", decoder.next_record());
  return {};
}

int run(int argc, char** argv) {
  CLI::App app("Prints WAL segments as pg_waldump --bkp-details does", "varve_wal_reader");
  Arguments arguments;
  app.add_option("SEGMENT", arguments.segments)->required();
  app.add_option("--start", arguments.start, "Of the first record, in the first segment");
  app.add_option("--chunk", arguments.chunk, "Bytes that the decoder gets at once");
  app.add_option("--images", arguments.images, "A file for the pages");
  app.add_flag("--quiet", arguments.quiet, "Only decode");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (const auto result = read(arguments); !result.ok()) {
    fmt::print(stderr, "varve_wal_reader: {} ({})\n", result.error().message(),
               name(result.code()));
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace varve

int main(int argc, char** argv) {
  try {
    return varve::run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "varve_wal_reader: {}\n", error.what());
    return 1;
  }
}
