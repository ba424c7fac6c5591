#include "server/protection.h"

#include <charconv>

#include "base/logging.h"
#include "follow/backup_spool.h"
#include "fs/directory.h"
#include "fs/temporary_directory.h"
#include "ingest/import.h"
#include "layer/pipelined_sink.h"

namespace varve {
namespace {

constexpr uint32_t kPostgresVersion = 15;
constexpr char kPrimariesDirectory[] = "primaries";
// A server needs a moment to notice that a stream has ended.
constexpr Duration kSlotRelease = std::chrono::seconds(10);
constexpr Duration kLookAtSlotEvery = std::chrono::milliseconds(100);

std::string slot_name(const TenantTimelineId& id) {
  return fmt::format("varve_{}", id.timeline);
}

Result<> drop_slot(const FollowedPrimary& primary, const CallOptions& call) {
  VARVE_ASSIGN(auto connection, ReplicationConnection::connect(primary.connection_string, call));
  const Deadline patience = Deadline::after(kSlotRelease);
  for (;;) {
    auto dropped = connection.drop_slot(primary.slot, call);
    if (dropped.ok() || dropped.failed_with(ErrorCode::kNotFound)) return {};
    if (!dropped.failed_with(ErrorCode::kConflict) || patience.passed()) {
      return std::move(dropped).context(connection.peer());
    }
    system_clock().sleep(kLookAtSlotEvery, call.stop);
    VARVE_TRY(call.check("drop the replication slot"));
  }
}

// As SHOW prints it: "0700".
Result<mode_t> parse_mode(const std::string& text) {
  mode_t mode = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), mode, 8);
  if (parsed.ec == std::errc() && (mode == 0700 || mode == 0750)) return mode;
  return make_error(ErrorCode::kCorrupted, "data_directory_mode is '{}'", text);
}

Result<> check_primary(ReplicationConnection& connection, const CallOptions& call) {
  VARVE_ASSIGN(const std::string is_standby, connection.show("in_hot_standby", call));
  if (is_standby == "off") return {};
  return make_error(ErrorCode::kInvalidArgument,
                    "it is a standby: name its primary, since a standby may be promoted");
}

Error already_protected(const TenantTimelineId& id) {
  return make_error(ErrorCode::kConflict,
                    "timeline {} is protected: end that first, with `varve unprotect`", id);
}

std::optional<Error> reason_if_given_up(const TimelineStates& states, const TenantTimelineId& id) {
  const auto known = states.find(id);
  if (!known || known->state != TimelineSyncState::kEvicted) return {};
  const auto failure = states.last_failure(id);
  return make_error(ErrorCode::kInvalidArgument,
                    "nothing of timeline {} is uploaded from here any more: {}", id,
                    failure ? failure->message() : "it was given up");
}

// Half of the work is to copy, the other half to read what was copied.
class HalfProgress {
 public:
  explicit HalfProgress(const ByteProgress& progress) : progress_(progress) {}

  void copied(uint64_t done, uint64_t total) {
    copied_ = std::max(done, total);
    if (progress_) progress_(done, 2 * copied_);
  }
  void read(uint64_t done, uint64_t total) const {
    if (progress_) progress_(copied_ + std::min(done, total), copied_ + total);
  }

 private:
  const ByteProgress& progress_;
  uint64_t copied_ = 0;
};

}  // namespace

// Takes back what a protection that was begun has made at the primary, unless it came to its end.
class Protection::Undo {
 public:
  Undo(Protection& protection, const FollowedPrimary& primary)
      : protection_(protection), primary_(primary) {}
  ~Undo() {
    if (finished_) return;
    if (auto follower = protection_.take_follower(primary_.timeline)) {
      protection_.stop_following(std::move(follower));
    }
    // Not with the call's own stop request, which is what may have ended it.
    auto undone = drop_slot(primary_, {.deadline = Deadline::after(kSlotRelease)});
    if (undone.ok()) undone = protection_.forget(primary_);
    if (!undone.ok()) {
      log_error(fmt::format("the replication slot {} is left, and dropped at the next start",
                            primary_.slot),
                undone.error());
    }
  }
  Undo(const Undo&) = delete;
  Undo& operator=(const Undo&) = delete;
  void finish() { finished_ = true; }

