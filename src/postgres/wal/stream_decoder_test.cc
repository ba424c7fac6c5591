#include "postgres/wal/stream_decoder.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "postgres/test_support/golden_files.h"
#include "postgres/test_support/wal_writer.h"

namespace varve {
namespace {

constexpr uint32_t kSegmentSize = 1U << 20;

WalStreamOptions options_of(const WalWriter& writer) {
  return {.position = writer.options().start,
          .wal_segment_size = writer.options().wal_segment_size,
          .system_identifier = writer.options().system_identifier,
          .timeline = writer.options().timeline,
          .previous_record = writer.options().previous};
}

struct Outcome {
  std::vector<WalWriter::Placed> records;
  std::optional<Error> error;
  std::optional<WalStop> stop;
  Lsn stop_position;
  Lsn next_record;
};

// Feeds `bytes` in chunks of the sizes that `next_size` gives.
template <typename NextSize>
Outcome decode(const WalStreamOptions& options, ByteView bytes, NextSize next_size) {
  Outcome outcome;
  auto decoder = WalStreamDecoder::create(options);
  if (!decoder.ok()) {
    outcome.error = decoder.error();
    return outcome;
  }
  while (!bytes.empty() && !outcome.error) {
    // In memory of its own, so that ASan sees a look beyond it.
    const ByteView chunk = bytes.first(std::min<size_t>(next_size(), bytes.size()));
    const Bytes copy(chunk.begin(), chunk.end());
    bytes = bytes.subspan(chunk.size());
    ByteView input = copy;
    while (true) {
      auto record = decoder->next(input);
      if (!record.ok()) {
        outcome.error = record.error();
        break;
      }
      if (!*record) break;
      const WalRecord& found = **record;
      outcome.records.push_back(
          {found.start, found.end, Bytes(found.bytes.begin(), found.bytes.end())});
    }
  }
  outcome.stop = decoder->stop();
  outcome.stop_position = decoder->stop_position();
  outcome.next_record = decoder->next_record();
  return outcome;
}

Outcome decode(const WalStreamOptions& options, ByteView bytes) {
  return decode(options, bytes, [&] { return bytes.size(); });
}

bool same_record(const WalWriter::Placed& a, const WalWriter::Placed& b) {
  return a.start == b.start && a.end == b.end && a.bytes == b.bytes;
}

void expect_all(const Outcome& outcome, const std::vector<WalWriter::Placed>& expected) {
  if (outcome.error) ADD_FAILURE() << outcome.error->message();
  ASSERT_EQ(outcome.records.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(outcome.records[i].start.to_string(), expected[i].start.to_string()) << i;
    EXPECT_EQ(outcome.records[i].end.to_string(), expected[i].end.to_string()) << i;
    EXPECT_TRUE(outcome.records[i].bytes == expected[i].bytes) << i;
  }
}

void expect_all_of(const WalWriter& writer) {
  const ByteView bytes = writer.bytes();
  expect_all(decode(options_of(writer), bytes), writer.records());
  for (const size_t size : {1U, 3U, 8U, 24U, 100U, 8192U}) {
    expect_all(decode(options_of(writer), bytes, [&] { return size; }), writer.records());
  }
}

TEST(WalStream, ASegmentThatPgResetwalMadeHoldsOneRecordAndThenZeros) {
  Bytes page = reset_wal_segment();
  page.resize(kWalBlockSize);
  const WalStreamOptions options{.position = Lsn{0x2000000},
                                 .start = WalStreamOptions::Start::kPage,
                                 .wal_segment_size = 16U << 20,
                                 .system_identifier = 7710731997825599511,
                                 .timeline = 1};
  const Outcome outcome = decode(options, page);
  ASSERT_EQ(outcome.records.size(), 1U);
  EXPECT_EQ(outcome.records[0].start.to_string(), "0/2000028");
  EXPECT_EQ(outcome.records[0].end.to_string(), "0/20000A0");
  EXPECT_EQ(outcome.records[0].bytes.size(), 114U);
  ASSERT_TRUE(outcome.error);
  EXPECT_EQ(outcome.stop, WalStop::kUnwritten);
  EXPECT_EQ(outcome.stop_position.to_string(), "0/20000A0");
}

TEST(WalStream, RecordsFollowEachOtherAtMultiplesOfEight) {
  WalWriter writer;
  writer.add_sized(24);
  writer.add_sized(25);
  writer.add_sized(32);
  expect_all_of(writer);
  EXPECT_EQ(writer.records()[1].end.to_string(), "0/1000060");
}

// Where 24 bytes are left or more, the header is on the page; where fewer are, it is split.
TEST(WalStream, ARecordMayBeginWithAnyRoomOnItsPage) {
  for (uint32_t room = 8; room <= 80; room += 8) {
    for (const uint32_t size : {24U, 25U, 31U, 32U, 40U, 48U, 72U, 73U, 200U, 9000U}) {
      SCOPED_TRACE(fmt::format("{} bytes of room, {} bytes", room, size));
      WalWriter writer;
      writer.add_sized(100);
      writer.leave_room(room);
      writer.add_sized(size);
      writer.add_sized(30);
      expect_all_of(writer);
    }
  }
}

TEST(WalStream, ARecordThatFillsItsPageEndsWhereTheNextPageStarts) {
  WalWriter writer;
  writer.leave_room(104);
  EXPECT_EQ(writer.add_sized(101).end.to_string(), "0/1002000");
  EXPECT_EQ(writer.add_sized(40).start.to_string(), "0/1002018");
  expect_all_of(writer);
}

TEST(WalStream, ARecordCrossesManyPagesAndSegments) {
  WalWriter writer;
  writer.add_sized(100);
  writer.add_sized(3 * kWalBlockSize);
  writer.add_sized(2 * kSegmentSize + 5);
  writer.add_sized(24);
  expect_all_of(writer);
}

TEST(WalStream, ASwitchEndsWithItsSegment) {
  WalWriter writer;
  writer.add_sized(100);
  EXPECT_EQ(writer.add_switch().end.to_string(), "0/1100000");
  EXPECT_EQ(writer.add_sized(50).start.to_string(), "0/1100028");
  expect_all_of(writer);
}

TEST(WalStream, ASwitchMayBeTheLastThingInItsSegment) {
  for (const uint32_t room : {8U, 24U}) {
    WalWriter writer({.start = Lsn{0x10FE018}});
    writer.leave_room(room);
    writer.add_switch();
    writer.add_sized(50);
    expect_all_of(writer);
    EXPECT_EQ(writer.records().back().start.to_string(), room == 24 ? "0/1100028" : "0/1200028");
  }
}

TEST(WalStream, WhatLiesBehindASwitchIsNotLookedAt) {
  WalWriter writer;
  const Lsn end = writer.add_switch().end;
  writer.add_sized(50);
  Bytes bytes = writer.bytes();
  std::fill(bytes.begin() + 32, bytes.begin() + static_cast<ptrdiff_t>(writer.offset_of(end)),
            0xAA);
  expect_all(decode(options_of(writer), bytes), writer.records());
}

TEST(WalStream, ARecordWithoutEndIsLeftOutWhenTheNextOneSaysSo) {
  for (const uint32_t room : {8U, 16U, 24U, 104U}) {
    WalWriter writer;
    writer.add_sized(100);
    writer.leave_room(room);
    writer.add_overwritten(20'000);
    writer.add_sized(60);
    expect_all_of(writer);
  }
}

TEST(WalStream, ARecordWithoutEndMayBeReplacedInTheNextSegment) {
  WalWriter writer({.start = Lsn{0x10FE018}});
  writer.add_sized(100);
  writer.leave_room(32);
  writer.add_overwritten(20'000);
  expect_all_of(writer);
}

TEST(WalStream, AReplacementMustNameTheRecordWithoutEnd) {
  WalWriter writer;
  writer.add_sized(100);
  writer.leave_room(104);
  const Lsn replacement = writer.add_overwritten(20'000, Lsn{0x1000028}).start;
  const Outcome outcome = decode(options_of(writer), writer.bytes());
  EXPECT_EQ(outcome.records.size(), writer.records().size() - 1);
  ASSERT_TRUE(outcome.error);
  EXPECT_EQ(outcome.error->code(), ErrorCode::kCorrupted);
  EXPECT_EQ(outcome.stop_position, replacement);
}

TEST(WalStream, FromTheStartOfASegmentTheEndOfAnEarlierRecordIsSkipped) {
  WalWriter writer({.start = Lsn{0x10FF018}});
  writer.add_sized(3 * kWalBlockSize);
  writer.add_sized(60);
  writer.add_sized(70);
  WalStreamOptions options = options_of(writer);
  options.position = Lsn{0x1100000};
  options.start = WalStreamOptions::Start::kPage;
  const ByteView bytes = ByteView(writer.bytes()).subspan(writer.offset_of(options.position));
  expect_all(decode(options, bytes), {writer.records()[1], writer.records()[2]});
  expect_all(decode(options, bytes, [] { return 5; }), {writer.records()[1], writer.records()[2]});
}

TEST(WalStream, FromTheStartOfAPageThatContinuesARecordNothingIsFoundButByLooking) {
  WalWriter writer({.start = Lsn{0x10FF018}});
  writer.add_sized(3 * kWalBlockSize);
  WalStreamOptions options = options_of(writer);
  options.position = Lsn{0x1100000};
  const Outcome outcome =
      decode(options, ByteView(writer.bytes()).subspan(writer.offset_of(options.position)));
  ASSERT_TRUE(outcome.error);
  EXPECT_EQ(outcome.error->code(), ErrorCode::kCorrupted);
}

TEST(WalStream, AnEndThatWasNeverWrittenIsNotLookedForAcrossAReplacement) {
  WalWriter writer({.start = Lsn{0x10FF018}});
  // Its first two pages are there, then comes the replacement.
  const Lsn start = writer.position();
  writer.add_sized(3 * kWalBlockSize);
  WalWriter replaced({.start = Lsn{0x1102000}, .previous = start});
  ByteWriter data;
  data.put(start);
  data.put(uint64_t{0});
  replaced.add({.resource_manager = 0, .info = 0xD0}, WalWriter::main_data(data.view()));
  Bytes bytes = writer.bytes();
  bytes.erase(bytes.begin(), bytes.begin() + 0xFE8);
  bytes.resize(kWalBlockSize);
  Bytes next = replaced.bytes();
  next[2] = WalPageHeader::kFirstIsOverwrite;
  bytes.insert(bytes.end(), next.begin(), next.end());
  WalStreamOptions options = options_of(writer);
  options.position = Lsn{0x1100000};
  options.start = WalStreamOptions::Start::kPage;
  // 0x1102000 is one page further than the first that is skipped.
  bytes.insert(bytes.begin() + kWalBlockSize, bytes.begin(), bytes.begin());
  const Outcome outcome = decode(options, bytes);
  ASSERT_TRUE(outcome.records.size() == 1) << outcome.error->message();
  EXPECT_TRUE(same_record(outcome.records[0], replaced.records()[0]));
}

TEST(WalStream, CanBeContinuedWhereItEnded) {
  WalWriter writer;
  for (uint32_t size = 24; size < 2000; size += 37) writer.add_sized(size);
  const ByteView bytes = writer.bytes();
  for (size_t cut = 0; cut <= bytes.size(); cut += 61) {
    const Outcome before = decode(options_of(writer), bytes.first(cut));
    ASSERT_FALSE(before.error);
    WalStreamOptions options = options_of(writer);
    options.position = before.next_record;
    options.previous_record = before.records.empty() ? Lsn{} : before.records.back().start;
    Outcome after = decode(options, bytes.subspan(writer.offset_of(options.position)));
    after.records.insert(after.records.begin(), before.records.begin(), before.records.end());
    expect_all(after, writer.records());
  }
}

TEST(WalStreamProperty, AnyChunksGiveTheSameRecords) {
  EXPECT_TRUE(rc::check([] {
    WalWriter writer({.start = Lsn{0x10F8018}});
    const auto sizes = *rc::gen::container<std::vector<uint32_t>>(
        rc::gen::oneOf(rc::gen::inRange(24U, 120U), rc::gen::inRange(24U, 20'000U)));
    for (const uint32_t size : sizes) {
      switch (*rc::gen::weightedElement<int>({{20, 0}, {3, 1}, {1, 2}, {2, 3}})) {
        case 0:
          writer.add_sized(size);
          break;
        case 1:
          writer.leave_room(*rc::gen::inRange(1U, 8U) * 8);
          break;
        case 2:
          writer.add_switch();
          break;
        default:
          writer.add_overwritten(size + kWalBlockSize);
      }
    }
    const auto chunks = *rc::gen::nonEmpty(rc::gen::container<std::vector<size_t>>(
        rc::gen::oneOf(rc::gen::inRange<size_t>(1, 50), rc::gen::inRange<size_t>(1, 30'000))));
    size_t number = 0;
    const Outcome outcome = decode(options_of(writer), writer.bytes(),
                                   [&] { return chunks[number++ % chunks.size()]; });
    RC_ASSERT(!outcome.error);
    RC_ASSERT(std::ranges::equal(outcome.records, writer.records(), same_record));
    RC_ASSERT(outcome.next_record == writer.position());
  }));
}

// One bit at a time, everywhere: what came before is given, and then there is an error. Only the
// padding behind a record says nothing.
TEST(WalStream, EveryFlippedBitIsFoundAtItsRecord) {
  WalWriter writer;
  writer.leave_room(400);
  const size_t first = writer.bytes().size();
  writer.add_sized(57);
  writer.add_sized(700);
  writer.add_sized(33);
  WalStreamOptions options = options_of(writer);
  // Of the page header, the bytes that mean nothing: padding, and flag XLP_BKP_REMOVABLE.
  const auto means_nothing = [&](size_t offset, int bit) {
    const uint64_t lsn = options.position.value + offset;
    const uint64_t in_page = lsn % kWalBlockSize;
    if (in_page < kShortWalPageHeaderSize) {
      return in_page >= 20 || (in_page == 2 && bit == 2);
    }
    return std::ranges::none_of(writer.records(), [&](const WalWriter::Placed& record) {
      uint64_t end = record.start.value + record.bytes.size();
      if (end > 0x1002000 && record.start.value < 0x1002000) end += kShortWalPageHeaderSize;
      return lsn >= record.start.value && lsn < end;
    });
  };
  for (size_t offset = first; offset < writer.bytes().size(); ++offset) {
    for (int bit = 0; bit < 8; ++bit) {
      Bytes bytes = writer.bytes();
      bytes[offset] ^= static_cast<uint8_t>(1 << bit);
      const Outcome outcome = decode(options, bytes);
      if (means_nothing(offset, bit)) {
        EXPECT_EQ(outcome.records.size(), writer.records().size()) << offset;
        continue;
      }
      const Lsn lsn{options.position.value + offset};
      const auto hit = std::ranges::find_if(
          writer.records(), [&](const WalWriter::Placed& record) { return lsn < record.end; });
      const auto before = static_cast<size_t>(hit - writer.records().begin());
      ASSERT_EQ(outcome.records.size(), before) << "byte " << offset << " bit " << bit;
      // A longer length only asks for more bytes than there are.
      if (!outcome.error) {
        EXPECT_EQ(outcome.next_record, hit->start);
        continue;
      }
      // Damage to the header of a page is told of the page.
      const std::string& message = outcome.error->message();
      EXPECT_TRUE(message.contains(hit->start.to_string()) || message.contains("0/1002000"))
          << message;
      EXPECT_TRUE(outcome.stop_position == hit->start || outcome.stop_position == Lsn{0x1002000})
          << message;
    }
  }
}

TEST(WalStream, AnErrorIsRepeatedWhateverComesAfterIt) {
  WalWriter writer;
  writer.add_sized(100);
  writer.add_sized(100);
  Bytes bytes = writer.bytes();
  bytes[50] ^= 1;
  auto decoder = WalStreamDecoder::create(options_of(writer));
  ASSERT_TRUE(decoder.ok());
  ByteView input = bytes;
  const auto first = decoder->next(input);
  ASSERT_FALSE(first.ok());
  input = writer.bytes();
  const auto second = decoder->next(input);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(first.error().message(), second.error().message());
}

// A page whose header was changed after a record that fills the page before it.
Outcome with_changed_header(size_t offset, uint64_t value, size_t size,
                            Lsn start = Lsn{0x1000028}) {
  WalWriter writer({.start = start});
  writer.leave_room(104);
  writer.add_sized(104);
  const size_t page = writer.bytes().size();
  writer.add_sized(50);
  Bytes bytes = writer.bytes();
  std::memcpy(&bytes[page + offset], &value, size);
  return decode(options_of(writer), bytes);
}

void expect_refused(const Outcome& outcome, ErrorCode code, std::string_view words) {
  ASSERT_TRUE(outcome.error);
  EXPECT_EQ(outcome.error->code(), code);
  EXPECT_NE(outcome.error->message().find(words), std::string::npos) << outcome.error->message();
}

TEST(WalPageHeader, IsCheckedFieldByField) {
  expect_refused(with_changed_header(0, 0x1234, 2), ErrorCode::kCorrupted,
                 "the page at 0/1002000 has the magic number 1234");
  expect_refused(with_changed_header(0, 0xD113, 2), ErrorCode::kInvalidArgument,
                 "0/1002000 is of PostgreSQL 16");
  expect_refused(with_changed_header(2, 0x0010, 2), ErrorCode::kCorrupted, "flags 0010");
  expect_refused(with_changed_header(2, WalPageHeader::kLong, 2), ErrorCode::kCorrupted,
                 "flags 0002");
  expect_refused(with_changed_header(2, WalPageHeader::kFirstIsContinuation, 2),
                 ErrorCode::kCorrupted, "a record that did not begin");
  expect_refused(with_changed_header(4, 2, 4), ErrorCode::kInvalidArgument, "timeline 2");
  expect_refused(with_changed_header(8, 0x1004000, 8), ErrorCode::kCorrupted,
                 "0/1002000 is that of 0/1004000");
}

TEST(WalPageHeader, OfASegmentNamesItsCluster) {
  const Lsn last_page{0x10FE018};
  expect_refused(with_changed_header(2, 0, 2, last_page), ErrorCode::kCorrupted, "flags 0000");
  expect_refused(with_changed_header(24, 5, 8, last_page), ErrorCode::kInvalidArgument,
                 "0/1100000 is of another cluster: its system identifier is 5");
  expect_refused(with_changed_header(32, 16U << 20, 4, last_page), ErrorCode::kInvalidArgument,
                 "segment size is 16777216");
  expect_refused(with_changed_header(36, 4096, 4, last_page), ErrorCode::kInvalidArgument,
                 "block size is 4096");
}

TEST(WalPageHeader, TimelinesNeverGoBack) {
  WalWriter first({.timeline = 2});
  first.leave_room(104);
  first.add_sized(104);
  first.leave_room(104);
  first.add_sized(104);
  WalWriter second(
      {.start = first.position(), .timeline = 1, .previous = first.records().back().start});
  second.add_sized(30);
  Bytes bytes = first.bytes();
  bytes.insert(bytes.end(), second.bytes().begin(), second.bytes().end());
  expect_refused(decode(options_of(first), bytes), ErrorCode::kCorrupted, "is of timeline 1");
}

TEST(WalPageHeader, PagesOfAnAncestorBelongToATimeline) {
  WalWriter writer;
  writer.add_sized(9000);
  WalStreamOptions options = options_of(writer);
  options.timeline = 3;
  expect_all(decode(options, writer.bytes()), writer.records());
}

// A record whose header was changed, with a CRC that fits.
Outcome with_changed_record(size_t offset, uint64_t value, size_t size) {
  WalWriter writer;
  writer.add_sized(100);
  writer.add_sized(100);
  Bytes bytes = writer.bytes();
  const size_t at = writer.offset_of(writer.records()[1].start);
  std::memcpy(&bytes[at + offset], &value, size);
  WalWriter::mend_crc(std::span(bytes).subspan(at, 100));
  return decode(options_of(writer), bytes);
}

TEST(WalRecordHeader, IsChecked) {
  expect_refused(with_changed_record(0, 23, 4), ErrorCode::kCorrupted,
                 "the record at 0/1000090 claims 23 bytes");
  expect_refused(with_changed_record(0, 0x40000000, 4), ErrorCode::kCorrupted, "claims 1073741824");
  expect_refused(with_changed_record(8, 0x1000020, 8), ErrorCode::kCorrupted,
                 "the record at 0/1000090 follows one at 0/1000020, the last one was at 0/1000028");
  expect_refused(with_changed_record(17, 22, 1), ErrorCode::kCorrupted, "resource manager 22");
  expect_refused(with_changed_record(17, 127, 1), ErrorCode::kCorrupted, "resource manager 127");
}

TEST(WalRecordHeader, OfAnExtensionIsPassedOn) {
  EXPECT_EQ(with_changed_record(17, 128, 1).records.size(), 2U);
}

TEST(WalRecordHeader, TheFirstRecordFollowsAnEarlierOne) {
  WalWriter writer({.previous = Lsn{0x1000028}});
  writer.add_sized(100);
  WalStreamOptions options = options_of(writer);
  options.previous_record = {};
  expect_refused(decode(options, writer.bytes()), ErrorCode::kCorrupted,
                 "follows one at 0/1000028");
}

WalWriter some_records() {
  WalWriter writer;
  writer.add_sized(100);
  writer.leave_room(104);
  return writer;
}

TEST(WalEnd, ZerosOnAPageAreUnwritten) {
  const WalWriter writer = some_records();
  Bytes bytes = writer.bytes();
  bytes.resize(bytes.size() + 104 + kWalBlockSize);
  const Outcome outcome = decode(options_of(writer), bytes);
  EXPECT_EQ(outcome.stop, WalStop::kUnwritten);
  EXPECT_EQ(outcome.stop_position, writer.position());
  EXPECT_EQ(outcome.records.size(), writer.records().size());
}

TEST(WalEnd, ZerosInPlaceOfAPageAreUnwritten) {
  WalWriter writer = some_records();
  writer.add_sized(104);
  Bytes bytes = writer.bytes();
  bytes.resize(bytes.size() + kWalBlockSize);
  const Outcome outcome = decode(options_of(writer), bytes);
  EXPECT_EQ(outcome.stop, WalStop::kUnwritten);
  EXPECT_EQ(outcome.stop_position, writer.position());
}

TEST(WalEnd, AnOlderPageIsRecycled) {
  WalWriter writer = some_records();
  writer.add_sized(104);
  WalWriter old({.start = Lsn{writer.position().value - kSegmentSize}});
  old.add_sized(200);
  Bytes bytes = writer.bytes();
  bytes.insert(bytes.end(), old.bytes().begin(), old.bytes().end());
  const Outcome outcome = decode(options_of(writer), bytes);
  EXPECT_EQ(outcome.stop, WalStop::kRecycled);
  EXPECT_EQ(outcome.stop_position, writer.position());
}

TEST(WalEnd, ARecordOfWhichOnlyTheBeginningIsThereIsUnwrittenFromItsStartOn) {
  WalWriter writer = some_records();
  const Lsn start = writer.position();
  writer.add_sized(300);
  Bytes bytes = writer.bytes();
  bytes.resize(writer.offset_of(wal_page_of(writer.position())));
  bytes.resize(bytes.size() + kWalBlockSize);
  const Outcome outcome = decode(options_of(writer), bytes);
  EXPECT_EQ(outcome.stop, WalStop::kUnwritten);
  EXPECT_EQ(outcome.stop_position, start);
  EXPECT_EQ(outcome.records.size(), writer.records().size() - 1);
}

TEST(WalEnd, BytesThatLackAreNoError) {
  WalWriter writer = some_records();
  const Lsn start = writer.position();
  writer.add_sized(300);
  const Outcome outcome =
      decode(options_of(writer), ByteView(writer.bytes()).first(writer.offset_of(start) + 200));
  EXPECT_FALSE(outcome.error);
  EXPECT_EQ(outcome.next_record, start);
}

TEST(WalEnd, DamageIsInvalid) {
  const Outcome outcome = with_changed_record(30, 0xFFFF, 2);
  EXPECT_FALSE(outcome.error) << "the CRC was mended";
  WalWriter writer = some_records();
  Bytes bytes = writer.bytes();
  bytes[60] ^= 1;
  EXPECT_EQ(decode(options_of(writer), bytes).stop, WalStop::kInvalid);
}

TEST(WalStreamOptions, NothingStartsAmidARecordOrHeader) {
  const auto code = [](uint64_t position, WalStreamOptions::Start start,
                       uint32_t segment_size = kSegmentSize) {
    const auto decoder = WalStreamDecoder::create(
        {.position = Lsn{position}, .start = start, .wal_segment_size = segment_size});
    return decoder.ok() ? "ok" : std::string(name(decoder.code()));
  };
  using enum WalStreamOptions::Start;
  EXPECT_EQ(code(0x1000028, kRecord), "ok");
  EXPECT_EQ(code(0x1002018, kRecord), "ok");
  EXPECT_EQ(code(0x1002000, kRecord), "ok");
  EXPECT_EQ(code(0x1002000, kPage), "ok");
  EXPECT_EQ(code(0, kRecord), "InvalidArgument");
  EXPECT_EQ(code(0, kPage), "InvalidArgument");
  EXPECT_EQ(code(0x1000018, kRecord), "InvalidArgument") << "the header of a segment is longer";
  EXPECT_EQ(code(0x1002010, kRecord), "InvalidArgument");
  EXPECT_EQ(code(0x100201C, kRecord), "InvalidArgument");
  EXPECT_EQ(code(0x1002018, kPage), "InvalidArgument");
  EXPECT_EQ(code(0x1002018, kRecord, 12345), "InvalidArgument");
}

}  // namespace
}  // namespace varve
