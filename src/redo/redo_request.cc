#include "redo/redo_request.h"

#include "pgext/protocol.h"
#include "postgres/layout.h"
#include "postgres/stored_record.h"

namespace varve {
namespace {

// Of a message with more than one record: what one read takes in.
constexpr size_t kMessageSize = size_t{256} << 10;
// SizeOfXLogRecord of src/include/access/xlogrecord.h, which begins with xl_tot_len.
constexpr size_t kRecordHeaderSize = 24;
// What a record has in a message of its own.
constexpr size_t kMostOfRecord =
    VARVE_REDO_MAX_MESSAGE - sizeof(VarveRedoApply) - kBlockSize - sizeof(VarveRedoRecord) - 8;

template <typename Struct>
void append(ByteWriter& out, const Struct& value) {
  out.put_raw({reinterpret_cast<const uint8_t*>(&value), sizeof value});
}

// `version` is a StoredRecord.
void append_record(ByteWriter& out, const Version& version) {
  const StoredRecord record = *StoredRecord::parse(version.value);
  const size_t size = record.bytes.size();
  append(out, VarveRedoRecord{
                  .start_lsn = record_start(version.lsn, size).value,
                  .end_lsn = version.lsn.value,
                  .length = static_cast<uint32_t>(size),
                  .flags = record.hint_bits_logged ? uint32_t{VARVE_REDO_HINT_BITS_LOGGED} : 0});
  out.put_raw(record.bytes);
  out.put_zeros(align_maximally(size) - size);
}

}  // namespace

std::string describe(const RedoRequest& request) {
  if (request.records.empty()) return describe(request.key);
  return fmt::format("{} up to {}", describe(request.key), request.records.back().lsn);
}

Result<> check(const RedoRequest& request) {
  VARVE_ASSIGN(const KeyFields fields, parse_key(request.key));
  if (!std::holds_alternative<RelationBlockKey>(fields)) {
    return make_error(ErrorCode::kInvalidArgument,
                      "{} is no block of a relation: records do not make it", describe(request));
  }
  if (!request.base.empty() && request.base.size() != kBlockSize) {
    return make_error(ErrorCode::kCorrupted, "{}: the page before the records has {} bytes",
                      describe(request), request.base.size());
  }
  if (request.records.empty()) {
    return make_error(ErrorCode::kInvalidArgument, "{}: there is no record to apply",
                      describe(request));
  }
  Lsn before{0};
  for (const Version& record : request.records) {
    const bool is_first = before == Lsn{0} && record.kind == ValueKind::kFirstRecord;
    const bool is_record = is_first || record.kind == ValueKind::kRecord;
    if (record.key != request.key || !is_record || record.lsn <= before) {
      return make_error(ErrorCode::kInvalidArgument,
                        "{}: what stands at {} is not the next record of it", describe(request),
                        record.lsn);
    }
    const auto stored = StoredRecord::parse(record.value);
    if (!stored.ok()) {
      return stored.error().context(
          fmt::format("{}: the record at {}", describe(request), record.lsn));
    }
    const ByteView bytes = stored->bytes;
    if (bytes.size() < kRecordHeaderSize || bytes.size() > kMostOfRecord ||
        load_little<uint32_t>(bytes.data()) != bytes.size()) {
      return make_error(ErrorCode::kCorrupted,
                        "{}: the {} bytes of the record at {} are no WAL record", describe(request),
                        bytes.size(), record.lsn);
    }
    before = record.lsn;
  }
  return {};
}

Lsn record_start(Lsn end, size_t record_size) {
  const uint64_t size = align_maximally(record_size);
  return {end.value > size ? end.value - size : 1};
}

void RedoRequestEncoder::append_next(ByteWriter& out) {
  const RedoRequest& request = requests_[request_];
  const auto block = std::get<RelationBlockKey>(*parse_key(request.key));
  const bool continues = record_ > 0;
  const bool has_base = !continues && !request.base.empty();
  ByteWriter records;
  uint32_t count = 0;
  while (record_ < request.records.size() && (count == 0 || records.size() < kMessageSize)) {
    append_record(records, request.records[record_++]);
    ++count;
  }
  const bool unfinished = record_ < request.records.size();
  append(out, VarveRedoHeader{
                  .type = VARVE_REDO_APPLY,
                  .size = static_cast<uint32_t>(sizeof(VarveRedoApply) +
                                                (has_base ? kBlockSize : 0) + records.size())});
  append(out, VarveRedoApply{.tablespace = block.fork.relation.directory.tablespace,
                             .database = block.fork.relation.directory.database,
                             .relation = block.fork.relation.relation,
                             .fork = static_cast<uint32_t>(block.fork.fork),
                             .block = block.block,
                             .flags = (has_base ? uint32_t{VARVE_REDO_HAS_BASE} : 0) |
                                      (continues ? uint32_t{VARVE_REDO_CONTINUES} : 0) |
                                      (unfinished ? uint32_t{VARVE_REDO_UNFINISHED} : 0),
                             .records = count,
                             .reserved = 0});
  if (has_base) out.put_raw(request.base);
  out.put_raw(records.view());
  if (unfinished) return;
  ++request_;
  record_ = 0;
}

}  // namespace varve
