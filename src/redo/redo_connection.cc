#include "redo/redo_connection.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "pgext/protocol.h"

namespace varve {
namespace {

// What is encoded ahead of what the socket takes.
constexpr size_t kSendAhead = size_t{256} << 10;
// Several pages, and always a whole message.
constexpr size_t kReceiveAtOnce = size_t{128} << 10;
// Kept of what a process prints.
constexpr size_t kPrinted = 4096;

}  // namespace

Result<RedoConnection> RedoConnection::create(Descriptor messages, Descriptor errors) {
  Descriptor stopped(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (stopped.get() < 0) return system_error(errno, "cannot speak with a redo process");
  // The socket has a flag for that with each call, a pipe has not.
  ::fcntl(errors.get(), F_SETFL, ::fcntl(errors.get(), F_GETFL) | O_NONBLOCK);
  return RedoConnection(std::move(messages), std::move(errors), std::move(stopped));
}

RedoConnection::RedoConnection(Descriptor messages, Descriptor errors, Descriptor stopped)
    : messages_(std::move(messages)),
      errors_(std::move(errors)),
      stopped_(std::move(stopped)),
      received_(kReceiveAtOnce) {}

Result<RedoConnection::Received> RedoConnection::receive(RedoRequestEncoder& encoder,
                                                         const Deadline& deadline,
                                                         const CallOptions& call) {
  const std::stop_callback on_stop(call.stop, [this] { ::eventfd_write(stopped_.get(), 1); });
  while (true) {
    if (const auto message = take_message()) return *message;
    send_from(encoder);
    VARVE_ASSIGN(const bool in_time, wait(deadline, call));
    if (!in_time) return Received{.event = Event::kLate};
    if (!fill()) return Received{.event = Event::kClosed};
  }
}

std::optional<RedoConnection::Received> RedoConnection::take_message() {
  VarveRedoHeader header{};
  if (filled_ - taken_ < sizeof header) return std::nullopt;
  std::memcpy(&header, received_.data() + taken_, sizeof header);
  if (header.size > VARVE_REDO_BLOCK_SIZE) return Received{};
  if (filled_ - taken_ < sizeof header + header.size) return std::nullopt;
  const ByteView content(received_.data() + taken_ + sizeof header, header.size);
  taken_ += sizeof header + header.size;
  return Received{.event = Event::kMessage, .type = header.type, .content = content};
}

void RedoConnection::send_from(RedoRequestEncoder& encoder) {
  while (true) {
    if (sent_ == unsent_.size()) {
      unsent_ = ByteWriter();
      sent_ = 0;
      while (!encoder.done() && unsent_.size() < kSendAhead) encoder.append_next(unsent_);
      if (unsent_.size() == 0) return;
    }
    const ByteView rest = unsent_.view().subspan(sent_);
    const ssize_t count =
        ::send(messages_.get(), rest.data(), rest.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count >= 0) {
      sent_ += static_cast<size_t>(count);
    } else if (errno != EINTR) {
      // That the process is gone is noticed by fill(), once its last words are read.
      return;
    }
  }
}

Result<bool> RedoConnection::wait(const Deadline& deadline, const CallOptions& call) {
  const bool is_sending = sent_ < unsent_.size();
  const Deadline until = Deadline::earlier(deadline, call.deadline);
  std::array<pollfd, 3> events{
      {{.fd = messages_.get(),
        .events = static_cast<short>(is_sending ? POLLIN | POLLOUT : POLLIN),
        .revents = 0},
       {.fd = errors_.get(), .events = POLLIN, .revents = 0},
       {.fd = stopped_.get(), .events = POLLIN, .revents = 0}}};
  int timeout = -1;
  if (!until.is_never()) {
    constexpr int64_t kLongest = 1'000'000;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until.remaining()).count();
    timeout = static_cast<int>(std::min<int64_t>(left, kLongest));
  }
  if (::poll(events.data(), events.size(), timeout) < 0 && errno != EINTR) {
    return system_error(errno, "cannot wait for a redo process");
  }
  VARVE_TRY(call.check("redo"));
  drain_errors();
  return events[0].revents != 0 || !deadline.passed();
}

bool RedoConnection::fill() {
  if (taken_ > 0) {
    std::copy(received_.begin() + static_cast<ptrdiff_t>(taken_),
              received_.begin() + static_cast<ptrdiff_t>(filled_), received_.begin());
    filled_ -= taken_;
    taken_ = 0;
  }
  const ssize_t count =
      ::recv(messages_.get(), received_.data() + filled_, received_.size() - filled_, MSG_DONTWAIT);
  if (count > 0) filled_ += static_cast<size_t>(count);
  return count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR));
}

void RedoConnection::drain_errors() {
  std::array<char, 4096> piece{};
  ssize_t count = 0;
  while ((count = ::read(errors_.get(), piece.data(), piece.size())) > 0) {
    printed_.append(piece.data(), static_cast<size_t>(count));
    if (printed_.size() > kPrinted) printed_.erase(0, printed_.size() - kPrinted);
  }
}

std::string RedoConnection::printed() {
  drain_errors();
  return printed_;
}

}  // namespace varve
