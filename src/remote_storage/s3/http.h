// HTTP as the S3 client sees it: one request, one answer, no retrying and no redirects of its own.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "runtime/call_options.h"

namespace varve::s3 {

// In the order they are sent; names are lower-case.
using Headers = std::vector<std::pair<std::string, std::string>>;

// The value of the first header of that (lower-case) name.
std::optional<std::string_view> find_header(const Headers& headers, std::string_view name);

struct HttpRequest {
  // "GET", "PUT", "HEAD", "POST", "DELETE".
  std::string method = "GET";
  // Whole and percent-encoded; sent as it stands.
  std::string url;
  // "host" and "content-length" are added by the transport unless they are given.
  Headers headers = {};
  // Valid during the call.
  ByteView body = {};
  // For services of this machine or its own network, which a proxy would not reach, or reach for
  // another machine.
  bool bypass_proxy = false;
};

struct HttpResponse {
  int status = 0;
  Headers headers = {};
  // What no sink took: the body of a failure, or of any answer when there is no sink. An answer
  // without sink that is longer than HttpTransport::kMaximumBody is Corrupted.
  Bytes body = {};
};

// Receives the body of a successful answer (2xx) in order; an error ends the transfer and becomes
// its result. The views are valid until the call returns.
struct HttpSink {
  // Once, before the first byte; `body` is still empty.
  std::function<Result<>(const HttpResponse&)> start;
  std::function<Result<>(ByteView)> write;
};

// Thread-safe; blocks its caller only.
class HttpTransport {
 public:
  static constexpr size_t kMaximumBody = 16U << 20;

  virtual ~HttpTransport() = default;

  // Every answer that arrived whole is a success here, whatever its status. Unavailable: no
  // connection, a reset, a body that ended early, or one of the transport's time limits; Denied:
  // the server's certificate was not accepted; Cancelled: as asked by `options`.
  virtual Result<HttpResponse> send(const HttpRequest& request, const HttpSink* sink,
                                    const CallOptions& options) = 0;
};

}  // namespace varve::s3
