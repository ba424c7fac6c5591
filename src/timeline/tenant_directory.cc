#include "timeline/tenant_directory.h"

#include <algorithm>
#include <cctype>

namespace varve {
namespace {

// Null when there is none.
auto* find_timeline_in(auto& tenants, const TenantTimelineId& id) {
  const auto tenant = tenants.find(id.tenant);
  auto* const timelines = tenant == tenants.end() ? nullptr : &tenant->second.known.timelines;
  if (timelines == nullptr || !timelines->contains(id.timeline)) {
    return decltype(&timelines->begin()->second){};
  }
  return &timelines->find(id.timeline)->second;
}

}  // namespace

Result<> check_name(std::string_view name) {
  constexpr size_t kMaximumLength = 63;
  const auto allowed = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '_' || c == '-';
  };
  if (name.empty() || name.size() > kMaximumLength || !std::ranges::all_of(name, allowed) ||
      std::isalnum(static_cast<unsigned char>(name.front())) == 0) {
    return make_error(ErrorCode::kInvalidArgument,
                      "'{}' is not a name: expected 1 to 63 letters, digits, '.', '_' or '-', "
                      "beginning with a letter or digit",
                      name);
  }
  if (TenantId::parse(name).ok()) {
    return make_error(ErrorCode::kInvalidArgument,
                      "'{}' is not a name: 32 hexadecimal digits are an ID", name);
  }
  return {};
}

Error name_is_taken(const TenantId& tenant, const std::string& name) {
  return make_error(ErrorCode::kConflict,
                    "the name '{}' is taken by another timeline of tenant {}: choose another one",
                    name, tenant);
}

TenantDirectory::State newest_known(const TenantDirectory::State& local,
                                    const KnownTimeline& timeline) {
  if (timeline.remote == nullptr) return local;
  // What was behind at the start may have been downloaded since.
  if (local != nullptr && local->head.sequence >= timeline.remote->head.sequence) return local;
  return timeline.remote;
}

TenantDirectory::Reservation::~Reservation() {
  if (directory_ == nullptr) return;
  const std::lock_guard lock(directory_->mutex_);
  directory_->in_the_making_.erase(id_);
}

void TenantDirectory::fill(const std::map<TenantId, KnownTenant>& tenants) {
  const std::lock_guard lock(mutex_);
  for (const auto& [id, known] : tenants) tenants_[id].known = known;
}

// --- tenants ---

std::shared_ptr<const LocalTenant> TenantDirectory::local_tenant(const TenantId& id) const {
  const auto kept = store_.tenant(id);
  return kept == nullptr ? nullptr : kept->get();
}

bool TenantDirectory::is_deleted(const TenantId& id) const {
  const auto local = local_tenant(id);
  return local != nullptr && local->manifest.deleted;
}

bool TenantDirectory::has_name(const TenantEntry& tenant, std::string_view name) const {
  const auto& [id, entry] = tenant;
  if (entry.uncertain_name) return *entry.uncertain_name == name;
  const auto local = local_tenant(id);
  return local != nullptr && !local->manifest.deleted && local->manifest.name == name;
}

Result<TenantInfo> TenantDirectory::describe(const TenantEntry& tenant) const {
  const auto& [id, entry] = tenant;
  if (entry.known.damage) return *entry.known.damage;
  const auto local = local_tenant(id);
  TenantInfo info{.id = id,
                  .name = local->manifest.name,
                  .created_at = local->manifest.created_at,
                  .owned = local->check_owned().ok(),
                  .fence = local->fence};
  for (const auto& [timeline_id, timeline] : entry.known.timelines) {
    info.timeline_count += is_there({id, timeline_id}, timeline) ? 1 : 0;
  }
  return info;
}

std::vector<TenantInfo> TenantDirectory::tenants() const {
  const std::lock_guard lock(mutex_);
  std::vector<TenantInfo> infos;
  for (const TenantEntry& tenant : tenants_) {
    if (is_deleted(tenant.first)) continue;
    if (auto info = describe(tenant); info.ok()) infos.push_back(*std::move(info));
  }
  return infos;
}

Result<TenantInfo> TenantDirectory::tenant(const TenantId& id) const {
  return tenant(id.to_string());
}

Result<TenantInfo> TenantDirectory::tenant(std::string_view id_or_name) const {
  const auto id = TenantId::parse(id_or_name);
  if (!id.ok()) VARVE_TRY(check_name(id_or_name).context("tenant"));
  const std::lock_guard lock(mutex_);
  const auto found =
      id.ok() ? tenants_.find(*id) : std::ranges::find_if(tenants_, [&](const TenantEntry& tenant) {
        return has_name(tenant, id_or_name);
      });
  if (found == tenants_.end() || is_deleted(found->first)) {
    return make_error(ErrorCode::kNotFound,
                      "there is no tenant '{}': 'varve tenant list' shows those that there are",
                      id_or_name);
  }
  return describe(*found).context(fmt::format("tenant {}", id_or_name));
}

