#include "ingest/time_index.h"

#include <limits>

#include "postgres/key_space.h"

namespace varve {
namespace {

constexpr int64_t kFirstStep = 60'000'000;  // A minute.
constexpr int64_t kStepGrowth = 16;

Timestamp earlier(Timestamp time, int64_t micros) {
  const int64_t beginning = std::numeric_limits<int64_t>::min();
  return {time.micros < beginning + micros ? beginning : time.micros - micros};
}

Result<TimedLsn> parse_entry(const Key& key, ByteView value) {
  VARVE_ASSIGN(const KeyFields fields, parse_key(key));
  const auto* const entry = std::get_if<TimeIndexKey>(&fields);
  if (entry == nullptr || value.size() != sizeof(uint64_t)) {
    return make_error(ErrorCode::kCorrupted, "key {} is no entry of the time index", key);
  }
  return TimedLsn{.time = entry->time, .lsn = Lsn{load_little<uint64_t>(value.data())}};
}

}  // namespace

Key time_index_key(Timestamp time) {
  return make_key(TimeIndexKey{.time = time});
}

Bytes time_index_value(Lsn lsn) {
  ByteWriter value;
  value.put(lsn);
  return std::move(value).take();
}

// Times that are asked for mostly have entries shortly before them. Backwards in growing steps,
// what is read is not much more than what was needed.
Result<std::optional<TimedLsn>> find_lsn_at(VersionSource& source, Timestamp time, Lsn lsn) {
  std::optional<TimedLsn> last;
  const ImageSink note = [&](const Key& key, ByteView value) -> Result<> {
    VARVE_ASSIGN(last, parse_entry(key, value));
    return {};
  };
  Key end = time_index_key(time).next();
  const Key first = range_of(KeyKind::kTimeIndex).start;
  for (int64_t step = kFirstStep;; step *= kStepGrowth) {
    const bool is_last = step > std::numeric_limits<int64_t>::max() / kStepGrowth;
    const Key start = is_last ? first : time_index_key(earlier(time, step));
    VARVE_TRY(source.scan({start, end}, lsn, note));
    if (last || is_last) return last;
    end = start;
  }
}

}  // namespace varve
