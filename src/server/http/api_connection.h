// Requests to the HTTP API of a server, and their answers.
#pragma once

#include <memory>
#include <mutex>

#include "server/http/message.h"
#include "server/pid_file.h"
#include "storage_sync/sync_context.h"

namespace varve::http {

// Percent-encoded, for a segment of a path or a value of a query.
std::string escape(std::string_view text);
std::string tenant_path(std::string_view tenant);
// InvalidArgument for what is not TENANT/TIMELINE.
Result<std::string> timeline_path(std::string_view timeline);

// Thread-safe; one request at a time.
class ApiConnection {
 public:
  // Fails when the token file that the server names cannot be read. A stop request ends every
  // request.
  static Result<std::shared_ptr<ApiConnection>> open(const PidFile& server, std::stop_token stop);
  ~ApiConnection();

  // The document that is answered; the error that a problem document tells. Unavailable when no
  // answer comes, Cancelled on a stop request.
  Result<Json> send(const std::string& method, const std::string& target, const Json& body = {});
  // A body and an answer that are no documents. An empty `type` is no body.
  struct RawBody {
    std::string type;
    std::string content;
  };
  Result<Answer> send_raw(const std::string& method, const std::string& target, RawBody body = {});

  // Of an operation that a request has begun, once it has finished.
  Result<Json> result_of(const Json& operation, const CallOptions& call,
                         const ByteProgress& progress);

  const std::stop_token& stop_requests() const { return stop_; }

 private:
  class Client;
  ApiConnection(PidFile server, std::string token, std::stop_token stop);

  const PidFile server_;
  const std::string token_;
  const std::stop_token stop_;
  std::mutex turn_;
  // Kept open from one request to the next.
  const std::unique_ptr<Client> client_;
};

}  // namespace varve::http
