// HttpTransport on libcurl.
#pragma once

#include <curl/curl.h>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "remote_storage/s3/http.h"

namespace varve::s3 {

// HTTP/1.1 over connections that are kept and used again. Proxies come from the environment as
// libcurl documents it (https_proxy, no_proxy, ...; libcurl-env(3)). A stop request ends a call at
// once, wherever it hangs.
//
// A request that meets a kept connection which the server has closed is sent again over a new one,
// unless a part of its body was sent already.
class CurlTransport : public HttpTransport {
 public:
  struct Options {
    // PEM file with the certificates that are trusted instead of the system's; empty: the system's.
    std::string ca_file = {};
    std::string user_agent = "varve/" VARVE_VERSION;
    // Until there is a connection, TLS included.
    Duration connect_timeout = std::chrono::seconds(10);
    // From the end of the request to the first byte of the answer.
    Duration first_byte_timeout = std::chrono::seconds(60);
    // Without a byte sent or received while there is something to send or receive.
    Duration stall_timeout = std::chrono::seconds(30);
    // Connections that are kept while nothing uses them.
    size_t maximum_idle = 64;
  };

  // InvalidArgument when the CA file cannot be read.
  static Result<std::unique_ptr<CurlTransport>> create(const Options& options);
  ~CurlTransport() override;

  Result<HttpResponse> send(const HttpRequest& request, const HttpSink* sink,
                            const CallOptions& options) override;

 private:
  // An easy handle with a multi handle of its own, whose cache holds the connections.
  struct Handle;
  class Transfer;

  explicit CurlTransport(const Options& options);
  Result<std::unique_ptr<Handle>> take_handle();
  void give_back(std::unique_ptr<Handle> handle);

  const Options options_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Handle>> idle_;
};

}  // namespace varve::s3
