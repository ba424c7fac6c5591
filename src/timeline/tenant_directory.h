// Which tenants and timelines there are, by ID and by name, and which names are taken by some in
// the making. Memory only: nothing here waits for a file or a request.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "storage_sync/local_store.h"
#include "storage_sync/sync_startup.h"
#include "timeline/tenant_info.h"

namespace varve {

// Thread-safe. What it gives are copies as of that moment.
//
// A tenant that was deleted is not there any more, save that its ID is taken.
//
// A timeline is *there* when it has a state, or a log, or is a branch that is registered, and was
// not deleted. A registration without any of that is an import that did not finish. What is in the
// making is not there yet.
class TenantDirectory {
 public:
  using State = std::shared_ptr<const LocalManifest>;
  using Timelines = std::vector<std::pair<TenantTimelineId, KnownTimeline>>;

  // States in the work directory are looked up in `store`, which outlives this.
  explicit TenantDirectory(const LocalStore& store) : store_(store) {}
  // What a start found, once.
  void fill(const std::map<TenantId, KnownTenant>& tenants);

  // Keeps ID and name of something in the making, until it is destroyed.
  class Reservation {
   public:
    Reservation(Reservation&& other) noexcept
        : directory_(std::exchange(other.directory_, nullptr)), id_(other.id_) {}
    Reservation& operator=(Reservation&&) = delete;
    ~Reservation();

   private:
    friend class TenantDirectory;
    Reservation(TenantDirectory& directory, const TenantTimelineId& id)
        : directory_(&directory), id_(id) {}

    TenantDirectory* directory_;
    TenantTimelineId id_;
  };

  // --- tenants ---

  // Those that can be used.
  std::vector<TenantInfo> tenants() const;
  // By ID or name. NotFound; InvalidArgument for what can be neither.
  Result<TenantInfo> tenant(std::string_view id_or_name) const;
  Result<TenantInfo> tenant(const TenantId& id) const;

  // Conflict when ID or name are taken; the ID of a deleted tenant is so for ever. The name may be
  // empty.
  Result<Reservation> reserve_tenant(const TenantId& id, const std::string& name);
  void add_tenant(const TenantId& id);
  // One that may or may not have been created: its name is taken, and `error` is what is said to
  // whoever asks for it.
  void add_uncertain_tenant(const TenantId& id, const std::string& name, Error error);

  // --- timelines ---

  // Those that are there, with damaged ones.
  Timelines timelines(const TenantId& tenant) const;
  // NotFound when it is not there.
  Result<KnownTimeline> timeline(const TenantTimelineId& id) const;
  // "TENANT/TIMELINE", each an ID or a name. NotFound when no timeline that is there has the name;
  // InvalidArgument for what is no address.
  Result<TenantTimelineId> find_timeline(std::string_view address) const;
  // Some timeline that begins in this one, or is about to.
  std::optional<TimelineRegistration> branch_of(const TenantTimelineId& id) const;
  // Of the tenant, whether some timeline is in the making.
  bool makes_timelines(const TenantId& tenant) const;

  // Conflict when it is taken, InvalidArgument when it is no name; empty names are always free.
  Result<> check_name_free(const TenantId& tenant, const std::string& name) const;
  // The same, and keeps it. Until then nobody finds the timeline, and its registration counts as
  // neither finished nor abandoned.
  Result<Reservation> reserve_timeline(const TenantTimelineId& id, const std::string& name);

  // The state in the work directory; null when there is none.
  State local_state(const TenantTimelineId& id) const;

  // --- what has been found out, or done ---

  // Takes over what the tenant's log lists.
  void note_registrations(const TenantManifest& tenant);
  // The same after an attach, which has brought every log into the work directory.
  void note_attached(const TenantManifest& tenant);
  // Drops from a manifest the imports that never finished, so that their names are free, and
  // completes deletions that were cut short after the last commit of the timeline's log.
  void tidy(TenantManifest& tenant) const;
  // The timeline's log has got to there; `remote` may be null.
  void note_head(const TenantTimelineId& id, uint64_t sequence, State remote = nullptr);
  // A commit that was read. Counts only while it is the newest one.
  void note_commit(const TenantTimelineId& id, const State& remote);
  void note_damage(const TenantTimelineId& id, const Error& damage);
  void forget_timeline(const TenantTimelineId& id);

 private:
  struct Tenant {
    KnownTenant known;
    // Of one that may or may not have been created.
    std::optional<std::string> uncertain_name;
  };
  using TenantEntry = std::map<TenantId, Tenant>::value_type;

  // All of these: under mutex_.
  std::shared_ptr<const LocalTenant> local_tenant(const TenantId& id) const;
  bool is_deleted(const TenantId& id) const;
  bool has_name(const TenantEntry& tenant, std::string_view name) const;
  Result<TenantInfo> describe(const TenantEntry& tenant) const;
  KnownTimeline* find(const TenantTimelineId& id);
  bool is_there(const TenantTimelineId& id, const KnownTimeline& timeline) const;
  Result<> check_name_free_locked(const TenantId& tenant, const std::string& name) const;

  const LocalStore& store_;
  mutable std::mutex mutex_;
  // Everything below: under mutex_.
  std::map<TenantId, Tenant> tenants_;
  // With their names. Tenants have no timeline ID.
  std::map<TenantTimelineId, std::string> in_the_making_;
};

// The newest state of a timeline that is at hand, given that of the work directory; null when there
// is none.
TenantDirectory::State newest_known(const TenantDirectory::State& local,
                                    const KnownTimeline& timeline);

// Of a timeline.
Error name_is_taken(const TenantId& tenant, const std::string& name);

// Names: 1 to 63 letters, digits, '.', '_' and '-', beginning with a letter or digit, and not of
// the form of an ID. InvalidArgument otherwise.
Result<> check_name(std::string_view name);

}  // namespace varve
