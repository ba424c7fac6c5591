// An HTTP server on loopback that answers as a test says, one exchange after the other.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace varve::s3 {

struct ReceivedRequest {
  std::string method;
  // Path and query, as they were sent.
  std::string target;
  // Names in lower case.
  std::map<std::string, std::string> headers;
  std::string body;
  // Counts the connections, from 0.
  int connection = 0;
};

struct ScriptedAnswer {
  enum class Then {
    kKeepOpen,
    kClose,
    kReset,  // With a RST, as a server that dies or a firewall.
    kHang,   // Sends nothing more, until the client closes.
  };
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string body = {};
  // What the header announces; none: what the body has.
  std::optional<size_t> content_length = {};
  // Nothing at all is sent.
  bool silent = false;
  // Without reading the body of the request.
  bool before_body = false;
  Then then = Then::kKeepOpen;
};

// The answers are used in their order, whatever the connection; when they have run out, the server
// says 500. Stopped on destruction.
class ScriptedServer {
 public:
  using Then = ScriptedAnswer::Then;

  ScriptedServer() {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ::bind(listener_, reinterpret_cast<sockaddr*>(&address), size);
    ::listen(listener_, 64);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::jthread([this](const std::stop_token& stop) { accept_all(stop); });
  }
  ~ScriptedServer() {
    acceptor_.request_stop();
    acceptor_.join();
    connections_.clear();
    ::close(listener_);
  }
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  std::string authority() const { return "127.0.0.1:" + std::to_string(port_); }

  void answer(ScriptedAnswer answer) {
    const std::lock_guard lock(mutex_);
    answers_.push_back(std::move(answer));
  }

  std::vector<ReceivedRequest> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  // A socket that is read with regard to a stop.
  class Connection {
   public:
    Connection(int socket, std::stop_token stop) : socket_(socket), stop_(std::move(stop)) {}
    ~Connection() { ::close(socket_); }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    // False at the end of the stream, on a failure and when it shall stop.
    bool read_more() {
      while (!stop_.stop_requested()) {
        pollfd waiting{.fd = socket_, .events = POLLIN, .revents = 0};
        if (::poll(&waiting, 1, 20) == 0) continue;
        char buffer[65536];
        const ssize_t count = ::recv(socket_, buffer, sizeof buffer, 0);
        if (count <= 0) return false;
        received_.append(buffer, static_cast<size_t>(count));
        return true;
      }
      return false;
    }
    void write(std::string_view text) {
      while (!text.empty()) {
        const ssize_t count = ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
        if (count <= 0) return;
        text.remove_prefix(static_cast<size_t>(count));
      }
    }
    void reset_on_close() {
      const linger at_once{.l_onoff = 1, .l_linger = 0};
      ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }

    std::string received_;

   private:
    const int socket_;
    const std::stop_token stop_;
  };

  void accept_all(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      pollfd waiting{.fd = listener_, .events = POLLIN, .revents = 0};
      if (::poll(&waiting, 1, 20) == 0) continue;
      const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (socket < 0) continue;
      const int number = static_cast<int>(connections_.size());
      connections_.emplace_back([this, socket, number](std::stop_token connection_stop) {
        Connection connection(socket, std::move(connection_stop));
        while (serve(connection, number)) {
        }
      });
    }
  }

  // Whether the connection stays open.
  bool serve(Connection& connection, int number) {
    std::string& received = connection.received_;
    size_t end = 0;
    while ((end = received.find("\r\n\r\n")) == std::string::npos) {
      if (!connection.read_more()) return false;
    }
    ReceivedRequest request = parse(received.substr(0, end));
    received.erase(0, end + 4);
    request.connection = number;
    const ScriptedAnswer answer = next_answer();
    const auto length = request.headers.find("content-length");
    const size_t size = length == request.headers.end() ? 0 : std::stoul(length->second);
    if (!answer.before_body) {
      if (request.headers.contains("expect")) connection.write("HTTP/1.1 100 Continue\r\n\r\n");
      while (received.size() < size) {
        if (!connection.read_more()) return false;
      }
      request.body = received.substr(0, size);
      received.erase(0, size);
    }
    const bool without_body = request.method == "HEAD";
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(std::move(request));
    }
    if (!answer.silent) connection.write(text_of(answer, without_body));
    if (answer.then == Then::kHang) {
      while (connection.read_more()) {
      }
    }
    if (answer.then == Then::kReset) connection.reset_on_close();
    return answer.then == Then::kKeepOpen;
  }

  static ReceivedRequest parse(std::string_view head) {
    ReceivedRequest request;
    const auto line = [&] {
      const size_t end = std::min(head.find("\r\n"), head.size());
      std::string text(head.substr(0, end));
      head.remove_prefix(std::min(end + 2, head.size()));
      return text;
    };
    const std::string first = line();
    const size_t space = first.find(' ');
    request.method = first.substr(0, space);
    request.target = first.substr(space + 1, first.rfind(' ') - space - 1);
    while (!head.empty()) {
      const std::string text = line();
      const size_t colon = text.find(':');
      std::string name = text.substr(0, colon);
      std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
      const size_t value = text.find_first_not_of(' ', colon + 1);
      request.headers[name] = value == std::string::npos ? "" : text.substr(value);
    }
    return request;
  }

  static std::string text_of(const ScriptedAnswer& answer, bool without_body) {
    std::string text = "HTTP/1.1 " + std::to_string(answer.status) + " Scripted\r\n";
    bool has_date = false;
    for (const auto& [name, value] : answer.headers) {
      text += name + ": " + value + "\r\n";
      has_date |= name == "Date";
    }
    if (!has_date) text += "Date: Sun, 22 Nov 2026 03:00:00 GMT\r\n";
    const size_t length = answer.content_length.value_or(answer.body.size());
    text += "Content-Length: " + std::to_string(length) + "\r\n\r\n";
    return without_body ? text : text + answer.body;
  }

  ScriptedAnswer next_answer() {
    const std::lock_guard lock(mutex_);
    if (answers_.empty()) return {.status = 500, .body = "the script has ended"};
    ScriptedAnswer answer = std::move(answers_.front());
    answers_.pop_front();
    return answer;
  }

  int listener_ = -1;
  int port_ = 0;
  mutable std::mutex mutex_;
  std::deque<ScriptedAnswer> answers_;
  std::vector<ReceivedRequest> requests_;
  // Touched by the acceptor alone, until it has ended.
  std::vector<std::jthread> connections_;
  std::jthread acceptor_;
};

}  // namespace varve::s3
