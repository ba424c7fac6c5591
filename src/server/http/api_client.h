// The service of a work directory that another process holds, over its HTTP API.
#pragma once

#include "server/http/api_connection.h"
#include "server/page_service.h"

namespace varve::http {

// Not thread-safe. A request that changes something is sent once: when its answer does not come, it
// may have been carried out. A stop request ends every call; what the server has begun, it ends.
class ApiClient : public PageService {
 public:
  explicit ApiClient(std::shared_ptr<ApiConnection> connection)
      : connection_(std::move(connection)) {}

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
  // Hears nothing of progress.
  Result<Json> wait(const WaitRequest& request, const CallOptions& call,
                    const ByteProgress& progress) override;

 private:
  Result<Json> operate(const std::string& timeline, const std::string& operation,
                       const CallOptions& call, const ByteProgress& progress);

  const std::shared_ptr<ApiConnection> connection_;
};

}  // namespace varve::http
