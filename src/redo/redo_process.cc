#include "redo/redo_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>

#include "pgext/protocol.h"
#include "postgres/layout.h"

namespace varve {
namespace {

// What is encoded ahead of what the socket takes.
constexpr size_t kSendAhead = size_t{256} << 10;
constexpr size_t kReceiveAtOnce = size_t{128} << 10;
// Kept of what a process prints.
constexpr size_t kPrinted = 4096;
// For a process to be gone that has closed its end of the socket.
constexpr Duration kEndPatience = std::chrono::seconds(2);
// A redo process has 3 MiB of its own, and some hundred of libraries mapped.
constexpr uint64_t kAddressSpace = uint64_t{2} << 30;

constexpr std::string_view kRemedy =
    "redo needs the programs of PostgreSQL 15 (Debian's postgresql-15) and the varve_redo.so that "
    "was built together with this program";

static_assert(kBlockSize == VARVE_REDO_BLOCK_SIZE);

ChildProgram program_of(const RedoProcessOptions& options, const ControlFile& control,
                        const ScratchDirectory& scratch) {
  ChildProgram program;
  program.arguments = {(options.postgres_directory / "postgres").string(), "--single", "-F", "-D",
                       scratch.path().string()};
  const auto set = [&](std::string_view name, std::string_view value) {
    program.arguments.emplace_back("-c");
    program.arguments.push_back(fmt::format("{}={}", name, value));
  };
  set("shared_preload_libraries", scratch.library().string());
  set("varve_redo.seccomp", options.restrict_system_calls ? "on" : "off");
  set("wal_log_hints", control.settings().wal_log_hints ? "on" : "off");
  // As small as a server gets: the buffers hold the pages of a few records.
  set("shared_buffers", "2MB");
  set("wal_buffers", "64kB");
  set("huge_pages", "off");
  set("dynamic_shared_memory_type", "mmap");
  set("max_connections", "1");
  set("autovacuum_max_workers", "1");
  set("max_worker_processes", "0");
  set("max_wal_senders", "0");
  set("max_replication_slots", "0");
  set("max_prepared_transactions", "0");
  set("max_locks_per_transaction", "10");
  // A time in front of each line would be a system call.
  set("log_line_prefix", "");
  set("log_min_messages", "warning");
  program.arguments.emplace_back("redo");
  program.environment = {"PATH=/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"};
  program.address_space = kAddressSpace;
  return program;
}

Result<std::optional<SystemUser>> owner_of(const RedoProcessOptions& options) {
  if (::geteuid() != 0) return std::optional<SystemUser>();
  auto user = find_system_user(options.user);
  if (!user.ok()) {
    return user.error().context(
        "PostgreSQL does not run as root, and there is nobody to run redo processes as; name a "
        "user with --pg-user");
  }
  if (user->user == 0) {
    return make_error(ErrorCode::kInvalidArgument,
                      "PostgreSQL does not run as root: name another user than {} with --pg-user",
                      options.user);
  }
  return std::optional<SystemUser>(*user);
}

Result<std::array<Descriptor, 2>> two_ends(int made, std::array<int, 2> ends) {
  if (made != 0) return system_error(errno, "cannot start a redo process");
  return std::array<Descriptor, 2>{Descriptor(ends[0]), Descriptor(ends[1])};
}

Result<std::array<Descriptor, 2>> make_socket_pair() {
  std::array<int, 2> ends{};
  return two_ends(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), ends);
}

Result<std::array<Descriptor, 2>> make_pipe() {
  std::array<int, 2> ends{};
  return two_ends(::pipe2(ends.data(), O_CLOEXEC), ends);
}

// Read by poll(2) and MSG_DONTWAIT; only a pipe has no such flag.
void do_not_block(const Descriptor& descriptor) {
  ::fcntl(descriptor.get(), F_SETFL, ::fcntl(descriptor.get(), F_GETFL) | O_NONBLOCK);
}

std::string text_of(ByteView content) {
  std::string text(as_text(content));
  text.resize(std::min(text.find('\0'), text.size()));
  return text;
}

}  // namespace

struct RedoProcess::Parts {
  ScratchDirectory scratch;
  Descriptor socket;
  Descriptor errors;
  Descriptor stopped;
  ChildProcess child;
};

RedoProcess::RedoProcess(Parts parts)
    : scratch_(std::move(parts.scratch)),
      socket_(std::move(parts.socket)),
      errors_(std::move(parts.errors)),
      stopped_(std::move(parts.stopped)),
      child_(std::move(parts.child)),
      received_(kReceiveAtOnce) {}