Result<TenantDirectory::Reservation> TenantDirectory::reserve_tenant(const TenantId& id,
                                                                     const std::string& name) {
  if (!name.empty()) VARVE_TRY(check_name(name));
  const std::lock_guard lock(mutex_);
  if (is_deleted(id)) {
    return make_error(ErrorCode::kConflict, "tenant {} was deleted, and no ID is ever used again",
                      id);
  }
  if (tenants_.contains(id) || in_the_making_.contains({id, {}})) {
    return make_error(ErrorCode::kConflict, "tenant {} exists already", id);
  }
  const bool taken =
      !name.empty() &&
      (std::ranges::any_of(tenants_, [&](const auto& entry) { return has_name(entry, name); }) ||
       std::ranges::any_of(in_the_making_, [&](const auto& entry) {
         return entry.first.timeline.is_nil() && entry.second == name;
       }));
  if (taken) {
    return make_error(ErrorCode::kConflict,
                      "the name '{}' is taken by another tenant: choose another one", name);
  }
  in_the_making_.emplace(TenantTimelineId{id, {}}, name);
  return Reservation(*this, {id, {}});
}

void TenantDirectory::add_tenant(const TenantId& id) {
  const std::lock_guard lock(mutex_);
  tenants_.try_emplace(id);
}

void TenantDirectory::add_uncertain_tenant(const TenantId& id, const std::string& name,
                                           Error error) {
  const std::lock_guard lock(mutex_);
  Tenant& tenant = tenants_[id];
  tenant.uncertain_name = name;
  tenant.known.damage = std::move(error);
}

// --- timelines ---

TenantDirectory::State TenantDirectory::local_state(const TenantTimelineId& id) const {
  const auto kept = store_.timeline(id);
  return kept == nullptr ? nullptr : kept->get();
}

KnownTimeline* TenantDirectory::find(const TenantTimelineId& id) {
  return find_timeline_in(tenants_, id);
}

bool TenantDirectory::is_there(const TenantTimelineId& id, const KnownTimeline& timeline) const {
  if (in_the_making_.contains(id)) return false;
  if (timeline.registration && timeline.registration->deleted) return false;
  if (const State known = newest_known(local_state(id), timeline)) return !known->manifest.deleted;
  if (timeline.damage) return true;
  return timeline.registration &&
         (timeline.remote_head > 0 || timeline.registration->ancestor.has_value());
}

TenantDirectory::Timelines TenantDirectory::timelines(const TenantId& tenant) const {
  const std::lock_guard lock(mutex_);
  Timelines timelines;
  const auto found = tenants_.find(tenant);
  if (found == tenants_.end()) return timelines;
  for (const auto& [timeline_id, timeline] : found->second.known.timelines) {
    const TenantTimelineId id{tenant, timeline_id};
    if (is_there(id, timeline)) timelines.emplace_back(id, timeline);
  }
  return timelines;
}

Result<KnownTimeline> TenantDirectory::timeline(const TenantTimelineId& id) const {
  VARVE_TRY(tenant(id.tenant));
  const std::lock_guard lock(mutex_);
  const KnownTimeline* const found = find_timeline_in(tenants_, id);
  if (found != nullptr && is_there(id, *found)) return *found;
  return make_error(ErrorCode::kNotFound,
                    "there is no timeline {}: 'varve timeline list {}' shows those that there are",
                    id, id.tenant);
}

Result<TenantTimelineId> TenantDirectory::find_timeline(std::string_view address) const {
  const size_t slash = address.find('/');
  if (slash == std::string_view::npos) {
    return make_error(ErrorCode::kInvalidArgument,
                      "'{}' does not address a timeline: expected TENANT/TIMELINE", address);
  }
  VARVE_ASSIGN(const TenantInfo owner, tenant(address.substr(0, slash)));
  const std::string_view wanted = address.substr(slash + 1);
  if (const auto id = TimelineId::parse(wanted); id.ok()) return TenantTimelineId{owner.id, *id};
  VARVE_TRY(check_name(wanted).context("timeline"));
  for (const auto& [id, timeline] : timelines(owner.id)) {
    if (timeline.registration && timeline.registration->name == wanted) return id;
  }
  return make_error(
      ErrorCode::kNotFound,
      "tenant {} has no timeline '{}': 'varve timeline list {}' shows those that there are",
      address.substr(0, slash), wanted, owner.id);
}

std::optional<TimelineRegistration> TenantDirectory::branch_of(const TenantTimelineId& id) const {
  const std::lock_guard lock(mutex_);
  const auto tenant = tenants_.find(id.tenant);
  if (tenant == tenants_.end()) return std::nullopt;
  for (const auto& [branch_id, branch] : tenant->second.known.timelines) {
    const TenantTimelineId full_id{id.tenant, branch_id};
    if (branch.registration && branch.registration->ancestor == id.timeline &&
        (is_there(full_id, branch) || in_the_making_.contains(full_id))) {
      return branch.registration;
    }
  }
  return std::nullopt;
}

