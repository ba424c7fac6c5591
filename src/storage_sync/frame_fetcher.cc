#include "storage_sync/frame_fetcher.h"

#include <algorithm>
#include <numeric>

#include "storage_sync/frame_codec.h"
#include "storage_sync/frame_plan.h"
#include "storage_sync/object_reader.h"

namespace varve {
namespace {

// Stored bytes before the frame table that are read along with it. RocksDB reads the last 512 KiB
// of a table when it opens it, and these are mostly compressed to less.
constexpr uint64_t kTailSize = 640 << 10;

// How often a layer may move while it is read, which takes its owner a grace period each time.
constexpr int kMaximumMoves = 3;

std::vector<size_t> numbers(FrameRange range) {
  std::vector<size_t> frames(range.empty() ? 0 : range.size());
  std::iota(frames.begin(), frames.end(), range.first);
  return frames;
}

}  // namespace

FrameFetcher::FrameFetcher(const SyncContext& context, LayerFrames& frames, Options options)
    : context_(context),
      frames_(frames),
      options_(std::move(options)),
      place_{options_.layer.stored, frames.table()},
      claims_(frames.frame_count()) {}

FrameFetcher::~FrameFetcher() {
  std::unique_lock lock(mutex_);
  for (auto flight = flights_.begin(); flight != flights_.end();) {
    (*flight)->stop.request_stop();
    // One that no thread has taken up yet need not be waited for: it will find that it is over.
    flight = (*flight)->begun.exchange(true) ? std::next(flight) : flights_.erase(flight);
  }
  changed_.wait(lock, [this] { return flights_.empty(); });
}

Result<> FrameFetcher::fetch(FrameRange frames, const CallOptions& options,
                             const std::function<void()>& progress) {
  return fetch(numbers(frames), {}, options, progress);
}

Result<> FrameFetcher::fetch(std::span<const size_t> frames, FrameRange ahead,
                             const CallOptions& options, const std::function<void()>& progress) {
  const std::string what = "fetch of layer " + options_.layer.name.to_string();
  Flights joined;
  const auto wait = [&]() -> Result<> {
    for (;;) {
      VARVE_TRY(options.check(what));
      VARVE_TRY(options_.call.check(what));
      Flights begun;
      uint64_t seen = 0;
      {
        const std::lock_guard lock(mutex_);
        if (all_here(frames)) break;
        if (failed_start_) return *std::exchange(failed_start_, std::nullopt);
        // Only those that failed while they were waited for: others may be tried afresh.
        for (const FlightPointer& flight : joined) {
          if (flight->error && !flight->stop.stop_requested()) return *flight->error;
        }
        std::erase_if(joined, [](const FlightPointer& flight) { return flight->ended; });
        begun = begin(frames, std::exchange(ahead, {}));
        join(frames, joined);
        seen = changes_;
      }
      submit(begun);
      {
        std::unique_lock lock(mutex_);
        const auto moved = [&] { return changes_ != seen; };
        if (options.deadline.is_never()) {
          changed_.wait(lock, options.stop, moved);
        } else {
          changed_.wait_for(lock, options.stop, options.deadline.remaining(), moved);
        }
      }
      if (progress) progress();
    }
    if (!ahead.empty()) start(ahead);
    return {};
  };
  auto fetched = wait();
  leave(joined, fetched.ok());
  return fetched;
}

void FrameFetcher::start(FrameRange frames) {
  Flights begun;
  {
    const std::lock_guard lock(mutex_);
    if (all_here(numbers(frames))) return;
    begun = begin({}, frames);
  }
  submit(begun);
}

FrameFetcher::Flights FrameFetcher::begin(std::span<const size_t> frames, FrameRange ahead) {
  std::vector<size_t> both;
  std::ranges::set_union(frames, numbers(ahead), std::back_inserter(both));
  Flights begun;
  if (!tail_ && place_.table) {
    begun = claim(both);
    for (const FlightPointer& flight : begun) flight->in_background = !ahead.empty();
    return begun;
  }
  if (!tail_) {
    tail_ = std::make_shared<Flight>();
    flights_.push_back(tail_);
    begun.push_back(tail_);
  }
  // While the tail is under way it decides what follows: what is wanted alone may come with it.
  if (!ahead.empty()) {
    tail_->in_background = true;
    std::vector<size_t> next;
    std::ranges::set_union(tail_->next, both, std::back_inserter(next));
    tail_->next = std::move(next);
  }
  return begun;
}

bool FrameFetcher::all_here(std::span<const size_t> frames) const {
  return std::ranges::all_of(frames, [this](size_t frame) { return frames_.has(frame); });
}

FrameFetcher::Flights FrameFetcher::claim(std::span<const size_t> frames) {
  const auto lacks = [this](size_t frame) { return !claims_[frame] && !frames_.has(frame); };
  std::vector<size_t> wanted;
  std::ranges::copy_if(frames, std::back_inserter(wanted), lacks);
  Flights begun;
  for (const FrameRange& range :
       plan_requests(*place_.table, wanted, context_.options.read_through)) {
    const auto flight = std::make_shared<Flight>();
    flight->range = range;
    // What nobody wanted and is read through anyway is kept as well.
    for (size_t frame = range.first; frame < range.end; ++frame) {
      if (lacks(frame)) claims_[frame] = flight;
    }
    flights_.push_back(flight);
    begun.push_back(flight);
  }
  return begun;
}

void FrameFetcher::join(std::span<const size_t> frames, Flights& joined) const {
  const auto add = [&](const FlightPointer& flight) {
    if (!flight || std::ranges::find(joined, flight) != joined.end()) return;
    ++flight->waiters;
    joined.push_back(flight);
  };
  add(tail_);
  for (const size_t frame : frames) add(claims_[frame]);
}

void FrameFetcher::leave(const Flights& joined, bool satisfied) {
  const std::lock_guard lock(mutex_);
  for (const FlightPointer& flight : joined) {
    // A request that has brought what was wanted of it is about to end by itself.
    if (--flight->waiters == 0 && !satisfied && !flight->in_background && !flight->ended) {
      flight->stop.request_stop();
    }
  }
}

void FrameFetcher::submit(const Flights& flights) {
  for (const FlightPointer& flight : flights) {
    // After the flight has ended this object may be gone.
    context_.transfer_pool.submit([this, flight] {
      if (!flight->begun.exchange(true)) run(flight);
    });
  }
}

void FrameFetcher::run(const FlightPointer& flight) {
  const auto result = [&] {
    const std::stop_callback follow(options_.call.stop, [&] { flight->stop.request_stop(); });
    return request(*flight);
  }();
  // Also what follows from the tail has begun: nobody else takes it up.
  for (const FlightPointer& next : end(*flight, result)) run(next);
}

Result<> FrameFetcher::request(Flight& flight) {
  const CallOptions options{.deadline = options_.call.deadline, .stop = flight.stop.get_token()};
  for (int moves = 0;; ++moves) {
    const Place from = place();
    auto done = read(flight, from, options)
                    .context(fmt::format("object {}{}, member {}", options_.log.prefix(),
                                         from.stored.object, options_.layer.name.to_string()));
    if (!done.failed_with(ErrorCode::kNotFound) || !options_.locator || moves == kMaximumMoves) {
      return done;
    }
    VARVE_TRY(move(flight, from, options));
  }
}

Result<> FrameFetcher::read(Flight& flight, const Place& place, const CallOptions& options) {
  VARVE_ASSIGN(const ObjectName object,
               ObjectName::parse_file_name(options_.log, place.stored.object));
  if (flight.range.empty()) {
    LayerEntry layer = options_.layer;
    layer.stored = place.stored;
    VARVE_ASSIGN(MemberTail tail,
                 read_member_tail(context_.storage, object, layer, kTailSize, options));
    VARVE_TRY(take_tail(tail));
    frames_.set_table(place.stored, tail.table);
    const std::lock_guard lock(mutex_);
    place_ = {place.stored, std::make_shared<const FrameTable>(std::move(tail.table))};
    return {};
  }
  const auto is_claimed = [&](size_t frame) {
    const std::lock_guard lock(mutex_);
    return claims_[frame].get() == &flight;
  };
  const FrameTable& table = *place.table;
  if (frames_.form() == FrameForm::kRaw) {
    const FrameSink sink = [&](size_t frame, const Bytes& raw) {
      return take(frame, table[frame], raw);
    };
    return read_frames(context_, object, table, flight.range, is_claimed, sink, options);
  }
  const StoredFrameSink sink = [&](size_t frame, const Bytes& stored) -> Result<> {
    VARVE_TRY(check_frame(table[frame], stored));
    return take(frame, table[frame], stored);
  };
  return read_stored_frames(context_.storage, object, table, flight.range, is_claimed, sink,
                            options);
}

Result<> FrameFetcher::take_tail(const MemberTail& tail) {
  for (const auto& [frame, stored] : tail.frames) {
    const Frame& entry = tail.table[frame];
    if (frames_.form() == FrameForm::kStored) {
      VARVE_TRY(check_frame(entry, stored));
      VARVE_TRY(take(frame, entry, stored));
    } else {
      Bytes raw(entry.raw_size);
      VARVE_TRY(decode_frame(entry, stored, raw));
      VARVE_TRY(take(frame, entry, raw));
    }
  }
  return {};
}

// The object at `from` is absent: finds out where the layer is now, unless another request has.
Result<> FrameFetcher::move(Flight& flight, const Place& from, const CallOptions& options) {
  if (place().stored != from.stored) return {};
  LayerEntry layer = options_.layer;
  layer.stored = from.stored;
  VARVE_ASSIGN(layer.stored, options_.locator->locate(layer, options));
  Place to{layer.stored, nullptr};
  // The request for the tail brings the table itself.
  if (!flight.range.empty()) {
    VARVE_ASSIGN(FrameTable table,
                 read_frame_table(context_.storage, options_.log, layer, options));
    frames_.set_table(to.stored, table);
    to.table = std::make_shared<const FrameTable>(std::move(table));
  }
  const std::lock_guard lock(mutex_);
  if (place_.stored == from.stored) place_ = std::move(to);
  return {};
}

FrameFetcher::Place FrameFetcher::place() const {
  const std::lock_guard lock(mutex_);
  return place_;
}

Result<> FrameFetcher::take(size_t frame, const Frame& entry, ByteView bytes) {
  // The tail may bring frames that are here from an earlier time.
  if (frames_.has(frame)) return {};
  VARVE_TRY(frames_.put(frame, entry, bytes));
  options_.counters->bytes += entry.raw_size;
  if (options_.fetched) options_.fetched(entry.raw_size);
  const std::lock_guard lock(mutex_);
  if (!std::exchange(counted_, true)) ++options_.counters->layers;
  claims_[frame].reset();
  ++changes_;
  changed_.notify_all();
  return {};
}

FrameFetcher::Flights FrameFetcher::end(Flight& flight, const Result<>& result) {
  const std::lock_guard lock(mutex_);
  for (size_t frame = flight.range.first; frame < flight.range.end; ++frame) {
    if (claims_[frame].get() == &flight) claims_[frame].reset();
  }
  Flights next;
  if (tail_.get() == &flight) tail_.reset();
  if (result.ok() && !flight.next.empty() && !flight.stop.stop_requested()) {
    // In the same step, so that nobody claims parts of it in between.
    next = claim(flight.next);
    for (const FlightPointer& claimed : next) {
      claimed->in_background = true;
      claimed->begun = true;
    }
  }
  flight.ended = true;
  if (!result.ok()) {
    flight.error = result.error();
    const bool unnoticed = flight.waiters == 0 && !flight.stop.stop_requested();
    if (options_.report_failed_start && unnoticed) failed_start_ = result.error();
  }
  std::erase_if(flights_, [&](const FlightPointer& other) { return other.get() == &flight; });
  ++changes_;
  changed_.notify_all();
  return next;
}

}  // namespace varve