RedoProcess::~RedoProcess() = default;

Result<std::unique_ptr<RedoProcess>> RedoProcess::start(const RedoProcessOptions& options,
                                                        const ControlFile& control,
                                                        const CallOptions& call) {
  VARVE_ASSIGN(const auto owner, owner_of(options));
  VARVE_ASSIGN(ScratchDirectory scratch, ScratchDirectory::create(options, control, owner));
  VARVE_ASSIGN(auto socket, make_socket_pair());
  VARVE_ASSIGN(auto errors, make_pipe());
  do_not_block(errors[0]);
  Descriptor stopped(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (stopped.get() < 0) return system_error(errno, "cannot start a redo process");
  ChildProgram program = program_of(options, control, scratch);
  program.user = owner;
  program.standard_input_and_output = socket[1].get();
  program.standard_error = errors[1].get();
  auto child = ChildProcess::start(program);
  if (!child.ok()) return child.error().context(kRemedy);
  // Only the child has them now, so that its end is seen.
  socket[1].close();
  errors[1].close();
  std::unique_ptr<RedoProcess> process(new RedoProcess({.scratch = std::move(scratch),
                                                        .socket = std::move(socket[0]),
                                                        .errors = std::move(errors[0]),
                                                        .stopped = std::move(stopped),
                                                        .child = std::move(*child)}));
  VARVE_TRY(process->receive_hello(options, control, call));
  return process;
}

Result<> RedoProcess::receive_hello(const RedoProcessOptions& options, const ControlFile& control,
                                    const CallOptions& call) {
  RedoRequestEncoder nothing({});
  auto message = next_message(nothing, Deadline::after(options.start_deadline), call);
  if (!message.ok()) return message.error().context(kRemedy);
  if (message->type == VARVE_REDO_FATAL) {
    return broken(fmt::format("gave up: {}", text_of(message->content))).context(kRemedy);
  }
  const auto refuse = [&](const std::string& what) {
    return make_error(ErrorCode::kInvalidArgument, "the redo process {}: {}", what, kRemedy);
  };
  VarveRedoHello hello{};
  if (message->type != VARVE_REDO_HELLO || message->content.size() < sizeof hello) {
    return refuse("does not say who it is");
  }
  std::memcpy(&hello, message->content.data(), sizeof hello);
  if (hello.magic != VARVE_REDO_MAGIC) return refuse("does not say who it is");
  if (hello.protocol_version != VARVE_REDO_PROTOCOL_VERSION) {
    return refuse(fmt::format("speaks version {} of the protocol, and this program version {}",
                              hello.protocol_version, VARVE_REDO_PROTOCOL_VERSION));
  }
  for (const uint32_t version : {hello.server_version, hello.compiled_version}) {
    if (std::to_string(version / 10000) == kPostgresMajorVersion) continue;
    return refuse(fmt::format("is of PostgreSQL {}.{}", version / 10000, version % 10000));
  }
  if (hello.block_size != kBlockSize) {
    return refuse(fmt::format("has pages of {} bytes", hello.block_size));
  }
  if (hello.system_identifier != control.system_identifier() ||
      hello.data_checksum_version != control.data_checksum_version() ||
      (hello.wal_log_hints != 0) != control.settings().wal_log_hints) {
    return refuse("did not take the settings of the cluster");
  }
  if ((hello.seccomp != 0) != options.restrict_system_calls) {
    return refuse("did not take the setting of its system calls");
  }
  return {};
}

Result<> RedoProcess::exchange(std::span<const RedoRequest> requests, Duration patience,
                               const CallOptions& call, std::vector<Result<Bytes>>& replies) {
  if (taken_ != filled_) return broken("said more than it was asked");
  RedoRequestEncoder encoder(requests);
  for (const RedoRequest& request : requests) {
    VARVE_ASSIGN(const Message message, next_message(encoder, Deadline::after(patience), call));
    if (message.type == VARVE_REDO_PAGE && message.content.size() == kBlockSize) {
      replies.emplace_back(Bytes(message.content.begin(), message.content.end()));
    } else if (message.type == VARVE_REDO_ERROR) {
      replies.emplace_back(make_error(ErrorCode::kCorrupted, "{}: PostgreSQL does not redo it: {}",
                                      request.describe(), text_of(message.content)));
    } else if (message.type == VARVE_REDO_FATAL) {
      return broken(fmt::format("gave up: {}", text_of(message.content)));
    } else {
      return broken(
          fmt::format("sent {} bytes of type {} for a page", message.content.size(), message.type));
    }
  }
  return {};
}

Result<RedoProcess::Message> RedoProcess::next_message(RedoRequestEncoder& encoder,
                                                       const Deadline& deadline,
                                                       const CallOptions& call) {
  const std::stop_callback on_stop(call.stop, [this] { ::eventfd_write(stopped_.get(), 1); });
  while (true) {
    if (auto message = take_message()) return *message;
    send_more(encoder);
    VARVE_TRY(wait(sent_ < unsent_.size(), deadline, call));
    VARVE_TRY(receive());
  }
}

void RedoProcess::send_more(RedoRequestEncoder& encoder) {
  while (true) {
    if (sent_ == unsent_.size()) {
      unsent_ = ByteWriter();
      sent_ = 0;
      while (!encoder.done() && unsent_.size() < kSendAhead) encoder.append_next(unsent_);
      if (unsent_.size() == 0) return;
    }
    const ByteView rest = unsent_.view().subspan(sent_);
    const ssize_t count =
        ::send(socket_.get(), rest.data(), rest.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count >= 0) {
      sent_ += static_cast<size_t>(count);
    } else if (errno != EINTR) {
      // A process that is gone is noticed by receive(), once its last words are read.
      return;
    }
  }
}

Result<> RedoProcess::wait(bool for_writing, const Deadline& deadline, const CallOptions& call) {
  const Deadline until = Deadline::earlier(deadline, call.deadline);
  std::array<pollfd, 3> events{
      {{.fd = socket_.get(),
        .events = static_cast<short>(for_writing ? POLLIN | POLLOUT : POLLIN),
        .revents = 0},
       {.fd = errors_.get(), .events = POLLIN, .revents = 0},
       {.fd = stopped_.get(), .events = POLLIN, .revents = 0}}};
  int timeout = -1;
  if (!until.is_never()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until.remaining());
    timeout = static_cast<int>(std::min<int64_t>(left.count(), 1'000'000));
  }
  if (::poll(events.data(), events.size(), timeout) < 0 && errno != EINTR) {
    return system_error(errno, "cannot wait for a redo process");
  }
  VARVE_TRY(call.check("redo"));
  drain_errors();
  // Closed by a process that goes on would be readable for ever; its end is seen at the socket.
  if (events[0].revents == 0 && until.passed()) {
    child_.end(Duration::zero());
    return ended("gave no answer in time");
  }
  return {};
}