 private:
  Protection& protection_;
  const FollowedPrimary& primary_;
  bool finished_ = false;
};

Protection::Protection(PageServer& server)
    : server_(server), files_(server.directory().path() / kPrimariesDirectory) {
  const auto primaries = files_.list();
  if (!primaries.ok()) {
    log_error("no timeline follows its primary", primaries.error());
    return;
  }
  for (const FollowedPrimary& primary : *primaries) primaries_[primary.timeline] = primary;
}

Result<> Protection::remember(const FollowedPrimary& primary) {
  {
    const std::lock_guard lock(mutex_);
    if (!primaries_.emplace(primary.timeline, primary).second) {
      return already_protected(primary.timeline);
    }
  }
  auto written = files_.write(primary);
  if (written.ok()) return {};
  const std::lock_guard lock(mutex_);
  primaries_.erase(primary.timeline);
  return written;
}

Result<> Protection::forget(const FollowedPrimary& primary) {
  VARVE_TRY(files_.remove(primary.timeline));
  const std::lock_guard lock(mutex_);
  primaries_.erase(primary.timeline);
  failed_.erase(primary.timeline);
  return {};
}

Protection::~Protection() {
  stop();
}

void Protection::stop() {
  undo_thread_ = {};
  std::map<TenantTimelineId, std::unique_ptr<Follower>> followers;
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    followers.swap(followers_);
  }
  for (auto& [id, follower] : followers) stop_following(std::move(follower));
}

void Protection::resume() {
  std::vector<FollowedPrimary> unfinished;
  const auto primaries = primaries_;
  for (const auto& [id, primary] : primaries) {
    if (!server_.tenants().has_timeline(primary.timeline)) {
      unfinished.push_back(primary);
      continue;
    }
    auto started = start_following(primary);
    if (started.ok()) continue;
    log_error(fmt::format("timeline {} does not follow its primary", primary.timeline),
              started.error());
    const std::lock_guard lock(mutex_);
    failed_[primary.timeline] = {.state = FollowState::kStopped,
                                 .slot = primary.slot,
                                 .failure = started.error(),
                                 .failed_at = system_clock().now()};
  }
  if (unfinished.empty()) return;
  undo_thread_ = std::jthread(
      [this, unfinished](const std::stop_token& stop) { undo_unfinished(unfinished, stop); });
}

void Protection::undo_unfinished(const std::vector<FollowedPrimary>& primaries,
                                 const std::stop_token& stop) {
  for (const FollowedPrimary& primary : primaries) {
    auto undone = drop_slot(primary, {.stop = stop});
    if (undone.ok()) undone = forget(primary);
    if (undone.ok()) {
      spdlog::info("dropped the replication slot {} of a protect that was interrupted",
                   primary.slot);
    } else {
      log_error(
          fmt::format("the replication slot {} is left of a protect that was interrupted, and "
                      "makes its server keep WAL",
                      primary.slot),
          undone.error());
    }
  }
}

Result<> Protection::start_following(const FollowedPrimary& primary) {
  VARVE_ASSIGN(auto feed, server_.feed(primary.timeline, {}));
  const auto kept = server_.tenants().store().timeline(primary.timeline);
  if (kept == nullptr) {
    return make_error(ErrorCode::kNotFound, "timeline {} is gone", primary.timeline);
  }
  const bool by_remote = server_.confirms_remote();
  const TenantTimelineId id = primary.timeline;
  const auto was_the_same = [&tenants = server_.tenants(), id,
                             lsn = primary.restored_at](const TenantTimelineId& other) {
    // Of a branch that begins there, nothing at or below it is its own.
    const Lsn before{lsn.value - 1};
    const auto origin = tenants.origin_of(id, before);
    const auto others = tenants.origin_of(other, before);
    return origin.ok() && others.ok() && *origin == *others;
  };
  auto follower = std::make_unique<Follower>(
      std::move(feed),
      Follower::Options{.primary = primary,
                        .confirmed =
                            [kept, by_remote] {
                              const auto state = kept->get();
                              return by_remote ? state->remote_consistent_lsn
                                               : state->manifest.metadata.disk_consistent_lsn;
                            },
                        .was_the_same = was_the_same,
                        .given_up = [&states = server_.tenants().states(),
                                     id] { return reason_if_given_up(states, id); },
                        .metrics = &server_.metrics()});
  const std::lock_guard lock(mutex_);
  if (stopped_) return make_error(ErrorCode::kUnavailable, "the server is being stopped");
  failed_.erase(primary.timeline);
  followers_[primary.timeline] = std::move(follower);
  return {};
}

