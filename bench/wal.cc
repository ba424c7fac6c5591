#include <fstream>
#include <iterator>

#include "measurement.h"
#include "postgres/wal/block_image.h"
#include "postgres/wal/stream_decoder.h"
#include "postgres/wal/v15/payload.h"

namespace varve::bench {
namespace {

// What comes in one message of the replication protocol (MAX_SEND_SIZE of
// src/backend/replication/walsender.c).
constexpr size_t kChunk = 128U << 10;

}  // namespace

Result<Json> measure_wal(const WalOptions& options) {
  std::vector<Bytes> segments;
  for (const std::filesystem::path& path : options.segments) {
    std::ifstream file(path, std::ios::binary);
    segments.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  if (segments.empty() || segments.front().size() < kLongWalPageHeaderSize) {
    return make_error(ErrorCode::kInvalidArgument, "no WAL segments were given");
  }
  const WalPageHeader first =
      WalPageHeader::load(ByteView(segments.front()).first(kLongWalPageHeaderSize));
  VARVE_ASSIGN(auto decoder,
               WalStreamDecoder::create({.position = first.address,
                                         .start = WalStreamOptions::Start::kPage,
                                         .wal_segment_size = first.wal_segment_size}));
  DecodedRecord record;
  std::array<uint8_t, kBlockSize> page;
  uint64_t records = 0;
  uint64_t blocks = 0;
  uint64_t images = 0;
  const Stopwatch watch;
  for (const Bytes& segment : segments) {
    for (ByteView rest = segment; !rest.empty() && !decoder.stop();) {
      ByteView input = rest.first(std::min(kChunk, rest.size()));
      rest = rest.subspan(input.size());
      while (true) {
        const auto next = decoder.next(input);
        if (!next.ok()) {
          if (decoder.stop() == WalStop::kInvalid) return next.error();
          break;
        }
        if (!*next) break;
        ++records;
        if (options.only_records) continue;
        VARVE_TRY(record.decode(**next));
        VARVE_TRY(wal15::parse_payload(record));
        for (const BlockReference& block : record.blocks()) {
          ++blocks;
          if (!block.image) continue;
          ++images;
          VARVE_TRY(restore_block_image(block, page));
        }
      }
    }
  }
  const double seconds = watch.seconds();
  return Json{{"seconds", seconds},
              {"bytes", decoder.next_record().value - first.address.value},
              {"records", records},
              {"blocks", blocks},
              {"images", images}};
}

}  // namespace varve::bench
