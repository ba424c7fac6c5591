#include "storage_sync/verify/listing_checks.h"

#include "base/logging.h"
#include "remote_storage/streams.h"

namespace varve {

void check_listing(const RemoteListing& listing, std::vector<Finding>& findings) {
  for (const std::string& key : listing.foreign_keys) findings.push_back(foreign(key));
  for (const auto& [log, listed] : listing.logs) {
    for (const ListedObject& rival : listed.rivals) {
      findings.push_back(orphan({.log = log, .object = rival.name.key()},
                                fmt::format("its number is that of {}, which was stored earlier",
                                            listed.find(rival.name.sequence)->name.file_name())));
    }
    if (!listed.archives.empty()) continue;
    for (const ListedObject& pack : listed.packs) {
      findings.push_back(orphan({.log = log, .object = pack.name.key()},
                                "its commit was never made: a large upload was interrupted"));
    }
  }
  for (const TenantId& tenant : listing.tenants()) {
    const LogName log{tenant, {}};
    if (listing.find(log) != nullptr) continue;
    Finding finding = missing(Need::kByNewestState, {.log = log, .object = log.prefix()},
                              "there are timelines, and the tenant's log is gone");
    finding.remedy =
        "put the objects under this prefix back from another copy of the storage. Until then its "
        "timelines can't be found by name, and nothing can be restored.";
    findings.push_back(std::move(finding));
  }
}

Result<> find_unfinished_uploads(RemoteStorage& storage, Duration grace_period,
                                 const CallOptions& options, std::vector<Finding>& findings) {
  const auto uploads = list_uploads_older_than(storage, kTenantsPrefix, grace_period, options);
  if (uploads.failed_with(ErrorCode::kDenied)) {
    log_error("unfinished uploads are not looked for", uploads.error());
    return {};
  }
  if (!uploads.ok()) return uploads.error();
  for (const UnfinishedUpload& upload : *uploads) findings.push_back(unfinished(upload));
  return {};
}

}  // namespace varve
