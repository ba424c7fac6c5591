// A timeline follows its primary: WAL comes in by streaming replication and goes into the timeline,
// and the primary hears how far it need not keep it any longer.
#pragma once

#include <mutex>
#include <thread>

#include "base/metrics.h"
#include "follow/followed_primary.h"
#include "postgres/wal/wal_record.h"
#include "replication/replication_connection.h"
#include "runtime/backoff.h"
#include "timeline/timeline_feed.h"

namespace varve {

enum class FollowState : uint8_t {
  // There is no stream: it is tried again and again.
  kConnecting,
  kStreaming,
  // For good, until somebody has seen to it.
  kStopped,
  // No server runs that would follow.
  kIdle,
};
// "connecting", "streaming", "stopped", "idle".
std::string_view name(FollowState state);

struct FollowStatus {
  FollowState state = FollowState::kConnecting;
  // "primary db1:5432 as role varve"; empty before the first connection.
  std::string peer;
  std::string slot;
  // How far the WAL of the primary went when it was last heard of.
  Lsn server_end;
  Lsn received;
  Lsn ingested;
  // Told to the primary as durable.
  Lsn confirmed;
  // Why there is no stream, or was none before this one.
  std::optional<Error> failure;
  std::optional<Timestamp> failed_at;
};

// Thread-safe.
class Follower {
 public:
  struct Options {
    FollowedPrimary primary;
    // What the primary need not keep any longer.
    std::function<Lsn()> confirmed;
    // Where primary.restored_at says that it was restored: whether what that timeline was then is
    // what this one was. Null: this one alone.
    std::function<bool(const TenantTimelineId&)> was_the_same = {};
    // Why nothing of the timeline will become remote any more, which ends the following; none while
    // that is not so. Null: it never is.
    std::function<std::optional<Error>()> given_up = {};
    ReplicationOptions connection = {};
    // How often the primary hears how far this side is.
    Duration feedback_interval = std::chrono::seconds(1);
    BackoffOptions backoff = {.initial = std::chrono::milliseconds(200),
                              .maximum = std::chrono::seconds(15)};
    Clock* clock = &system_clock();
    Random* random = &system_random();
    // Outlives it; null: nothing is counted.
    Metrics* metrics = nullptr;
  };
  // Begins at once, in a thread of its own, where the timeline ends.
  Follower(std::unique_ptr<TimelineFeed> feed, Options options);
  // Ends the stream. What was received is ingested; a last checkpoint is up to the caller.
  ~Follower();
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;

  const FollowedPrimary& primary() const { return options_.primary; }
  FollowStatus status() const;

 private:
  class Exporter;

  void run(const std::stop_token& stop);
  // One connection, from its beginning to its end.
  Result<> follow(const CallOptions& call);
  Result<> follow_stream(ReplicationConnection& connection, const CallOptions& call);
  Result<> check_identity(const SystemIdentity& identity, uint64_t system_identifier,
                          uint32_t timeline) const;
  // The first record of a primary that was restored from this timeline.
  Result<> check_restored(const Result<std::optional<WalRecord>>& first) const;
  Result<> send_feedback(ReplicationConnection& connection, uint32_t wal_segment_size);
  template <typename Change>
  void update(Change&& change);

  const Options options_;
  const std::unique_ptr<TimelineFeed> feed_;
  const std::unique_ptr<Exporter> exporter_;
  mutable std::mutex mutex_;
  FollowStatus status_;
  // Last, so that it ends first.
  std::jthread thread_;
};

}  // namespace varve
