// The primaries whose timelines this server follows: begun by a base backup, kept up from start to
// start, ended on request.
#pragma once

#include <map>
#include <mutex>

#include "follow/follower.h"
#include "server/page_server.h"
#include "server/page_service.h"

namespace varve {

// Thread-safe.
class Protection {
 public:
  // It outlives it. Nothing is followed before resume() or protect().
  explicit Protection(PageServer& server);
  ~Protection();
  Protection(const Protection&) = delete;
  Protection& operator=(const Protection&) = delete;

  // Goes on with what was followed before. Returns at once; what fails is logged and shows in
  // status(). What a protect() has left that was killed, is undone in the background.
  void resume();
  // Ends all streams, each with a last checkpoint whose upload is left to the sync engine. Nothing
  // is followed from then on.
  void stop();

  // Makes a slot at the primary, and a timeline of a base backup, and follows it from there on.
  // Gives the timeline once it is streaming, and can be restored from what is remote. After an
  // error neither timeline nor slot is there, unless it says that the timeline is made. Conflict
  // when the name is taken, InvalidArgument when the server is none that can be followed, and what
  // replication_connection.h says.
  Result<TimelineInfo> protect(const NewProtection& wanted, const CallOptions& call,
                               const ByteProgress& progress);

  // Follows, with a timeline that is there, the primary that was restored from where it ends: this
  // timeline, or one that was the same then. Gives the timeline once it is streaming, and the first
  // of that is remote. After an error nobody is followed, and no slot is there, unless it says
  // otherwise. Conflict when the timeline follows somebody, InvalidArgument when the server was not
  // restored from there, NotFound when it has not all its WAL any more.
  Result<TimelineInfo> protect_restored(const TenantTimelineId& id,
                                        const std::string& connection_string,
                                        const CallOptions& call);

  // The timeline stays as it is then. Unless the slot is to be kept, all that has arrived is
  // brought into the remote storage, and the slot dropped: when that fails, nothing has changed.
  // NotFound when the timeline follows nobody.
  Result<> unprotect(const TenantTimelineId& id, bool keep_slot, const CallOptions& call);

  // None when the timeline follows nobody.
  std::optional<FollowStatus> status(const TenantTimelineId& id) const;
  // Conflict when it follows somebody.
  Result<> check_unprotected(const TenantTimelineId& id) const;

 private:
  class Undo;

  // Conflict when the timeline follows somebody.
  Result<> remember(const FollowedPrimary& primary);
  Result<> forget(const FollowedPrimary& primary);
  Result<> start_following(const FollowedPrimary& primary);
  Result<> give_up_slot(const FollowedPrimary& primary, const CallOptions& call);
  // Until it is streaming, and all up to `lsn` has come. What ended it, if that happens before.
  Result<> wait_for(const TenantTimelineId& id, Lsn lsn, const CallOptions& call) const;
  // Null when nobody is followed.
  std::unique_ptr<Follower> take_follower(const TenantTimelineId& id);
  // With what was received in files.
  void stop_following(std::unique_ptr<Follower> follower);
  Result<TimelineInfo> make_timeline(const FollowedPrimary& primary, const std::string& name,
                                     ReplicationConnection& connection, Lsn& readable_from,
                                     const CallOptions& call, const ByteProgress& progress);
  void undo_unfinished(const std::vector<FollowedPrimary>& primaries, const std::stop_token& stop);

  PageServer& server_;
  const FollowedPrimaryFiles files_;
  mutable std::mutex mutex_;
  // What is in the files.
  std::map<TenantTimelineId, FollowedPrimary> primaries_;
  std::map<TenantTimelineId, std::unique_ptr<Follower>> followers_;
  // Why some could not be started.
  std::map<TenantTimelineId, FollowStatus> failed_;
  bool stopped_ = false;
  std::jthread undo_thread_;
};

}  // namespace varve
