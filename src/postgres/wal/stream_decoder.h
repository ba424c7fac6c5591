// Cuts a WAL stream into its records, as PostgreSQL's own reader does
// (src/backend/access/transam/xlogreader.c).
//
// Checked are: of every page header the magic number, flags, address, timeline, continuation, and
// in the first of a segment the system identifier and sizes; of every record its length, resource
// manager, link to the record before it, and CRC. A record that was given is what the server wrote.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/lsn.h"
#include "base/result.h"
#include "postgres/wal/wal_format.h"
#include "postgres/wal/wal_page.h"
#include "postgres/wal/wal_record.h"

namespace varve {

struct WalStreamOptions {
  enum class Start : uint8_t {
    // A record starts at `position`; or `position` is the start of a page, and a record starts
    // behind its header. That is what the end of a record is.
    kRecord,
    // `position` is the start of a page, as the first of a segment file is: the end of a record
    // that
    // began before it is skipped.
    kPage,
  };

  const WalFormat* format = &wal_format_15();
  // Of the first byte of the stream.
  Lsn position;
  Start start = Start::kRecord;
  uint32_t wal_segment_size = 0;
  // 0: of any cluster.
  uint64_t system_identifier = 0;
  // The timeline that is followed: pages of its ancestors are taken too, since the segment in which
  // it began holds them; those of later ones are not. 0: any.
  uint32_t timeline = 0;
  // Where the record before the first one starts; invalid: not known, and so not checked.
  Lsn previous_record;
};

// Why a stream could not be followed any further.
enum class WalStop : uint8_t {
  // Zeros where a record or a page should begin: nothing was written there.
  kUnwritten,
  // A page of an older segment, whose file PostgreSQL uses again.
  kRecycled,
  // Anything else.
  kInvalid,
};

// Not thread-safe; movable.
//
// Where the WAL ends. In files behind the last record come zeros up to the end of its page, and
// then zeros or, where the file was used before, older pages: kUnwritten and kRecycled. So does a
// record of which a crash left only the beginning look; stop_position() is its start. No other stop
// is the end of what a primary wrote in peace. Yet it may be the end too: after a power failure
// pages of the last record may be missing while later ones are there, and a standby's file may hold
// anything behind the last byte received. And the other way round, a page of zeros amid the WAL
// looks like its end. PostgreSQL cannot tell either and takes the first invalid record for the end.
// Whoever knows that the WAL goes on (there is a next segment, pg_control or an archive says so, or
// the stream comes from a server) must take every stop for damage.
class WalStreamDecoder {
 public:
  // InvalidArgument when nothing can start at the position, or the segment size is impossible.
  static Result<WalStreamDecoder> create(const WalStreamOptions& options);

  // The next record, taken from the front of `input`, which is shortened by all that was used.
  // Nothing when `input` is used up before: call again with the bytes that follow in the stream.
  // Chunks may be of any size.
  //
  // The record's bytes are valid until the next call, and as long as those of `input`.
  //
  // Corrupted, naming the LSN, where the stream is not valid. InvalidArgument where it is that of
  // another cluster, segment size or major version. Every later call fails in the same way; all
  // records before were given.
  Result<std::optional<WalRecord>> next(ByteView& input);

  // Of the next byte that next() will take.
  Lsn position() const { return position_; }
  // Where the first record starts that was not given: the end of the last one, or where the one
  // starts of which only a part has come. A decoder that starts there (Start::kRecord) continues.
  Lsn next_record() const;
  // The start of the last record that was given; or previous_record of the options.
  Lsn previous_record() const { return previous_record_; }
  // Of the last page header that was seen; 0 when there was none.
  uint32_t timeline() const { return timeline_; }

  // After next() failed: why, and where the first record or page lies that is not valid.
  std::optional<WalStop> stop() const { return stop_; }
  Lsn stop_position() const { return stop_position_; }

 private:
  explicit WalStreamDecoder(const WalStreamOptions& options);

  Result<std::optional<WalRecord>> advance(ByteView& input);
  ByteView take(ByteView& input, uint64_t at_most);
  Result<bool> read_page_header(ByteView& input);
  Result<> check_page_header(Lsn page, ByteView bytes);
  Result<> check_continuation(Lsn page, const WalPageHeader& header);
  Result<> check_length(uint32_t length);
  Result<> check_header(ByteView record);
  Result<WalRecord> finish_record(ByteView bytes);
  Result<> check_overwrite(ByteView record, const WalRecordHeader& header);

  // Notes where and why the stream ends, and gives the error that says so.
  template <typename... Args>
  Error stop_at(Lsn position, WalStop why, fmt::format_string<Args...> format, Args&&... args);
  template <typename... Args>
  Error refuse(Lsn page, fmt::format_string<Args...> format, Args&&... args);

  WalStreamOptions options_;
  Lsn position_;
  // What lies before it is padding.
  Lsn skip_to_;
  Lsn previous_record_;
  uint32_t timeline_ = 0;

  // The part of a page header that has come.
  std::array<uint8_t, kLongWalPageHeaderSize> page_header_;
  size_t page_header_size_ = 0;

  // Until the first page header was seen, if records are looked for.
  bool searches_ = false;
  // Bytes to skip of a record that began before the stream.
  uint32_t continuation_ = 0;

  Lsn record_start_;
  // Of a record that does not lie in one chunk and one page: what has come of it; while it is
  // incomplete, is_partial_.
  Bytes partial_;
  bool is_partial_ = false;

  // A record whose end was never written, and which the next one must name.
  Lsn overwritten_;
  bool expects_overwrite_ = false;

  std::optional<Error> failure_;
  std::optional<WalStop> stop_;
  Lsn stop_position_;
};

}  // namespace varve
