// A server takes over a tenant: first the tenant's log, then that of every timeline, with one
// commit each under a new writer.
#pragma once

#include "fs/directory.h"
#include "storage_sync/remote_listing.h"
#include "storage_sync/tenant_log.h"
#include "storage_sync/test_support/simulation_server.h"
#include "storage_sync/upload.h"

namespace varve::simulation {

// What the server has of the tenant besides is given up. After an error the work directory is of no
// use any more. Nothing of the server may be under way.
class Attach {
 public:
  Attach(World& world, Server& server, const TenantId& tenant)
      : world_(world), server_(server), tenant_(tenant) {}

  Result<> run() {
    server_.attaching = true;
    // What was asked for is about states that are given up.
    for (const auto& [id, timeline] : world_.model.timelines) {
      if (id.tenant == tenant_) server_.driver().forget(id);
    }
    writer_ = world_.clean_random.next_id<WriterId>();
    VARVE_TRY(until_unopposed([&] { return take_tenant(); }));
    const auto tenant = server_.store().tenant(tenant_)->get();
    for (const auto& [id, timeline] : world_.model.timelines) {
      const bool listed = tenant->manifest.find(id.timeline) != nullptr;
      if (id.tenant == tenant_ && !listed) VARVE_TRY(forget(id));
    }
    for (const auto& timeline : tenant->manifest.timelines) {
      const TenantTimelineId id{tenant_, timeline.id};
      VARVE_TRY(until_unopposed([&] { return timeline.deleted ? forget(id) : take_timeline(id); }));
    }
    server_.attaching = false;
    server_.directory.fenced.erase(tenant_);
    server_.directory.owned_since[tenant_] = since_;
    server_.driver().tenant_attached(tenant_);
    return {};
  }

 private:
  // The former owner may commit between the look at a head and the commit upon it.
  Result<> until_unopposed(const std::function<Result<>()>& take) const {
    Result<> taken;
    for (int attempt = 0; attempt < 10 && !server_.is_gone(); ++attempt) {
      taken = take();
      if (taken.ok()) break;
    }
    return taken;
  }

  Result<> forget(const TenantTimelineId& id) {
    server_.store().forget_timeline(id);
    server_.directory.timelines.erase(id);
    forget_state(id);
    return remove_tree(server_.store().timeline_directory(id));
  }
  void forget_state(const TenantTimelineId& id) {
    server_.awaiting.erase(id);
    server_.parted.erase(id);
    server_.evicted.erase(id);
    server_.cloud_only.erase(id);
  }

  Result<uint64_t> head_of(const LogName& log) {
    VARVE_ASSIGN(const RemoteListing listing,
                 list_remote(server_.context().storage, log.prefix(), {}));
    const ListedLog* listed = listing.find(log);
    return listed == nullptr ? 0 : listed->head_sequence();
  }

  Result<> take_tenant() {
    // Another attach may begin before this one ends.
    since_ = world_.story.events();
    const LogName log{tenant_, {}};
    VARVE_ASSIGN(const uint64_t sequence, head_of(log));
    VARVE_ASSIGN(auto head, read_tenant_commit(server_.context().storage,
                                               ObjectName::archive(log, sequence), {}));
    const auto kept = server_.store().tenant(tenant_);
    VARVE_TRY(kept->change([&](LocalTenant& local) -> Result<> {
      local = {.head = {sequence, head.tail.trailer.checksum()},
               .manifest = head.manifest,
               .writer = writer_};
      return {};
    }));
    return commit_tenant(server_.context(), *kept, [](TenantManifest&) -> Result<> { return {}; },
                         {});
  }

  Result<> take_timeline(const TenantTimelineId& id) {
    const LogName log{id.tenant, id.timeline};
    VARVE_ASSIGN(const uint64_t sequence, head_of(log));
    LocalManifest local;
    local.manifest.id = id;
    if (sequence > 0) {
      VARVE_ASSIGN(auto head, read_timeline_commit(server_.context().storage,
                                                   ObjectName::archive(log, sequence), {}));
      local = LocalManifest::from_commit({sequence, head.tail.trailer.checksum()},
                                         std::move(head.manifest), head.stored);
    }
    // A registration without a log is a timeline without anything in it.
    world_.model.add_state(local.manifest);
    if (local.manifest.deleted) return forget(id);
    VARVE_TRY(create_directories_durably(server_.store().timeline_directory(id)));
    const auto kept = server_.store().add_timeline(local);
    VARVE_ASSIGN(const UploadResult taken,
                 upload_timeline(server_.context(), {.writer = writer_, .take_ownership = true},
                                 *kept, {}, {}));
    if (taken.outcome == UploadOutcome::kFenced) {
      return make_error(ErrorCode::kConflict, "somebody else committed");
    }
    server_.directory.timelines[id] = state_id(kept->get()->manifest);
    forget_state(id);
    return {};
  }

  World& world_;
  Server& server_;
  const TenantId tenant_;
  WriterId writer_;
  uint64_t since_ = 0;
};

}  // namespace varve::simulation