std::unique_ptr<Follower> Protection::take_follower(const TenantTimelineId& id) {
  const std::lock_guard lock(mutex_);
  const auto found = followers_.find(id);
  if (found == followers_.end()) return nullptr;
  std::unique_ptr<Follower> follower = std::move(found->second);
  followers_.erase(found);
  return follower;
}

void Protection::stop_following(std::unique_ptr<Follower> follower) {
  const TenantTimelineId id = follower->primary().timeline;
  follower.reset();
  auto flushed = server_.flush(id);
  if (!flushed.ok()) {
    log_error(fmt::format("what timeline {} has received last will be streamed again", id),
              flushed.error());
  }
}

Result<TimelineInfo> Protection::protect(const NewProtection& wanted, const CallOptions& call,
                                         const ByteProgress& progress) {
  VARVE_ASSIGN(const TenantInfo tenant, server_.tenants().tenant(wanted.tenant));
  VARVE_TRY(server_.tenants().check_new_timeline(tenant.id, wanted.name));
  VARVE_ASSIGN(auto connection, ReplicationConnection::connect(wanted.primary, call));
  VARVE_TRY(check_primary(connection, call).context(connection.peer()));
  const TenantTimelineId id{tenant.id, system_random().next_id<TimelineId>()};
  const FollowedPrimary primary{
      .timeline = id, .connection_string = wanted.primary, .slot = slot_name(id)};
  // Before the slot, so that it is found by the next start.
  VARVE_TRY(remember(primary));
  Lsn readable_from;
  {
    Undo undo(*this, primary);
    VARVE_TRY(make_timeline(primary, wanted.name, connection, readable_from, call, progress));
    undo.finish();
  }
  const std::string made = fmt::format("timeline {} is made", id);
  VARVE_TRY(start_following(primary).context(made));
  VARVE_TRY(wait_for(id, readable_from, call).context(made));
  // Before the WAL of the base backup is remote, too, nothing can be restored from there.
  auto made_remote = server_.checkpoint(id, call, {});
  return std::move(made_remote)
      .context(
          fmt::format("timeline {} is made and follows its primary; the WAL of its base backup "
                      "is not remote yet",
                      id));
}

Result<TimelineInfo> Protection::protect_restored(const TenantTimelineId& id,
                                                  const std::string& connection_string,
                                                  const CallOptions& call) {
  VARVE_TRY(check_unprotected(id));
  VARVE_ASSIGN(auto connection, ReplicationConnection::connect(connection_string, call));
  VARVE_TRY(check_primary(connection, call).context(connection.peer()));
  VARVE_ASSIGN(const TimelineInfo timeline, server_.timeline(id.to_string()));
  const FollowedPrimary primary{.timeline = id,
                                .connection_string = connection_string,
                                .slot = slot_name(id),
                                .restored_at = timeline.last_record_lsn};
  VARVE_TRY(remember(primary));
  Undo undo(*this, primary);
  VARVE_TRY(connection.create_slot(primary.slot, {}, call).context(connection.peer()));
  VARVE_TRY(start_following(primary));
  VARVE_TRY(wait_for(id, {primary.restored_at.value + 1}, call));
  undo.finish();
  auto made_remote = server_.checkpoint(id, call, {});
  return std::move(made_remote)
      .context(fmt::format(
          "timeline {} follows its primary, and the first WAL of that is not remote yet", id));
}

// The follower may be taken away meanwhile.
Result<> Protection::wait_for(const TenantTimelineId& id, Lsn lsn, const CallOptions& call) const {
  for (;;) {
    const auto status = this->status(id);
    if (!status) return make_error(ErrorCode::kConflict, "timeline {} is followed no longer", id);
    if (status->state == FollowState::kStopped) return *status->failure;
    if (status->state == FollowState::kStreaming && lsn <= status->ingested) return {};
    VARVE_TRY(call.check(fmt::format("waiting for the WAL up to {}", lsn)));
    system_clock().sleep(kLookAtSlotEvery, call.stop);
  }
}

