#include "follow/follower.h"

#include "base/logging.h"
#include "ingest/wal/wal_ingester.h"
#include "postgres/key_space.h"
#include "postgres/wal/stream_decoder.h"
#include "postgres/wal_segment.h"

namespace varve {
namespace {

// Before a question of the primary is answered: between two answers something should have changed.
constexpr Duration kAnswerPause = std::chrono::milliseconds(10);

// Whether the next attempt may end otherwise though nobody has done anything about this side: what
// the network or the server suffers from passes, and somebody may be mending pg_hba.conf or making
// room on a disk. Conflict is a slot that the connection before still holds.
bool may_pass(ErrorCode code) {
  switch (code) {
    case ErrorCode::kUnavailable:
    case ErrorCode::kThrottled:
    case ErrorCode::kDenied:
    case ErrorCode::kExhausted:
    case ErrorCode::kConflict:
    case ErrorCode::kCancelled:
      return true;
    default:
      return false;
  }
}

// Feedback to the primary: when it is due, and how it is sent.
struct TimedFeedback {
  const Clock& clock;
  Deadline due;
  // Makes it due again later.
  std::function<Result<>()> send;
};

// While it waits for room or for uploads, which may take hours, the primary hears that somebody is
// there.
class FeedTarget : public WalTarget {
 public:
  FeedTarget(TimelineFeed& feed, const TimedFeedback& feedback, CallOptions call)
      : feed_(feed), feedback_(feedback), call_(std::move(call)) {}

  Result<> ingest(Lsn start, Lsn end, std::span<const Version> versions) override {
    for (;;) {
      CallOptions until_due = call_;
      until_due.deadline = Deadline::earlier(call_.deadline, feedback_.due);
      auto ingested = feed_.ingest({.start = start, .end = end}, versions, until_due);
      const bool only_waited =
          ingested.failed_with(ErrorCode::kCancelled) && feedback_.due.passed(feedback_.clock);
      if (!only_waited) return ingested;
      VARVE_TRY(call_.check("follow"));
      VARVE_TRY(feedback_.send());
    }
  }
  VersionSource& source() override { return feed_.source(); }

 private:
  TimelineFeed& feed_;
  const TimedFeedback& feedback_;
  const CallOptions call_;
};

// Of an error that ends the following: what the one who reads it may do.
Error with_remedy(const Error& error, const FollowedPrimary& primary, Lsn end) {
  if (end == primary.restored_at) {
    return {error.code(),
            fmt::format("{}. Nothing was followed: timeline {} goes on with a server that "
                        "`varve restore` made of it as of {}, and that still has all its WAL. Any "
                        "other primary is protected as a new timeline",
                        error.message(), primary.timeline, end)};
  }
  constexpr std::string_view kAnew =
      "What was followed until then can be read. To go on, end this with `varve unprotect`, and "
      "protect the primary anew, with a new base backup";
  return {error.code(), fmt::format("{}. {}", error.message(), kAnew)};
}

}  // namespace

std::string_view name(FollowState state) {
  switch (state) {
    case FollowState::kConnecting:
      return "connecting";
    case FollowState::kStreaming:
      return "streaming";
    case FollowState::kStopped:
      return "stopped";
    case FollowState::kIdle:
      return "idle";
  }
  return "unknown";
}

class Follower::Exporter {
 public:
  Exporter(Metrics& metrics, const TenantTimelineId& timeline)
      : metrics_(metrics),
        labels_{{"tenant", timeline.tenant.to_string()},
                {"timeline", timeline.timeline.to_string()}},
        streaming_(metrics.gauge(kStreaming, "1 while WAL is streamed from the primary.", labels_)),
        lag_(metrics.gauge(kLag, "WAL that the primary has written and that is not ingested yet.",
                           labels_)),
        unconfirmed_(metrics.gauge(
            kUnconfirmed, "WAL that the primary has to keep, since it is not safe yet.", labels_)),
        received_(metrics.counter("varve_follow_received_bytes_total",
                                  "WAL that came from the primary.", labels_)),
        failures_(metrics.counter("varve_follow_failures_total",
                                  "Connections to the primary that broke, or were not made.",
                                  labels_)) {}
  ~Exporter() {
    for (const char* const name : {kStreaming, kLag, kUnconfirmed}) {
      metrics_.remove_gauge(name, labels_);
    }
  }
  Exporter(const Exporter&) = delete;
  Exporter& operator=(const Exporter&) = delete;

  void show(const FollowStatus& status) {
    const auto behind = [&](Lsn at) {
      return static_cast<double>(status.server_end.value -
                                 std::min(at.value, status.server_end.value));
    };
    streaming_.set(status.state == FollowState::kStreaming ? 1 : 0);
    lag_.set(behind(status.ingested));
    unconfirmed_.set(behind(status.confirmed));
  }
  void count_received(size_t bytes) { received_.add(static_cast<double>(bytes)); }
  void count_failure() { failures_.add(); }

