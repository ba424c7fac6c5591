#include "server/http/api_connection.h"

#include "server/http/httplib_library.h"
#include "server/http/problem.h"
#include "server/http/token.h"

namespace varve::http {
namespace {

constexpr auto kConnectTimeout = std::chrono::seconds(5);
// The server goes through large tenants one request at a time.
constexpr auto kAnswerTimeout = std::chrono::minutes(30);
// Of a single request about an operation; also how often progress is heard of.
constexpr double kOperationWaitSeconds = 0.5;

Json parse_document(const std::string& body) {
  constexpr bool kWithExceptions = false;
  return Json::parse(body, nullptr, kWithExceptions);
}

}  // namespace

class ApiConnection::Client {
 public:
  explicit Client(const PidFile& server) : http_(server.url) {
    if (!server.certificate.empty()) trust_only(server);
    http_.set_connection_timeout(kConnectTimeout);
    http_.set_read_timeout(kAnswerTimeout);
    http_.set_write_timeout(kAnswerTimeout);
    http_.set_keep_alive(true);
    http_.set_tcp_nodelay(true);
  }
  httplib::Client& http() { return http_; }

 private:
  // The certificate of the pid file is that of the server, whoever signed it.
  void trust_only(const PidFile& server) {
    const std::string host_and_port = server.url.substr(server.url.find("//") + 2);
    const std::string host = host_and_port.substr(0, host_and_port.rfind(':'));
    if (!server.address.empty()) http_.set_hostname_addr_map({{host, server.address}});
    http_.set_ca_cert_path(server.certificate);
    http_.enable_server_certificate_verification(true);
    X509_STORE_set_flags(SSL_CTX_get_cert_store(http_.ssl_context()), X509_V_FLAG_PARTIAL_CHAIN);
  }

  httplib::Client http_;
};

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

ApiConnection::ApiConnection(PidFile server, std::string token, std::stop_token stop)
    : server_(std::move(server)),
      token_(std::move(token)),
      stop_(std::move(stop)),
      client_(std::make_unique<Client>(server_)) {}

ApiConnection::~ApiConnection() = default;

Result<std::shared_ptr<ApiConnection>> ApiConnection::open(const PidFile& server,
                                                           std::stop_token stop) {
  std::string token;
  if (!server.token_file.empty()) {
    VARVE_ASSIGN(token, read_token_file(server.token_file));
  }
  return std::shared_ptr<ApiConnection>(
      new ApiConnection(server, std::move(token), std::move(stop)));
}

Result<Answer> ApiConnection::send_raw(const std::string& method, const std::string& target,
                                       RawBody body) {
  httplib::Request request;
  request.method = method;
  request.path = target;
  if (!token_.empty()) request.set_header("Authorization", "Bearer " + token_);
  if (!body.type.empty()) {
    request.set_header("Content-Type", body.type);
    request.body = std::move(body.content);
  }
  const std::lock_guard turn(turn_);
  httplib::Client& http = client_->http();
  const std::stop_callback on_stop(stop_, [&] { http.stop(); });
  httplib::Result answer = http.send(request);
  // The server may have given up a connection that was idle just when it was used again.
  if (!answer && method == "GET" && !stop_.stop_requested()) answer = http.send(request);
  if (stop_.stop_requested()) {
    return make_error(ErrorCode::kCancelled, "stopped on request; the server goes on");
  }
  if (answer.error() == httplib::Error::SSLServerVerification) {
    return make_error(
        ErrorCode::kDenied,
        "what answers at {} does not have the certificate in {}: if that was renewed, "
        "send SIGHUP to the varve server (process {})",
        server_.url, server_.certificate, server_.pid);
  }
  if (!answer) {
    return make_error(ErrorCode::kUnavailable,
                      "the varve server (process {}) at {} does not answer: {}", server_.pid,
                      server_.url, httplib::to_string(answer.error()));
  }
  if (answer->status >= 300) return error_of(answer->status, answer->body);
  Answer result{.status = answer->status,
                .content_type = answer->get_header_value("Content-Type"),
                .body = std::move(answer->body)};
  for (const auto& [name, value] : answer->headers) result.headers.emplace(name, value);
  return result;
}

Result<Json> ApiConnection::send(const std::string& method, const std::string& target,
                                 const Json& body) {
  RawBody raw;
  if (method == "POST") {
    raw = {.type = kJsonType, .content = (body.is_null() ? Json::object() : body).dump()};
  }
  VARVE_ASSIGN(const Answer answer, send_raw(method, target, std::move(raw)));
  Json document = parse_document(answer.body);
  if (document.is_discarded()) {
    return make_error(ErrorCode::kInternal, "what answers at {} is not a varve server",
                      server_.url);
  }
  return document;
}

Result<Json> ApiConnection::result_of(const Json& operation, const CallOptions& call,
                                      const ByteProgress& progress) {
  const std::string path =
      fmt::format("/v1/operations/{}?wait_seconds={}",
                  operation.at("operation_id").get<std::string>(), kOperationWaitSeconds);
  for (;;) {
    auto now = send("GET", path);
    if (now.failed_with(ErrorCode::kThrottled)) {
      system_clock().sleep(std::chrono::seconds(1), stop_);
      continue;
    }
    VARVE_TRY(now);
    if (progress && now->at("bytes_total") > 0) {
      progress(now->at("bytes_done").get<uint64_t>(), now->at("bytes_total").get<uint64_t>());
    }
    if (now->at("finished").get<bool>()) {
      if (now->contains("result")) return now->at("result");
      const Json& problem = now->at("problem");
      return error_of(problem.at("status").get<int>(), problem.dump());
    }
    VARVE_TRY(call.check("the wait for the server"));
  }
}

}  // namespace varve::http
