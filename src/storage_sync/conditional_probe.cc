#include "storage_sync/conditional_probe.h"

#include "remote_storage/streams.h"
#include "storage_sync/remote_log.h"

namespace varve {

Result<> probe_conditional_put(RemoteStorage& storage, const LocalTenant& tenant,
                               const CallOptions& options) {
  if (!storage.traits().conditional_put || !storage.traits().conditions_need_proof) return {};
  const std::string key = commit_archive(storage, {tenant.manifest.id, {}}, tenant.head.sequence,
                                         tenant.manifest.stamp.nonce)
                              .key();
  const auto probe = [&]() -> Result<> {
    VARVE_ASSIGN(const Bytes body, get_bytes(storage, key, ByteRange::whole(),
                                             storage.traits().maximum_put_size, options));
    const auto put = storage.put(key, body, PutCondition::kIfAbsent, options);
    if (put.failed_with(ErrorCode::kConflict)) return {};
    if (!put.ok()) return put;
    return make_error(ErrorCode::kInvalidArgument,
                      "it was stored a second time although that was to happen only if it is "
                      "absent. The storage ignores conditional writes, and two servers could "
                      "overwrite each other's backups unnoticed: use a server that supports "
                      "them (S3: PUT with 'If-None-Match: *'), or another storage");
  };
  return probe().context(fmt::format("probe of {} with object {}", storage.url(), key));
}

}  // namespace varve
