#include "server/http/api_client.h"

#include "server/http/httplib_library.h"
#include "server/http/problem.h"
#include "server/http/token.h"

namespace varve::http {
namespace {

constexpr auto kConnectTimeout = std::chrono::seconds(5);
// The server goes through large tenants one request at a time.
constexpr auto kAnswerTimeout = std::chrono::minutes(30);
// Of a single request; whoever waits longer sends another.
constexpr Duration kWaitAtOnce = std::chrono::seconds(20);
// When the server has no room for one more that waits.
constexpr Duration kPauseWhenThrottled = std::chrono::seconds(1);

std::string escape(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || c == '-' || c == '.' || c == '_' || c == '~') {
      result += c;
    } else {
      result += fmt::format("%{:02X}", byte);
    }
  }
  return result;
}

std::string tenant_path(std::string_view tenant) {
  return "/v1/tenants/" + escape(tenant);
}

Result<std::string> timeline_path(std::string_view timeline) {
  const size_t slash = timeline.find('/');
  if (slash == std::string_view::npos) {
    return make_error(ErrorCode::kInvalidArgument,
                      "'{}' does not address a timeline: expected TENANT/TIMELINE", timeline);
  }
  return tenant_path(timeline.substr(0, slash)) + "/timelines/" +
         escape(timeline.substr(slash + 1));
}

}  // namespace

Result<std::unique_ptr<ApiClient>> ApiClient::create(const PidFile& server, std::stop_token stop) {
  std::string token;
  if (!server.token_file.empty()) {
    VARVE_ASSIGN(token, read_token_file(server.token_file));
  }
  return std::unique_ptr<ApiClient>(new ApiClient(server, std::move(token), std::move(stop)));
}

Result<Json> ApiClient::send(const std::string& method, const std::string& target,
                             const Json& body) {
  httplib::Client client(server_.url);
  client.set_connection_timeout(kConnectTimeout);
  client.set_read_timeout(kAnswerTimeout);
  httplib::Request request;
  request.method = method;
  request.path = target;
  if (!token_.empty()) request.set_header("Authorization", "Bearer " + token_);
  if (method == "POST") {
    request.set_header("Content-Type", kJsonType);
    request.body = (body.is_null() ? Json::object() : body).dump();
  }
  const std::stop_callback on_stop(stop_, [&] { client.stop(); });
  const httplib::Result answer = client.send(request);
  if (stop_.stop_requested()) {
    return make_error(ErrorCode::kCancelled, "stopped on request; the server goes on");
  }
  if (!answer) {
    return make_error(ErrorCode::kUnavailable,
                      "the varve server (process {}) at {} does not answer: {}", server_.pid,
                      server_.url, httplib::to_string(answer.error()));
  }
  if (answer->status >= 300) return error_of(answer->status, answer->body);
  constexpr bool kWithExceptions = false;
  Json document = Json::parse(answer->body, nullptr, kWithExceptions);
  if (document.is_discarded()) {
    return make_error(ErrorCode::kInternal, "what answers at {} is not a varve server",
                      server_.url);
  }
  return document;
}

Result<Json> ApiClient::tenants() {
  return send("GET", "/v1/tenants");
}

Result<Json> ApiClient::timelines(const std::string& tenant) {
  return send("GET", tenant_path(tenant) + "/timelines");
}

Result<Json> ApiClient::tenant(const std::string& tenant) {
  return send("GET", tenant_path(tenant));
}

Result<Json> ApiClient::timeline(const std::string& timeline) {
  VARVE_ASSIGN(const std::string path, timeline_path(timeline));
  return send("GET", path);
}

Result<Json> ApiClient::create_tenant(const NewTenant& tenant) {
  Json body = Json::object();
  if (tenant.id) body["tenant_id"] = tenant.id->to_string();
  if (!tenant.name.empty()) body["name"] = tenant.name;
  return send("POST", "/v1/tenants", body);
}

Result<Json> ApiClient::attach_tenant(const std::string& tenant) {
  return send("POST", tenant_path(tenant) + "/attach");
}

Result<Json> ApiClient::delete_timeline(const std::string& timeline) {
  VARVE_ASSIGN(const std::string path, timeline_path(timeline));
  return send("DELETE", path);
}

Result<Json> ApiClient::status(const std::optional<std::string>& timeline) {
  return send("GET", timeline ? "/v1/status?timeline=" + escape(*timeline) : "/v1/status");
}

Result<Json> ApiClient::wait(const WaitRequest& request, const CallOptions& call,
                             const ByteProgress& /*progress*/) {
  VARVE_ASSIGN(const std::string path, timeline_path(request.timeline));
  for (;;) {
    const Duration at_once = std::min(kWaitAtOnce, call.deadline.remaining());
    auto reached = send("POST", path + "/wait",
                        {{"lsn", request.lsn.to_string()},
                         {"for", name(request.goal)},
                         {"timeout_seconds", std::chrono::duration<double>(at_once).count()}});
    const bool may_wait_on =
        reached.failed_with(ErrorCode::kCancelled) || reached.failed_with(ErrorCode::kThrottled);
    if (!may_wait_on || call.deadline.passed() || stop_.stop_requested()) return reached;
    if (reached.failed_with(ErrorCode::kThrottled)) {
      system_clock().sleep(std::min(kPauseWhenThrottled, call.deadline.remaining()), stop_);
    }
  }
}

}  // namespace varve::http