Result<TimelineInfo> Protection::make_timeline(const FollowedPrimary& primary,
                                               const std::string& name,
                                               ReplicationConnection& connection,
                                               Lsn& readable_from, const CallOptions& call,
                                               const ByteProgress& progress) {
  const auto take_backup = [&](BackupSpool& spool) -> Result<BackupEnd> {
    VARVE_TRY(connection.create_slot(primary.slot, {}, call));
    return take_base_backup(connection, {}, spool, call);
  };
  const auto scratch_parent = server_.directory().scratch_directory();
  VARVE_TRY(create_directories_durably(scratch_parent));
  VARVE_ASSIGN(const TemporaryDirectory scratch,
               TemporaryDirectory::create("backup-", scratch_parent));
  HalfProgress halves(progress);
  BackupSpool spool(scratch.path(),
                    [&](uint64_t done, uint64_t total) { halves.copied(done, total); });
  VARVE_ASSIGN(const std::string mode_text, connection.show("data_directory_mode", call));
  VARVE_ASSIGN(const mode_t mode, parse_mode(mode_text));
  auto backup = take_backup(spool);
  if (!backup.ok()) return backup.error().context(connection.peer());
  readable_from = backup->stop;
  spdlog::info("timeline {}: base backup of {} from {} to {}", primary.timeline, connection.peer(),
               spool.start().start, backup->stop);

  VARVE_ASSIGN(const DataDirectory source,
               DataDirectory::open_backup(scratch.path(), spool.facts(mode)));
  TenantManager& tenants = server_.tenants();
  VARVE_ASSIGN(TimelineDraft draft,
               tenants.start_timeline(primary.timeline.tenant, spool.start().start,
                                      primary.timeline.timeline));
  PipelinedSink writer(draft);
  VARVE_ASSIGN(
      const ImportSummary summary,
      import_data_directory(source, writer, {.stop = call.stop}, [&](const Progress& read) {
        halves.read(read.bytes_done, read.bytes_total);
      }));
  VARVE_TRY(writer.finish());
  VARVE_TRY(draft.finish({.disk_consistent_lsn = summary.last_record_lsn,
                          .gc_cutoff_lsn = backup->stop,
                          .postgres_version = kPostgresVersion,
                          .system_identifier = summary.system_identifier}));
  return tenants.commit_timeline(std::move(draft), name, {}, call);
}

Result<> Protection::unprotect(const TenantTimelineId& id, bool keep_slot,
                               const CallOptions& call) {
  FollowedPrimary primary;
  {
    const std::lock_guard lock(mutex_);
    const auto known = primaries_.find(id);
    if (known == primaries_.end()) {
      return make_error(ErrorCode::kNotFound, "timeline {} follows no primary", id);
    }
    primary = known->second;
  }
  std::unique_ptr<Follower> follower = take_follower(id);
  const bool was_followed = follower != nullptr;
  if (was_followed) stop_following(std::move(follower));
  auto ended = keep_slot ? Result<>() : give_up_slot(primary, call);
  if (ended.ok()) return forget(primary);
  if (was_followed) VARVE_TRY(start_following(primary));
  return std::move(ended).context(
      fmt::format("the replication slot {} is not dropped, and timeline {} stays protected "
                  "(--keep-slot ends that all the same)",
                  primary.slot, id));
}

Result<> Protection::give_up_slot(const FollowedPrimary& primary, const CallOptions& call) {
  // From then on nobody has it any more.
  VARVE_TRY(server_.checkpoint(primary.timeline, call, {}));
  return drop_slot(primary, call);
}

std::optional<FollowStatus> Protection::status(const TenantTimelineId& id) const {
  const std::lock_guard lock(mutex_);
  if (const auto found = followers_.find(id); found != followers_.end()) {
    return found->second->status();
  }
  if (const auto found = failed_.find(id); found != failed_.end()) return found->second;
  const auto primary = primaries_.find(id);
  if (primary == primaries_.end()) return {};
  return FollowStatus{.state = FollowState::kIdle, .slot = primary->second.slot};
}

Result<> Protection::check_unprotected(const TenantTimelineId& id) const {
  if (!status(id)) return {};
  return already_protected(id);
}

}  // namespace varve
