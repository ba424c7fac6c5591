// The service of a work directory that another process holds, over its HTTP API.
#pragma once

#include "server/page_service.h"
#include "server/pid_file.h"

namespace varve::http {

// Not thread-safe. A request that changes something is sent once: when its answer does not come, it
// may have been carried out.
class ApiClient : public PageService {
 public:
  // Fails when the token file that the server names cannot be read. A stop request ends every call.
  static Result<std::unique_ptr<ApiClient>> create(const PidFile& server, std::stop_token stop);

  Result<Json> tenants() override;
  Result<Json> timelines(const std::string& tenant) override;
  Result<Json> tenant(const std::string& tenant) override;
  Result<Json> timeline(const std::string& timeline) override;
  Result<Json> create_tenant(const NewTenant& tenant) override;
  Result<Json> attach_tenant(const std::string& tenant) override;
  Result<Json> delete_timeline(const std::string& timeline) override;
  Result<Json> status(const std::optional<std::string>& timeline) override;
  // Hears nothing of progress.
  Result<Json> wait(const WaitRequest& request, const CallOptions& call,
                    const ByteProgress& progress) override;

 private:
  ApiClient(PidFile server, std::string token, std::stop_token stop)
      : server_(std::move(server)), token_(std::move(token)), stop_(std::move(stop)) {}

  Result<Json> send(const std::string& method, const std::string& target, const Json& body = {});

  const PidFile server_;
  const std::string token_;
  const std::stop_token stop_;
};

}  // namespace varve::http
