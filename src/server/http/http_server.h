// The HTTP server: connections, threads, and from requests to the handlers of a router.
#pragma once

#include <future>
#include <memory>
#include <thread>

#include "base/metrics.h"
#include "server/http/connection.h"
#include "server/http/request_checks.h"
#include "server/http/router.h"
#include "server/listen_address.h"

namespace varve::http {

struct HttpServerOptions {
  ListenAddress address;
  Security security;
  // With it the server speaks HTTPS only. Null: plain HTTP.
  std::shared_ptr<TlsIdentity> tls = {};
  // Connections that are served at a time; others wait.
  size_t threads = 48;
  // Those that wait; one more is answered with 503, or closed where that takes a handshake. Each
  // has a descriptor, of which a process usually has 1024 (RLIMIT_NOFILE), and layers need most.
  size_t waiting = 128;
  ConnectionLimits connection = {};
};

// Counts varve_http_requests_total, varve_http_request_seconds and varve_http_requests_in_flight,
// and varve_http_connections_refused_total. The first counts what is refused before a handler sees
// it as well, under the route "unmatched" where there is none.
class HttpServer {
 public:
  // Takes the address, so that nobody else can have it; nothing is answered yet. Conflict when it
  // is in use, InvalidArgument when there is no such address here, Denied when it may not be taken.
  static Result<std::unique_ptr<HttpServer>> bind(HttpServerOptions options);
  // Stops it, and waits for what is being handled.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // With the port that was picked.
  const ListenAddress& address() const { return options_.address; }

  // Answers from now on, once. The metrics outlive it.
  void start(Router router, Metrics& metrics);

  // No connection and no request is taken any more; those that are being handled are told by their
  // stop token.
  void stop();
  // After stop(): whether everything was answered within that time.
  bool finished_within(Duration time);

 private:
  class Listener;

  explicit HttpServer(HttpServerOptions options);

  HttpServerOptions options_;
  StopEvent stop_;
  std::unique_ptr<Listener> listener_;
  std::jthread thread_;
  std::future<void> finished_;
};

}  // namespace varve::http
