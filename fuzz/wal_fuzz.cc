// WAL: what a record holds and does, and how a stream is cut into records. Nothing that is read is
// more than was there, and the chunks in which a stream comes make no difference. A record changes
// those pages of SLRUs and visibility maps that it is said to touch, and no other.

#include <algorithm>
#include <array>
#include <functional>
#include <ranges>

#include "expect.h"
#include "postgres/page_redo/commit_timestamp_page.h"
#include "postgres/page_redo/multixact_page.h"
#include "postgres/page_redo/page_redo.h"
#include "postgres/page_redo/transaction_status_page.h"
#include "postgres/page_redo/visibility_map_page.h"
#include "postgres/test_support/wal_writer.h"
#include "postgres/wal/block_image.h"
#include "postgres/wal/imageless_record.h"
#include "postgres/wal/stream_decoder.h"
#include "postgres/wal/v15/payload.h"

namespace {

using namespace varve;

bool within(ByteView part, ByteView whole) {
  return part.empty() ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

// The numbers of lists are the server's: to look at every entry is to look for reads beyond it.
struct ReadLists {
  uint64_t sum = 0;

  template <typename Entry>
  void read(const EntryList<Entry>& list) {
    for (const Entry& entry : list) {
      uint8_t first = 0;
      std::memcpy(&first, &entry, sizeof first);
      sum += first;
    }
  }
  template <typename... Kinds>
  void operator()(const std::variant<Kinds...>& payload) {
    std::visit(*this, payload);
  }
  void operator()(const wal15::TransactionEnd& end) {
    read(end.subtransactions);
    read(end.dropped_relations);
    read(end.dropped_statistics);
    read(end.invalidations);
    sum += end.gid.size();
  }
  void operator()(const wal15::TransactionPrepared& prepared) {
    read(prepared.subtransactions);
    read(prepared.dropped_on_commit);
    read(prepared.dropped_on_abort);
    read(prepared.statistics_dropped_on_commit);
    read(prepared.statistics_dropped_on_abort);
    read(prepared.invalidations);
    sum += prepared.two_phase_file().size();
  }
  void operator()(const wal15::MultixactCreated& created) { read(created.members); }
  void operator()(const wal15::StandbyLocks& locks) { read(locks.locks); }
  void operator()(const wal15::RunningTransactions& running) {
    read(running.transactions);
    read(running.subtransactions);
  }
  void operator()(const wal15::DatabaseDropped& dropped) { read(dropped.tablespaces); }
  template <typename Kind>
  void operator()(const Kind&) {}
};

// Applies a record to the pages that it touches, and to one that it does not.
struct RedoPages {
  const DecodedRecord& record;

  void expect_pages(Slru slru, const std::vector<uint32_t>& pages) const {
    constexpr size_t kEnough = 20;
    std::array<uint8_t, kBlockSize> bytes{};
    for (const uint32_t page : pages | std::views::take(kEnough)) {
      expect(redo_slru_page(record, slru, page, bytes).ok());
    }
    expect(std::ranges::adjacent_find(pages, std::ranges::greater_equal{}) == pages.end());
    const std::array<uint8_t, kBlockSize> before = bytes;
    const uint32_t other = pages.empty() ? 0 : pages.back() + 1;
    expect(!redo_slru_page(record, slru, other, bytes).ok() && bytes == before);
  }

  template <typename... Kinds>
  void operator()(const std::variant<Kinds...>& payload) const {
    std::visit(*this, payload);
  }
  void operator()(const wal15::TransactionEnd& end) const {
    std::vector<uint32_t> pages;
    transaction_status_pages(end, pages);
    expect_pages(Slru::kTransactionStatus, pages);
    commit_timestamp_pages(end, pages);
    expect_pages(Slru::kCommitTimestamps, pages);
  }
  void operator()(const wal15::MultixactCreated& created) const {
    std::vector<uint32_t> pages;
    multixact_offsets_pages(created, pages);
    expect_pages(Slru::kMultixactOffsets, pages);
    multixact_members_pages(created, pages);
    expect_pages(Slru::kMultixactMembers, pages);
  }
  void operator()(const wal15::SlruPageZeroed& zeroed) const {
    expect_pages(zeroed.slru, {zeroed.page});
  }
  void operator()(const wal15::RelationTruncated& truncated) const {
    expect(is_relation_truncation(record.header()));
    std::array<uint8_t, kBlockSize> page{};
    const auto cut = visibility_map_page_to_clear(truncated.block);
    const bool applies = truncated.visibility_map && cut.has_value();
    expect(redo_visibility_map_page(record, truncated.relation, cut.value_or(0), page).ok() ==
           applies);
  }
  template <typename Kind>
  void operator()(const Kind&) const {}
};

// All but the images is as it was.
void check_without_images(const DecodedRecord& record) {
  const Bytes bytes = without_images(record);
  DecodedRecord smaller;
  expect(smaller.decode({.start = record.start(), .end = record.end(), .bytes = bytes}).ok());
  expect(wal_record_crc(bytes) == smaller.header().crc);
  expect(std::ranges::equal(smaller.main_data(), record.main_data()));
  expect(smaller.origin() == record.origin());
  expect(smaller.top_level_transaction() == record.top_level_transaction());
  expect(std::ranges::equal(
      smaller.blocks(), record.blocks(), [](const BlockReference& a, const BlockReference& b) {
        return !a.image && a.id == b.id && a.fork == b.fork && a.block == b.block &&
               a.will_init == b.will_init && std::ranges::equal(a.data, b.data);
      }));
}

void look_into(const WalRecord& wal) {
  static DecodedRecord record;
  if (!record.decode(wal).ok()) return;
  expect(within(record.main_data(), wal.bytes));
  for (const BlockReference& block : record.blocks()) {
    expect(within(block.data, wal.bytes));
    if (!block.image) continue;
    expect(within(block.image->bytes, wal.bytes));
    std::array<uint8_t, kBlockSize> page;
    (void)restore_block_image(block, page).ok();
  }
  check_without_images(record);
  if (const auto payload = wal15::parse_payload(record); payload.ok()) {
    std::visit(ReadLists{}, *payload);
    std::visit(RedoPages{record}, *payload);
  }
}

// A record with this resource manager, these info bits and these parts, and a CRC that fits.
void check_record(ByteView input) {
  if (input.size() < 2) return;
  const WalWriter::Kind kind{.resource_manager = input[0], .info = input[1]};
  const Bytes record = WalWriter::make_record(kind, Lsn{0x1000028}, input.subspan(2));
  look_into({.start = {0x1000090}, .end = {0x1002000}, .bytes = record});
  // Most of the interesting ones are main data alone.
  const Bytes data =
      WalWriter::make_record(kind, Lsn{0x1000028}, WalWriter::main_data(input.subspan(2)));
  look_into({.start = {0x1000090}, .end = {0x1002000}, .bytes = data});
}

struct Outcome {
  std::vector<WalWriter::Placed> records;
  std::string error;
};
Outcome decode(ByteView bytes, const WalStreamOptions& options, size_t chunk) {
  Outcome outcome;
  auto decoder = WalStreamDecoder::create(options);
  expect(decoder.ok());
  while (!bytes.empty()) {
    ByteView input = bytes.first(std::min(chunk, bytes.size()));
    bytes = bytes.subspan(input.size());
    while (true) {
      const auto record = decoder->next(input);
      if (!record.ok()) {
        outcome.error = record.error().message();
        return outcome;
      }
      if (!*record) break;
      outcome.records.push_back({(*record)->start, (*record)->end,
                                 Bytes((*record)->bytes.begin(), (*record)->bytes.end())});
      look_into(**record);
    }
  }
  return outcome;
}

void check_chunks(ByteView bytes, const WalStreamOptions& options, size_t chunk) {
  const Outcome whole = decode(bytes, options, std::max<size_t>(bytes.size(), 1));
  const Outcome parts = decode(bytes, options, chunk);
  expect(whole.error == parts.error);
  expect(whole.records.size() == parts.records.size());
  for (size_t i = 0; i < whole.records.size(); ++i) {
    expect(whole.records[i].start == parts.records[i].start);
    expect(whole.records[i].end == parts.records[i].end);
    expect(whole.records[i].bytes == parts.records[i].bytes);
  }
}

// The bytes as they come, from a page on or from a record on.
void check_stream(ByteView input) {
  if (input.size() < 2) return;
  const size_t chunk = input[0] + 1U;
  const bool page = (input[1] & 1) != 0;
  check_chunks(input.subspan(2),
               {.position = Lsn{page ? 0x1100000U : 0x1100028U},
                .start = page ? WalStreamOptions::Start::kPage : WalStreamOptions::Start::kRecord,
                .wal_segment_size = 1U << 20},
               chunk);
}

// A stream as a server writes it, with some bytes changed: what comes before the first of them is
// given as it was written.
void check_damaged_stream(ByteView input) {
  if (input.size() < 4) return;
  WalWriter writer({.start = Lsn{0x10FC018}});
  const size_t chunk = input[0] * 37U + 1;
  const size_t damages = input[1] % 4;
  input = input.subspan(2);
  constexpr size_t kMaximumBytes = 60'000;
  while (input.size() > 6 && writer.bytes().size() < kMaximumBytes) {
    const uint32_t size = kWalRecordHeaderSize + load_little<uint16_t>(input.data()) % 20'000;
    switch (input[2] % 8) {
      case 0:
        writer.leave_room((size % 16 + 1) * 8);
        break;
      case 1:
        writer.add_overwritten(size + kWalBlockSize);
        break;
      case 2: {
        const size_t taken = std::min<size_t>(input[3], input.size() - 6);
        const WalWriter::Kind kind{.resource_manager = input[4], .info = input[5]};
        // The writer does not know that this would be a switch.
        const bool is_switch = kind.resource_manager == 0 && (kind.info & 0xF0) == 0x40;
        if (!is_switch) writer.add(kind, input.subspan(6, taken));
        input = input.subspan(taken);
        break;
      }
      default:
        writer.add_sized(size);
    }
    input = input.subspan(3);
  }
  Bytes bytes = writer.bytes();
  if (bytes.empty()) return;
  size_t first = bytes.size();
  for (size_t i = 0; i < damages && input.size() >= 5; ++i, input = input.subspan(5)) {
    const size_t at = load_little<uint32_t>(input.data()) % bytes.size();
    if (input[4] == 0) continue;
    bytes[at] ^= input[4];
    first = std::min(first, at);
  }
  const WalStreamOptions options{.position = writer.options().start, .wal_segment_size = 1U << 20};
  check_chunks(bytes, options, chunk);
  const Outcome outcome = decode(bytes, options, bytes.size());
  for (size_t i = 0; i < writer.records().size(); ++i) {
    const WalWriter::Placed& written = writer.records()[i];
    if (writer.offset_of(written.end) > first) break;
    // A record of a resource manager that does not exist is no record.
    const uint8_t manager = written.bytes[17];
    if (manager >= 22 && manager < 128) break;
    expect(i < outcome.records.size() && outcome.records[i].bytes == written.bytes);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const ByteView input(data + 1, size - 1);
  switch (data[0] % 3) {
    case 0:
      check_record(input);
      break;
    case 1:
      check_stream(input);
      break;
    default:
      check_damaged_stream(input);
  }
  return 0;
}
