#include "storage_sync/local_scan.h"

#include <spdlog/spdlog.h>

#include "base/logging.h"
#include "fs/directory.h"

namespace varve {
namespace {

class Scanner {
 public:
  explicit Scanner(const LocalStore& store) : store_(store) {}

  Result<> scan_all(const std::optional<TenantId>& only) {
    VARVE_ASSIGN(const auto entries, entries_of(store_.tenants_directory()));
    for (const std::string& entry : entries) {
      auto id = TenantId::parse(entry);
      if (!id.ok()) {
        leave_alone((store_.tenants_directory() / entry).string(), id.error());
      } else if (!only || only == *id) {
        scan_tenant(*id);
      }
    }
    return {};
  }

  LocalScan take() && { return std::move(scan_); }

 private:
  static void leave_alone(const std::string& what, const Error& error) {
    log_error(what + " is left alone", error);
  }

  static Result<std::vector<std::string>> entries_of(const std::filesystem::path& directory) {
    VARVE_ASSIGN(const bool any, path_exists(directory));
    std::vector<std::string> names;
    if (!any) return names;
    VARVE_ASSIGN(const auto entries, list_directory(directory));
    for (const DirectoryEntry& entry : entries) names.push_back(entry.name);
    return names;
  }

  void scan_tenant(const TenantId& id) {
    auto tenant = LocalTenant::read(store_.tenant_directory(id));
    // Without the file nothing was ever begun here, or not noted: the remote log knows.
    const bool counts = !tenant.failed_with(ErrorCode::kNotFound);
    if (tenant.ok()) {
      auto scanned = scan_timelines(id);
      if (!scanned.ok()) tenant = scanned.error();
    }
    if (!tenant.ok()) leave_alone(fmt::format("tenant {}", id), tenant.error());
    if (counts) scan_.tenants.emplace(id, std::move(tenant));
  }

  Result<> scan_timelines(const TenantId& tenant) {
    const auto directory = store_.timelines_directory(tenant);
    VARVE_ASSIGN(const auto entries, entries_of(directory));
    for (const std::string& entry : entries) {
      const auto path = directory / entry;
      if (entry.ends_with(kDraftSuffix)) {
        spdlog::info("{} is left from an import that did not finish: it is removed", path.string());
        VARVE_TRY(remove_tree(path));
        continue;
      }
      auto id = TimelineId::parse(entry);
      if (id.ok()) {
        scan_timeline({tenant, *id});
      } else {
        leave_alone(path.string(), id.error());
      }
    }
    return {};
  }

  void scan_timeline(const TenantTimelineId& id) {
    auto timeline = LocalManifest::read(store_.timeline_directory(id));
    if (timeline.ok() && timeline->manifest.id != id) {
      timeline = make_error(ErrorCode::kCorrupted, "its metadata file is that of timeline {}",
                            timeline->manifest.id);
    }
    if (!timeline.ok()) leave_alone(fmt::format("timeline {}", id), timeline.error());
    scan_.timelines.emplace(id, std::move(timeline));
  }

  const LocalStore& store_;
  LocalScan scan_;
};

}  // namespace

Result<LocalScan> scan_work_directory(const LocalStore& store,
                                      const std::optional<TenantId>& only) {
  Scanner scanner(store);
  VARVE_TRY(scanner.scan_all(only));
  return std::move(scanner).take();
}

}  // namespace varve
