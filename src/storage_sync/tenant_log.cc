#include "storage_sync/tenant_log.h"

#include "storage_sync/local_manifest.h"
#include "storage_sync/object_format.h"

namespace varve {

Result<> fence_tenant(const SyncContext& context, const std::filesystem::path& directory,
                      LocalTenant& tenant, const std::optional<CommitStamp>& other) {
  tenant.fence = other ? Fence{other->writer, other->created_at} : Fence{{}, context.clock.now()};
  VARVE_TRY(tenant.write(directory));
  return tenant.check_owned();
}

Result<> commit_tenant(const SyncContext& context, const std::filesystem::path& directory,
                       LocalTenant& tenant, const TenantChange& change,
                       const CallOptions& options) {
  VARVE_TRY(tenant.check_owned());
  const LogName log{tenant.manifest.id, {}};
  VARVE_ASSIGN(NonceJournal journal, NonceJournal::open(directory / kNonceJournalFileName));
  const Bytes header = encode_object_header(ObjectKind::kTenantArchive);
  for (;;) {
    LocalTenant next = tenant;
    VARVE_TRY(change(next.manifest));
    VARVE_ASSIGN(const CommitResult taken,
                 commit(context, journal,
                        {.log = log,
                         .head = tenant.head,
                         .writer = tenant.writer,
                         .nonce = context.random.next_id<Nonce>(),
                         .content = header,
                         .encode_manifest = [&](const CommitStamp& stamp) -> Result<Bytes> {
                           next.manifest.stamp = stamp;
                           return next.manifest.encode();
                         }},
                        options));
    if (taken.outcome == CommitOutcome::kFenced) {
      return fence_tenant(context, directory, tenant, taken.stamp);
    }
    next.head = taken.head;
    if (taken.outcome == CommitOutcome::kAdopted) {
      VARVE_ASSIGN(const auto adopted,
                   read_tenant_commit(context.storage,
                                      ObjectName::archive(log, taken.head.sequence), options));
      next.manifest = adopted.manifest;
    }
    VARVE_TRY(next.write(directory));
    tenant = std::move(next);
    if (taken.outcome == CommitOutcome::kCommitted) return {};
  }
}

}  // namespace varve
