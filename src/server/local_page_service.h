// The service of a work directory that this process holds.
#pragma once

#include <memory>

#include "server/page_service.h"
#include "server/protection.h"

namespace varve {

// Thread-safe, but for the start of the sync engine, for which nothing else runs.
class LocalPageService : public PageService {
 public:
  explicit LocalPageService(std::unique_ptr<PageServer> server);

  // From now on until end_sync(), what is left to do is done in the background; what runs then may
  // take so long to finish. Without that, only wait() does something about it.
  void start_sync(Duration stop_timeout);
  void end_sync();
  // From now on until stop_following(), timelines that are protected follow their primaries.
  void start_following() { protection_.resume(); }
  void stop_following() { protection_.stop(); }

  Result<Json> tenants() override;
  Result<Json> timelines(const std::string& tenant) override;
  Result<Json> tenant(const std::string& tenant) override;
  Result<Json> timeline(const std::string& timeline) override;
  Result<Json> create_tenant(const NewTenant& tenant) override;
  Result<Json> attach_tenant(const std::string& tenant) override;
  Result<Json> detach_tenant(const std::string& tenant, const CallOptions& call) override;
  Result<Json> delete_tenant(const std::string& tenant, const CallOptions& call) override;
  Result<std::unique_ptr<TimelineImport>> start_import(const NewTimeline& timeline) override;
  Result<Json> branch(const NewBranch& branch) override;
  Result<std::unique_ptr<TimelineSnapshot>> open_snapshot(const SnapshotRequest& request) override;
  Result<Json> lsn_at(const std::string& timeline, Timestamp time) override;
  Result<Json> checkpoint(const std::string& timeline, const CallOptions& call,
                          const ByteProgress& progress) override;
  Result<Json> prefetch(const std::string& timeline, const CallOptions& call,
                        const ByteProgress& progress) override;
  Result<Json> drop_local(const std::string& timeline) override;
  Result<Json> pin(const PinRequest& pin) override;
  Result<Json> pins(const std::string& timeline) override;
  Result<Json> unpin(const std::string& timeline, Lsn lsn) override;
  Result<Json> collect_garbage(const std::string& timeline, const CallOptions& call) override;
  Result<Json> delete_timeline(const std::string& timeline) override;
  Result<Json> protect(const NewProtection& protection, const CallOptions& call,
                       const ByteProgress& progress) override;
  Result<Json> protect_restored(const RestoredPrimary& restored, const CallOptions& call) override;
  Result<Json> unprotect(const std::string& timeline, bool keep_slot,
                         const CallOptions& call) override;
  Result<Json> status(const std::optional<std::string>& timeline) override;
  Result<Json> wait(const WaitRequest& request, const CallOptions& call,
                    const ByteProgress& progress) override;

  PageServer& page_server() { return *server_; }

  std::filesystem::path scratch_directory() const {
    return server_->directory().scratch_directory();
  }

  // For Prometheus. Waits for no request.
  std::string metrics_text();
  // Where metrics are counted; outlived by this.
  Metrics& metrics();
  Result<> keep_request_counts();

 private:
  Json describe(const TimelineInfo& timeline) const;
  Result<> check_unprotected(const TenantId& tenant) const;

  const std::unique_ptr<PageServer> server_;
  Protection protection_;
};

}  // namespace varve
