#include "server/http/connection.h"

#include <arpa/inet.h>
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

Connection::~Connection() {
  ::shutdown(socket_, SHUT_WR);
  ::close(socket_);
}

bool Connection::wait_readable(BootTime until) const {
  std::array<pollfd, 2> waiting{pollfd{.fd = socket_, .events = POLLIN, .revents = 0},
                                pollfd{.fd = stop_.descriptor(), .events = POLLIN, .revents = 0}};
  return poll_until(waiting, until) && waiting[1].revents == 0;
}

bool Connection::next_request() {
  if (buffer_begin_ == buffer_end_ && !wait_readable(now() + limits_.idle)) return false;
  bytes_left_ = limits_.request_size;
  read_until_ = now() + limits_.request;
  write_until_ = BootTime::zero();
  return buffer_begin_ != buffer_end_ || fill_buffer();
}

bool Connection::fill_buffer() {
  ssize_t count = 0;
  do {
    if (!wait_readable(read_until_)) return false;
    count = ::recv(socket_, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
  } while (count < 0 && (errno == EINTR || errno == EAGAIN));
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
  if (write_until_ == BootTime::zero()) write_until_ = now() + limits_.answer;
  for (;;) {
    const ssize_t count = ::send(socket_, from, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count >= 0) return count;
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return -1;
    pollfd waiting{.fd = socket_, .events = POLLOUT, .revents = 0};
    if (!poll_until({&waiting, 1}, write_until_)) return -1;
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
