#include "storage_sync/tenant_log.h"

#include "storage_sync/local_manifest.h"
#include "storage_sync/object_format.h"

namespace varve {

Result<> fence_tenant(const SyncContext& context, KeptTenant& tenant,
                      const std::optional<CommitStamp>& other) {
  VARVE_TRY(tenant.change([&](LocalTenant& local) -> Result<> {
    // The first one stays: it is who took over.
    if (!local.fence) {
      local.fence =
          other ? Fence{other->writer, other->created_at} : Fence{{}, context.clock.now()};
    }
    return {};
  }));
  return tenant.get()->check_owned();
}

Result<> commit_tenant(const SyncContext& context, KeptTenant& tenant, const TenantChange& change,
                       const CallOptions& options) {
  const auto turn = tenant.take_commit_turn();
  VARVE_ASSIGN(NonceJournal journal,
               NonceJournal::open(tenant.directory() / kNonceJournalFileName));
  const Bytes header = encode_object_header(ObjectKind::kTenantArchive);
  for (;;) {
    const auto local = tenant.get();
    VARVE_TRY(local->check_writer());
    const LogName log{local->manifest.id, {}};
    TenantManifest next = local->manifest;
    VARVE_TRY(change(next));
    VARVE_ASSIGN(const CommitResult taken,
                 commit(context, journal,
                        {.log = log,
                         .head = local->head,
                         .head_seen = local->head_seen,
                         .writer = local->writer,
                         .nonce = context.random.next_id<Nonce>(),
                         .content = header,
                         .encode_manifest = [&](const CommitStamp& stamp) -> Result<Bytes> {
                           next.stamp = stamp;
                           return next.encode();
                         }},
                        options));
    if (taken.outcome == CommitOutcome::kFenced) {
      return fence_tenant(context, tenant, taken.stamp);
    }
    if (taken.outcome == CommitOutcome::kAdopted) {
      VARVE_ASSIGN(auto adopted, read_tenant_commit(context.storage, taken.object, options));
      next = std::move(adopted.manifest);
    }
    VARVE_TRY(tenant.change([&](LocalTenant& noted) -> Result<> {
      noted.head = taken.head;
      noted.head_seen = taken.head_seen;
      noted.manifest = next;
      return {};
    }));
    if (taken.outcome == CommitOutcome::kCommitted) return {};
  }
}

}  // namespace varve
