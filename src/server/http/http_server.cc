#include "server/http/http_server.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>

#include "base/logging.h"
#include "server/http/problem.h"

namespace varve::http {
namespace {

constexpr size_t kLongestPath = 1024;
// Of requests that come to no route. Paths are the client's, and would be without end.
constexpr char kUnmatched[] = "unmatched";
constexpr size_t kRequestsPerConnection = 1000;
constexpr char kAnyPath[] = ".*";
// From the first byte to the last one.
constexpr Duration kLargeBodyTime = std::chrono::minutes(2);

void give(const Answer& answer, httplib::Response& response) {
  response.status = answer.status;
  for (const auto& [name, value] : answer.headers) response.set_header(name, value);
  response.set_content(answer.body, answer.content_type);
}

Request request_of(const httplib::Request& from, std::stop_token stop) {
  Request request{
      .method = from.method, .path = from.path, .body = from.body, .stop = std::move(stop)};
  for (const auto& [key, value] : from.params) request.query.emplace(key, value);
  return request;
}

RequestHead head_of(const httplib::Request& from) {
  return {.authorization = from.get_header_value("Authorization"),
          .host = from.get_header_value("Host"),
          .content_type = from.get_header_value("Content-Type"),
          .content_encoding = from.get_header_value("Content-Encoding")};
}

bool has_body(const httplib::Request& request) {
  return request.has_header("Transfer-Encoding") ||
         (request.has_header("Content-Length") &&
          request.get_header_value("Content-Length") != "0");
}

size_t declared_size(const httplib::Request& request) {
  return request.get_header_value<uint64_t>("Content-Length", 0);
}

Answer too_large() {
  return problem(413, make_error(ErrorCode::kInvalidArgument, "the body is too large"));
}

// For a log line: what a client sends must not be able to end it.
std::string printable(std::string text) {
  std::ranges::replace_if(text, [](char c) { return c <= ' ' || c > '~'; }, '?');
  return text;
}

Error bind_error(const ListenAddress& address, int error) {
  const std::string what = fmt::format("cannot listen on {}", address.to_string());
  switch (error) {
    case EADDRINUSE:
      return make_error(ErrorCode::kConflict,
                        "{}: another program does already; stop it, or choose another address with "
                        "--listen",
                        what);
    case EADDRNOTAVAIL:
      return make_error(ErrorCode::kInvalidArgument, "{}: this machine has no such address", what);
    default:
      return system_error(error, what);
  }
}

}  // namespace

// The methods of RFC 9110 and RFC 5789; others are the client's as well.
std::string method_label(const std::string& method) {
  constexpr std::array kMethods{"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"};
  return std::ranges::find(kMethods, method) == kMethods.end() ? "other" : method;
}

// Whether the calling thread runs a task only for its connection to be refused.
thread_local bool is_refusing = false;

// Threads for connections, of which so many may wait.
class BoundedThreadPool : public httplib::TaskQueue {
 public:
  BoundedThreadPool(size_t threads, size_t waiting) : most_waiting_(waiting), threads_(threads) {}

  // By the listening thread alone.
  void enqueue(std::function<void()> task) override {
    if (waiting_ >= most_waiting_) {
      is_refusing = true;
      task();
      is_refusing = false;
      return;
    }
    ++waiting_;
    threads_.enqueue([this, task = std::move(task)] {
      --waiting_;
      task();
    });
  }
  void shutdown() override { threads_.shutdown(); }

