// A connection of a client, with limits: to how much it may send, and how long it may take.
#pragma once

#include <array>

#include "base/clock.h"
#include "server/http/httplib_library.h"
#include "server/http/stop_event.h"
#include "server/http/tls.h"

namespace varve::http {

struct ConnectionLimits {
  // A request with its headers, bytes.
  size_t request_size = 96 << 10;
  // Between two requests.
  Duration idle = std::chrono::seconds(5);
  // From the first byte of a request to its last.
  Duration request = std::chrono::seconds(10);
  // From the first byte of an answer to its last.
  Duration answer = std::chrono::seconds(10);
};

// Used by one thread. A request that is not there whole when a stop is requested is not read on.
class Connection : public httplib::Stream {
 public:
  // Closes the socket in the end. Speaks TLS with `tls`, which may be null.
  Connection(socket_t socket, const ConnectionLimits& limits, const StopEvent& stop,
             const std::shared_ptr<SSL_CTX>& tls);
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Waits until the client sends a request; false when none comes.
  bool next_request();
  // Once the head of the request is read: its body may be so long, and it and the answer take so
  // much time.
  void expect_body(size_t size, Duration time);

  bool is_readable() const override { return true; }
  bool is_writable() const override { return true; }
  // As httplib wants them: the number of bytes, 0 at the end, -1 after an error.
  ssize_t read(char* to, size_t size) override;
  ssize_t write(const char* from, size_t size) override;
  void get_remote_ip_and_port(std::string& ip, int& port) const override;
  void get_local_ip_and_port(std::string& ip, int& port) const override;
  socket_t socket() const override { return socket_; }

 private:
  bool wait_readable(BootTime until) const;
  bool wait_writable(BootTime until) const;
  bool fill_buffer();
  // As recv(2) and send(2), but that they wait: 0 at the end, -1 after an error or too long.
  ssize_t receive(char* to, size_t size);
  ssize_t send_plain(const char* from, size_t size);
  ssize_t send_tls(const char* from, size_t size);

  const socket_t socket_;
  const ConnectionLimits& limits_;
  const StopEvent& stop_;
  // Null: plain HTTP.
  std::unique_ptr<TlsStream> tls_;

  std::array<char, 4096> buffer_{};
  size_t buffer_begin_ = 0;
  size_t buffer_end_ = 0;
  // Of the request that is read.
  size_t bytes_left_ = 0;
  BootTime read_until_{0};
  // Of the answer to it; zero before its first byte.
  BootTime write_until_{0};
  Duration answer_time_{0};
};

}  // namespace varve::http