Result<> RedoProcess::receive() {
  if (taken_ > 0) {
    std::copy(received_.begin() + static_cast<ptrdiff_t>(taken_),
              received_.begin() + static_cast<ptrdiff_t>(filled_), received_.begin());
    filled_ -= taken_;
    taken_ = 0;
  }
  const ssize_t count =
      ::recv(socket_.get(), received_.data() + filled_, received_.size() - filled_, MSG_DONTWAIT);
  if (count > 0) {
    filled_ += static_cast<size_t>(count);
    return {};
  }
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return {};
  return ended(child_.end(kEndPatience));
}

std::optional<RedoProcess::Message> RedoProcess::take_message() {
  VarveRedoHeader header{};
  if (filled_ - taken_ < sizeof header) return std::nullopt;
  std::memcpy(&header, received_.data() + taken_, sizeof header);
  // No message of it is longer than a page; what claims to be is given to the caller, who knows
  // none of that type and size.
  const size_t size = std::min<size_t>(header.size, VARVE_REDO_BLOCK_SIZE);
  if (header.size != size) return Message{.type = 0, .content = {}};
  if (filled_ - taken_ < sizeof header + size) return std::nullopt;
  const ByteView content(received_.data() + taken_ + sizeof header, size);
  taken_ += sizeof header + size;
  return Message{.type = header.type, .content = content};
}

void RedoProcess::drain_errors() {
  std::array<char, 4096> piece{};
  ssize_t count = 0;
  while ((count = ::read(errors_.get(), piece.data(), piece.size())) > 0) {
    printed_.append(piece.data(), static_cast<size_t>(count));
    if (printed_.size() > kPrinted) printed_.erase(0, printed_.size() - kPrinted);
  }
}

Error RedoProcess::ended(std::string_view how) {
  drain_errors();
  std::string words = printed_;
  std::ranges::replace(words, '\n', ' ');
  while (words.ends_with(' ')) words.pop_back();
  if (words.empty()) return broken(how);
  return broken(fmt::format("{}; it printed: {}", how, words));
}

Error RedoProcess::broken(std::string_view how) {
  return make_error(ErrorCode::kUnavailable, "the redo process {}", how);
}

}  // namespace varve