bool TenantDirectory::makes_timelines(const TenantId& tenant) const {
  const std::lock_guard lock(mutex_);
  return std::ranges::any_of(in_the_making_, [&](const auto& entry) {
    return entry.first.tenant == tenant && !entry.first.timeline.is_nil();
  });
}

Result<> TenantDirectory::check_name_free_locked(const TenantId& tenant,
                                                 const std::string& name) const {
  const auto takes = [&](const TenantTimelineId& id, const KnownTimeline& timeline) {
    return timeline.registration && timeline.registration->name == name && is_there(id, timeline);
  };
  bool taken = std::ranges::any_of(in_the_making_, [&](const auto& entry) {
    return entry.first.tenant == tenant && !entry.first.timeline.is_nil() && entry.second == name;
  });
  if (const auto found = tenants_.find(tenant); found != tenants_.end()) {
    for (const auto& [id, timeline] : found->second.known.timelines) {
      taken = taken || takes({tenant, id}, timeline);
    }
  }
  if (taken) return name_is_taken(tenant, name);
  return {};
}

Result<> TenantDirectory::check_name_free(const TenantId& tenant, const std::string& name) const {
  if (name.empty()) return {};
  VARVE_TRY(check_name(name));
  const std::lock_guard lock(mutex_);
  return check_name_free_locked(tenant, name);
}

Result<TenantDirectory::Reservation> TenantDirectory::reserve_timeline(const TenantTimelineId& id,
                                                                       const std::string& name) {
  if (!name.empty()) VARVE_TRY(check_name(name));
  const std::lock_guard lock(mutex_);
  if (!name.empty()) VARVE_TRY(check_name_free_locked(id.tenant, name));
  in_the_making_.emplace(id, name);
  return Reservation(*this, id);
}

// --- what has been found out, or done ---

void TenantDirectory::note_registrations(const TenantManifest& tenant) {
  const std::lock_guard lock(mutex_);
  const auto found = tenants_.find(tenant.id);
  if (found == tenants_.end()) return;
  for (const TimelineRegistration& registration : tenant.timelines) {
    found->second.known.timelines[registration.id].registration = registration;
  }
}

void TenantDirectory::note_attached(const TenantManifest& tenant) {
  note_registrations(tenant);
  const std::lock_guard lock(mutex_);
  for (const TimelineRegistration& registration : tenant.timelines) {
    const TenantTimelineId id{tenant.id, registration.id};
    KnownTimeline& timeline = *find(id);
    timeline.remote.reset();
    if (const State local = local_state(id)) {
      timeline.remote_head = local->head.sequence;
      timeline.damage.reset();
    }
  }
}

void TenantDirectory::tidy(TenantManifest& tenant) const {
  const std::lock_guard lock(mutex_);
  const auto is_gone = [&](const TimelineRegistration& registration) {
    const TenantTimelineId id{tenant.id, registration.id};
    const KnownTimeline* const known = find_timeline_in(tenants_, id);
    return known != nullptr && !in_the_making_.contains(id) && !is_there(id, *known);
  };
  // One that is not known here was registered by a call whose acknowledgement was lost.
  std::erase_if(tenant.timelines, [&](const TimelineRegistration& registration) {
    if (registration.deleted || registration.ancestor) return false;
    const KnownTimeline* const known = find_timeline_in(tenants_, {tenant.id, registration.id});
    return known == nullptr || (is_gone(registration) && known->remote_head == 0);
  });
  for (TimelineRegistration& registration : tenant.timelines) {
    if (is_gone(registration)) registration.deleted = true;
  }
}

void TenantDirectory::note_head(const TenantTimelineId& id, uint64_t sequence, State remote) {
  const std::lock_guard lock(mutex_);
  KnownTimeline* const timeline = find(id);
  if (timeline == nullptr) return;
  timeline->remote_head = sequence;
  timeline->remote = std::move(remote);
}

void TenantDirectory::note_commit(const TenantTimelineId& id, const State& remote) {
  const std::lock_guard lock(mutex_);
  KnownTimeline* const timeline = find(id);
  if (timeline != nullptr && timeline->remote_head == remote->head.sequence) {
    timeline->remote = remote;
  }
}

void TenantDirectory::note_damage(const TenantTimelineId& id, const Error& damage) {
  const std::lock_guard lock(mutex_);
  if (KnownTimeline* const timeline = find(id)) timeline->damage = damage;
}

void TenantDirectory::forget_timeline(const TenantTimelineId& id) {
  const std::lock_guard lock(mutex_);
  const auto tenant = tenants_.find(id.tenant);
  if (tenant != tenants_.end()) tenant->second.known.timelines.erase(id.timeline);
}

}  // namespace varve