 private:
  static constexpr char kStreaming[] = "varve_follow_streaming";
  static constexpr char kLag[] = "varve_follow_lag_bytes";
  static constexpr char kUnconfirmed[] = "varve_follow_unconfirmed_bytes";

  Metrics& metrics_;
  const MetricLabels labels_;
  Gauge streaming_;
  Gauge lag_;
  Gauge unconfirmed_;
  Counter received_;
  Counter failures_;
};

Follower::Follower(std::unique_ptr<TimelineFeed> feed, Options options)
    : options_(std::move(options)),
      feed_(std::move(feed)),
      exporter_(options_.metrics == nullptr
                    ? nullptr
                    : std::make_unique<Exporter>(*options_.metrics, options_.primary.timeline)) {
  status_.slot = options_.primary.slot;
  status_.ingested = feed_->last_record_lsn();
  status_.received = status_.ingested;
  status_.server_end = status_.ingested;
  status_.confirmed = options_.confirmed();
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

Follower::~Follower() = default;

FollowStatus Follower::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

template <typename Change>
void Follower::update(Change&& change) {
  const std::lock_guard lock(mutex_);
  change(status_);
  if (exporter_) exporter_->show(status_);
}

void Follower::run(const std::stop_token& stop) {
  const CallOptions call{.stop = stop};
  for (int failures = 0; !stop.stop_requested();) {
    const Lsn before = feed_->last_record_lsn();
    const auto followed = follow(call);
    if (stop.stop_requested()) break;
    const bool is_final = !may_pass(followed.code());
    const Error why =
        is_final ? with_remedy(followed.error(), options_.primary, feed_->last_record_lsn())
                 : followed.error();
    if (exporter_) exporter_->count_failure();
    update([&](FollowStatus& status) {
      status.state = is_final ? FollowState::kStopped : FollowState::kConnecting;
      status.failure = why;
      status.failed_at = options_.clock->now();
    });
    const std::string what = fmt::format("timeline {} does not follow its primary{}",
                                         options_.primary.timeline, is_final ? "" : " for now");
    log_error(what, why);
    if (is_final) return;
    // One that has brought something counts as none.
    failures = before < feed_->last_record_lsn() ? 1 : failures + 1;
    options_.clock->sleep(backoff_delay(options_.backoff, failures, *options_.random), stop);
  }
}

Result<> Follower::check_identity(const SystemIdentity& identity, uint64_t system_identifier,
                                  uint32_t timeline) const {
  const auto refuse = [&](ErrorCode code, std::string_view why) {
    return make_error(code, "{} is not where timeline {} ends: {}", status().peer,
                      options_.primary.timeline, why);
  };
  if (identity.system_identifier != system_identifier) {
    return refuse(ErrorCode::kInvalidArgument,
                  fmt::format("it is another cluster, of system identifier {} instead of {}",
                              identity.system_identifier, system_identifier));
  }
  if (identity.timeline != timeline) {
    return refuse(ErrorCode::kInvalidArgument,
                  fmt::format("it is on timeline {} of PostgreSQL instead of {}: it, or the server "
                              "it was made from, was promoted or restored",
                              identity.timeline, timeline));
  }
  if (identity.flushed < feed_->last_record_lsn()) {
    return refuse(ErrorCode::kInvalidArgument,
                  fmt::format("its WAL goes up to {} only, and that which came from it before up "
                              "to {}: it has lost WAL, or was set back",
                              identity.flushed, feed_->last_record_lsn()));
  }
  return {};
}

Result<> Follower::check_restored(const Result<std::optional<WalRecord>>& first) const {
  const TenantTimelineId& id = options_.primary.timeline;
  const Lsn lsn = options_.primary.restored_at;
  std::optional<RestoreMark> mark;
  if (DecodedRecord decoded; first.ok() && decoded.decode(**first).ok()) {
    mark = RestoreMark::find(decoded);
  }
  if (!mark) {
    return make_error(ErrorCode::kInvalidArgument,
                      "{} was not restored from timeline {} as of {}: its WAL does not say so",
                      status().peer, id, lsn);
  }
  const bool is_of_the_same = mark->timeline == id || (options_.was_the_same != nullptr &&
                                                       options_.was_the_same(mark->timeline));
  if (mark->lsn == lsn && is_of_the_same) return {};
  return make_error(ErrorCode::kInvalidArgument,
                    "{} was restored from timeline {} as of {}, and timeline {} ends at {}",
                    status().peer, mark->timeline, mark->lsn, id, lsn);
}

Result<> Follower::follow(const CallOptions& call) {
  VARVE_ASSIGN(auto connection, ReplicationConnection::connect(options_.primary.connection_string,
                                                               call, options_.connection));
  update([&](FollowStatus& status) { status.peer = connection.peer(); });
  return follow_stream(connection, call);
}

Result<> Follower::follow_stream(ReplicationConnection& connection, const CallOptions& call) {
  Timeline& timeline = feed_->timeline();
  const Timeline::RecordEnd last = timeline.last_record();
  VARVE_ASSIGN(const Bytes stored, feed_->source().get(make_key(ControlFileKey{}), last.end));
  VARVE_ASSIGN(const ControlFile control, ControlFile::parse(stored));
  const uint32_t wal_timeline = control.checkpoint().timeline;
  VARVE_ASSIGN(const SystemIdentity identity, connection.identify_system(call));
  VARVE_TRY(check_identity(identity, control.system_identifier(), wal_timeline));
  // Of a restored server the WAL begins in the next segment.
  bool joins = last.end == options_.primary.restored_at;
  const Lsn begin = joins ? next_wal_segment(last.end, control.wal_segment_size()) : last.end;
  VARVE_ASSIGN(auto decoder,
               WalStreamDecoder::create({.position = begin,
                                         .wal_segment_size = control.wal_segment_size(),
                                         .system_identifier = control.system_identifier(),
                                         .timeline = wal_timeline,
                                         .previous_record = joins ? Lsn() : last.start}));
  TimedFeedback feedback{.clock = *options_.clock,
                         .due = Deadline::after(Duration::zero(), *options_.clock),
                         .send = {}};
  feedback.send = [&]() -> Result<> {
    if (options_.given_up != nullptr) {
      if (const auto why = options_.given_up()) return *why;
    }
    VARVE_TRY(send_feedback(connection, control.wal_segment_size()));
    feedback.due = Deadline::after(options_.feedback_interval, feedback.clock);
    return {};
  };
  FeedTarget target(*feed_, feedback, call);
  VARVE_ASSIGN(auto ingester,
               WalIngester::open(target, last.end, {.consistent_from = timeline.oldest_lsn()}));
  VARVE_TRY(connection.start_streaming(options_.primary.slot, begin, wal_timeline, call));
  spdlog::info("timeline {} follows {} from {}", options_.primary.timeline, connection.peer(),
               begin);
  update([&](FollowStatus& status) {
    status.state = FollowState::kStreaming;
    status.server_end = identity.flushed;
    status.received = begin;
  });

  const auto take = [&](const WalData& data) -> Result<> {
    if (exporter_) exporter_->count_received(data.bytes.size());
    ByteView input = data.bytes;
    const auto decode = [&]() -> Result<> {
      for (;;) {
        auto record = decoder.next(input);
        if (record.ok() && !*record) return {};
        if (std::exchange(joins, false)) VARVE_TRY(check_restored(record));
        if (!record.ok()) return record.error().context(connection.peer());
        VARVE_TRY(ingester.ingest(**record));
      }
    };
    const auto decoded = decode();
    // What came before an error shows.
    const auto flushed = ingester.flush();
    update([&](FollowStatus& status) {
      status.ingested = feed_->last_record_lsn();
      // Of a segment that was ended early the rest is not waited for.
      status.received = std::max(data.end(), status.ingested);
      status.server_end = std::max(status.received, data.server_end);
    });
    return decoded.ok() ? flushed : decoded;
  };

  for (;;) {
    CallOptions until_feedback = call;
    until_feedback.deadline = feedback.due;
    const auto event = connection.receive(until_feedback);
    if (event.ok()) {
      if (const auto* const data = std::get_if<WalData>(&*event)) {
        VARVE_TRY(take(*data));
      } else if (const auto* const keepalive = std::get_if<Keepalive>(&*event)) {
        update([&](FollowStatus& status) { status.server_end = keepalive->server_end; });
        // A server that is being stopped waits until everything is safe, and asks again after each
        // answer.
        if (keepalive->reply_requested) {
          timeline.freeze();
          feedback.due =
              Deadline::earlier(feedback.due, Deadline::after(kAnswerPause, feedback.clock));
        }
      } else if (const auto* const ended = std::get_if<TimelineEnded>(&*event)) {
        return make_error(
            ErrorCode::kInvalidArgument,
            "{} was promoted: its timeline {} of PostgreSQL ends at {}, and {} goes on",
            connection.peer(), wal_timeline, ended->switch_point, ended->next_timeline);
      } else {
        return make_error(ErrorCode::kUnavailable, "{} was shut down", connection.peer());
      }
    } else if (!event.failed_with(ErrorCode::kCancelled) || call.stop.stop_requested()) {
      return event.error();
    }
    // Not before the first event: a stream may have ended where it was to begin.
    if (feedback.due.passed(feedback.clock)) VARVE_TRY(feedback.send());
  }
}

Result<> Follower::send_feedback(ReplicationConnection& connection, uint32_t wal_segment_size) {
  Lsn confirmed = options_.confirmed();
  // It has no WAL of what it was restored from, and takes a slot that needs some for lost.
  const Lsn restored_at = options_.primary.restored_at;
  if (restored_at.valid() && confirmed <= restored_at) {
    confirmed = next_wal_segment(restored_at, wal_segment_size);
  }
  FollowStatus sent;
  update([&](FollowStatus& status) {
    status.confirmed = std::max(status.confirmed, confirmed);
    sent = status;
  });
  return connection.send_feedback(
      {.written = sent.received, .flushed = sent.confirmed, .applied = sent.ingested});
}

}  // namespace varve