 private:
  const size_t most_waiting_;
  std::atomic<size_t> waiting_ = 0;
  httplib::ThreadPool threads_;
};

// httplib reads and writes messages; connections are ours, for their limits.
class HttpServer::Listener : public httplib::Server {
 public:
  Listener(const HttpServerOptions& options, const StopEvent& stop)
      : options_(options), stop_(stop) {
    new_task_queue = [this] { return new BoundedThreadPool(options_.threads, options_.waiting); };
    set_keep_alive_max_count(kRequestsPerConnection);
    set_tcp_nodelay(true);
    set_socket_options([](socket_t socket) {
      // A restart does not wait for the connections of the last server to be forgotten. Not
      // SO_REUSEPORT, with which two servers would share the port.
      const int on = 1;
      setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    });
    set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
      return handle_without_body(request, response) ? HandlerResponse::Handled
                                                    : HandlerResponse::Unhandled;
    });
    Post(kAnyPath, [this](const httplib::Request& request, httplib::Response& response) {
      handle(request, response);
    });
    // For what httplib refuses itself.
    set_error_handler([this](const httplib::Request& request, httplib::Response& response) {
      if (!response.body.empty()) return;
      count_refused(request, nullptr, response.status);
      const std::string what = response.status == 413   ? "the body is too large"
                               : response.status == 414 ? "the path is too long"
                                                        : "the request cannot be understood";
      give(problem(response.status, Error(ErrorCode::kInvalidArgument, what)), response);
    });
  }
  ~Listener() override {
    // Of one that never listened.
    if (svr_sock_ != INVALID_SOCKET) ::close(svr_sock_);
  }

  Result<ListenAddress> bind(ListenAddress address) {
    errno = 0;
    if (address.port != 0) {
      if (!bind_to_port(address.host, address.port)) return bind_error(address, errno);
      return address;
    }
    const int port = bind_to_any_port(address.host);
    if (port <= 0) return bind_error(address, errno);
    address.port = static_cast<uint16_t>(port);
    return address;
  }

  void set_handlers(Router router, Metrics& metrics) {
    router_.emplace(std::move(router));
    metrics_ = &metrics;
    for (const Route& route : router_->routes()) {
      largest_body_ = std::max(largest_body_, route.body.size);
    }
    set_payload_max_length(largest_body_);
    in_flight_ = metrics.gauge("varve_http_requests_in_flight",
                               "Requests of the HTTP API that are being handled.");
    refused_connections_ =
        metrics.counter("varve_http_connections_refused_total",
                        "Connections that were refused because too many waited already.");
  }

 private:
  bool process_and_close_socket(socket_t socket) override {
    if (is_refusing) {
      refuse_connection(socket);
      return true;
    }
    Connection connection(socket, options_.connection, stop_,
                          options_.tls ? options_.tls->context() : nullptr);
    try {
      bool more = true;
      for (size_t left = kRequestsPerConnection; more && connection.next_request(); --left) {
        bool closes = left == 1;
        bool closed = false;
        // Otherwise the rest of it would be taken for others.
        bool understood = false;
        const bool done =
            process_request(connection, closes, closed, [&](httplib::Request& request) {
              understood = true;
              if (!has_body(request)) return;
              expect_body(request, connection);
              // It may not be read to its end, and must not be taken for the next request.
              closes = true;
              request.headers.erase("Connection");
              request.set_header("Connection", "close");
            });
        more = done && understood && !closes && !closed;
      }
    } catch (const std::exception& exception) {
      spdlog::error("http connection ended error=\"{}\"", exception.what());
    }
    return true;
  }

  // Nobody is waited for: the answer fits into what the system buffers of a new connection.
  void refuse_connection(socket_t socket) {
    refused_connections_->add();
    if (!options_.tls) {
      const Answer answer = problem(make_error(
          ErrorCode::kUnavailable, "too many connections wait already: come back later"));
      std::string text = fmt::format("HTTP/1.1 {} Service Unavailable\r\n", answer.status);
      for (const auto& [name, value] : answer.headers) {
        text += fmt::format("{}: {}\r\n", name, value);
      }
      text += fmt::format("Content-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}",
                          answer.content_type, answer.body.size(), answer.body);
      std::ignore = ::send(socket, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      ::shutdown(socket, SHUT_WR);
      // A close resets a connection of which something is unread, and the answer may go with it.
      std::array<char, 4096> request{};
      std::ignore = ::recv(socket, request.data(), request.size(), MSG_DONTWAIT);
    }
    ::close(socket);
  }

  // What a large body takes is granted where there may be one.
  void expect_body(const httplib::Request& from, Connection& connection) const {
    if (from.path.size() > kLongestPath) return;
    Request request = request_of(from, {});
    const auto found = router_->find(request);
    const auto* route = std::get_if<const Route*>(&found);
    if (route == nullptr || (*route)->body.size <= Route::Body().size) return;
    if (refuse(**route, head_of(from), options_.security)) return;
    connection.expect_body((*route)->body.size, kLargeBodyTime);
  }

  // False when it is to be handled with its body.
  bool handle_without_body(const httplib::Request& from, httplib::Response& response) {
    // The matching of paths by httplib recurses for each character.
    if (from.path.size() > kLongestPath) {
      refuse_request(from, nullptr,
                     problem(414, make_error(ErrorCode::kInvalidArgument, "the path is too long")),
                     response);
      return true;
    }
    Request request = request_of(from, stop_.token());
    const auto found = router_->find(request);
    if (const auto* refused = std::get_if<Answer>(&found)) {
      refuse_request(from, nullptr, *refused, response);
      return true;
    }
    const Route& route = *std::get<const Route*>(found);
    if (const auto refused = refuse(route, head_of(from), options_.security)) {
      refuse_request(from, &route, *refused, response);
      return true;
    }
    if (declared_size(from) > route.body.size) {
      refuse_request(from, &route, too_large(), response);
      return true;
    }
    if (route.method == "POST") return false;
    handle(route, request, from, response);
    return true;
  }

  void handle(const httplib::Request& from, httplib::Response& response) {
    Request request = request_of(from, stop_.token());
    const auto found = router_->find(request);
    if (const auto* refused = std::get_if<Answer>(&found)) {
      return refuse_request(from, nullptr, *refused, response);
    }
    const Route& route = *std::get<const Route*>(found);
    if (request.body.size() > route.body.size) {
      return refuse_request(from, &route, too_large(), response);
    }
    handle(route, request, from, response);
  }

  // `route` is null where there is none.
  void refuse_request(const httplib::Request& from, const Route* route, const Answer& answer,
                      httplib::Response& response) {
    count_refused(from, route, answer.status);
    give(answer, response);
  }

  void count_refused(const httplib::Request& from, const Route* route, int status) {
    count(route != nullptr ? route->method : method_label(from.method),
          route != nullptr ? route->path : kUnmatched, status);
  }

  void count(const std::string& method, const std::string& route, int status) {
    metrics_
        ->counter("varve_http_requests_total", "Requests of the HTTP API that were answered.",
                  {{"method", method}, {"route", route}, {"status", std::to_string(status)}})
        .add();
  }

  void handle(const Route& route, const Request& request, const httplib::Request& from,
              httplib::Response& response) {
    const BootTime started = system_clock().boot_time();
    in_flight_->add(1);
    const Answer answer = call(route, request);
    const double seconds =
        std::chrono::duration<double>(system_clock().boot_time() - started).count();
    in_flight_->add(-1);
    give(answer, response);
    count(route.method, route.path, answer.status);
    metrics_
        ->histogram("varve_http_request_seconds",
                    "How long handling requests of the HTTP API took.",
                    {{"method", route.method}, {"route", route.path}})
        .observe(seconds);
    const bool is_change = route.method != "GET" && answer.status < 300;
    const auto level = answer.status >= 500 ? spdlog::level::warn
                       : is_change          ? spdlog::level::info
                                            : spdlog::level::debug;
    spdlog::log(
        level, "http method={} target={} status={} seconds={:.3f} client={}{}", request.method,
        printable(from.target), answer.status, seconds, from.remote_addr,
        answer.status >= 500 ? " answer=" + answer.body.substr(0, answer.body.find('\n')) : "");
  }

  static Answer call(const Route& route, const Request& request) {
    try {
      auto answer = route.handler(request);
      return answer.ok() ? *std::move(answer) : problem(answer.error());
    } catch (const std::exception& exception) {
      return problem(make_error(ErrorCode::kInternal, "{}", exception.what()));
    }
  }

  const HttpServerOptions& options_;
  const StopEvent& stop_;
  std::optional<Router> router_;
  Metrics* metrics_ = nullptr;
  size_t largest_body_ = 0;
  std::optional<Gauge> in_flight_;
  std::optional<Counter> refused_connections_;
};

HttpServer::HttpServer(HttpServerOptions options)
    : options_(std::move(options)), listener_(std::make_unique<Listener>(options_, stop_)) {}

Result<std::unique_ptr<HttpServer>> HttpServer::bind(HttpServerOptions options) {
  std::unique_ptr<HttpServer> server(new HttpServer(std::move(options)));
  VARVE_ASSIGN(server->options_.address, server->listener_->bind(server->options_.address));
  return server;
}

HttpServer::~HttpServer() {
  stop();
}

void HttpServer::start(Router router, Metrics& metrics) {
  listener_->set_handlers(std::move(router), metrics);
  std::promise<void> finished;
  finished_ = finished.get_future();
  thread_ = std::jthread([this, finished = std::move(finished)]() mutable {
    listener_->listen_after_bind();
    finished.set_value();
  });
  // Before that a stop would not be noticed.
  while (!listener_->is_running()) std::this_thread::yield();
}

void HttpServer::stop() {
  if (stop_.token().stop_requested()) return;
  stop_.request_stop();
  if (listener_->is_running()) listener_->stop();
}

bool HttpServer::finished_within(Duration time) {
  return !finished_.valid() || finished_.wait_for(time) == std::future_status::ready;
}

}  // namespace varve::http
