#include "server/http/connection.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace varve::http {
namespace {

using Milliseconds = std::chrono::duration<int, std::milli>;

BootTime now() {
  return system_clock().boot_time();
}

// False when the time is over before something happens.
bool poll_until(std::span<pollfd> waiting, BootTime until) {
  for (;;) {
    const BootTime left = until - now();
    if (left <= BootTime::zero()) return false;
    const auto timeout = std::chrono::ceil<Milliseconds>(left);
    const int ready = ::poll(waiting.data(), waiting.size(), timeout.count());
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
}

void describe(const sockaddr_storage& address, std::string& ip, int& port) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
    port = ntohs(v4.sin_port);
  } else if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
    port = ntohs(v6.sin6_port);
  }
  ip = text.data();
}

}  // namespace

Connection::Connection(socket_t socket, const ConnectionLimits& limits, const StopEvent& stop,
                       const std::shared_ptr<SSL_CTX>& tls)
    : socket_(socket), limits_(limits), stop_(stop) {
  if (tls == nullptr) return;
  ::fcntl(socket_, F_SETFL, ::fcntl(socket_, F_GETFL) | O_NONBLOCK);
  tls_ = std::make_unique<TlsStream>(tls, socket_);
}

Connection::~Connection() {
  tls_.reset();
  ::shutdown(socket_, SHUT_WR);
  ::close(socket_);
}

bool Connection::wait_writable(BootTime until) const {
  pollfd waiting{.fd = socket_, .events = POLLOUT, .revents = 0};
  return poll_until({&waiting, 1}, until);
}

bool Connection::wait_readable(BootTime until) const {
  if (tls_ && tls_->has_more()) return true;
  std::array<pollfd, 2> waiting{pollfd{.fd = socket_, .events = POLLIN, .revents = 0},
                                pollfd{.fd = stop_.descriptor(), .events = POLLIN, .revents = 0}};
  return poll_until(waiting, until) && waiting[1].revents == 0;
}

bool Connection::next_request() {
  if (buffer_begin_ == buffer_end_ && !wait_readable(now() + limits_.idle)) return false;
  bytes_left_ = limits_.request_size;
  read_until_ = now() + limits_.request;
  write_until_ = BootTime::zero();
  answer_time_ = limits_.answer;
  return buffer_begin_ != buffer_end_ || fill_buffer();
}

void Connection::expect_body(size_t size, Duration time) {
  bytes_left_ = std::max(bytes_left_, size);
  read_until_ = std::max(read_until_, now() + time);
  answer_time_ = std::max(answer_time_, time);
}

ssize_t Connection::receive(char* to, size_t size) {
  for (;;) {
    if (!wait_readable(read_until_)) return -1;
    if (tls_) {
      const TlsStream::Transfer read = tls_->read(to, size);
      if (read.outcome == TlsStream::Outcome::kDone) return static_cast<ssize_t>(read.size);
      if (read.outcome == TlsStream::Outcome::kEnd) return 0;
      const bool wants_write = read.outcome == TlsStream::Outcome::kWantsWrite;
      if (wants_write && !wait_writable(read_until_)) return -1;
      continue;
    }
    const ssize_t count = ::recv(socket_, to, size, MSG_DONTWAIT);
    if (count >= 0 || (errno != EINTR && errno != EAGAIN)) return count;
  }
}

bool Connection::fill_buffer() {
  const ssize_t count = receive(buffer_.data(), buffer_.size());
  if (count <= 0) return false;
  buffer_begin_ = 0;
  buffer_end_ = static_cast<size_t>(count);
  return true;
}

ssize_t Connection::read(char* to, size_t size) {
  if (bytes_left_ == 0) return -1;
  if (buffer_begin_ == buffer_end_ && !fill_buffer()) return -1;
  const size_t count = std::min({size, buffer_end_ - buffer_begin_, bytes_left_});
  std::memcpy(to, buffer_.data() + buffer_begin_, count);
  buffer_begin_ += count;
  bytes_left_ -= count;
  return static_cast<ssize_t>(count);
}

ssize_t Connection::write(const char* from, size_t size) {
  if (write_until_ == BootTime::zero()) write_until_ = now() + answer_time_;
  return tls_ ? send_tls(from, size) : send_plain(from, size);
}

ssize_t Connection::send_plain(const char* from, size_t size) {
  for (;;) {
    const ssize_t count = ::send(socket_, from, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count >= 0) return count;
    if (errno == EINTR) continue;
    if (errno != EAGAIN || !wait_writable(write_until_)) return -1;
  }
}

ssize_t Connection::send_tls(const char* from, size_t size) {
  for (;;) {
    const TlsStream::Transfer written = tls_->write(from, size);
    switch (written.outcome) {
      case TlsStream::Outcome::kDone:
        return static_cast<ssize_t>(written.size);
      case TlsStream::Outcome::kEnd:
        return -1;
      case TlsStream::Outcome::kWantsRead:
        if (!wait_readable(write_until_)) return -1;
        break;
      case TlsStream::Outcome::kWantsWrite:
        if (!wait_writable(write_until_)) return -1;
        break;
    }
  }
}

void Connection::get_remote_ip_and_port(std::string& ip, int& port) const {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getpeername(socket_, reinterpret_cast<sockaddr*>(&address), &size) == 0) {
    describe(address, ip, port);
  }
}

void Connection::get_local_ip_and_port(std::string& ip, int& port) const {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size) == 0) {
    describe(address, ip, port);
  }
}

}  // namespace varve::http
