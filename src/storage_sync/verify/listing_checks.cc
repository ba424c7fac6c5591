#include "storage_sync/verify/listing_checks.h"

namespace varve {

void check_listing(const RemoteListing& listing, std::vector<Finding>& findings) {
  for (const std::string& key : listing.foreign_keys) findings.push_back(foreign(key));
  for (const auto& [log, listed] : listing.logs) {
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

}  // namespace varve
