#include "redo/redo_process.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "pgext/protocol.h"
#include "postgres/control_file.h"
#include "postgres/layout.h"

namespace varve {
namespace {

// For a process to be gone that has closed its end of the socket.
constexpr Duration kEndPatience = std::chrono::seconds(2);
// A redo process has 3 MiB of its own, and some hundred of libraries mapped.
constexpr uint64_t kAddressSpace = uint64_t{2} << 30;

constexpr std::string_view kRemedy =
    "redo needs the programs of PostgreSQL 15 (Debian's postgresql-15; --pg-bindir says where they "
    "are) and the varve_redo.so that was built together with this program";

static_assert(kBlockSize == VARVE_REDO_BLOCK_SIZE);

ChildProgram program_of(const RedoProcessOptions& options, const ScratchDirectory& scratch) {
  ChildProgram program;
  program.arguments = {(options.postgres_directory / "postgres").string(), "--single", "-F", "-D",
                       scratch.path().string()};
  const auto set = [&](std::string_view name, std::string_view value) {
    program.arguments.emplace_back("-c");
    program.arguments.push_back(fmt::format("{}={}", name, value));
  };
  set("shared_preload_libraries", scratch.library().string());
  set("varve_redo.seccomp", options.restrict_system_calls ? "on" : "off");
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

std::string text_of(ByteView content) {
  std::string text(as_text(content));
  text.resize(std::min(text.find('\0'), text.size()));
  return text;
}

// It has ended, or is to: it says something else than it should, or nothing.
Error broken(std::string_view how) {
  return make_error(ErrorCode::kUnavailable, "the redo process {}", how);
}

}  // namespace

Result<std::unique_ptr<RedoProcess>> RedoProcess::start(const RedoProcessOptions& options,
                                                        const CallOptions& call) {
  VARVE_ASSIGN(const auto owner, owner_of(options));
  VARVE_ASSIGN(ScratchDirectory scratch, ScratchDirectory::create(options, owner));
  VARVE_ASSIGN(auto messages, make_socket_pair());
  VARVE_ASSIGN(auto errors, make_pipe());
  ChildProgram program = program_of(options, scratch);
  program.user = owner;
  program.standard_input_and_output = messages[1].get();
  program.standard_error = errors[1].get();
  auto child = ChildProcess::start(program);
  if (!child.ok()) return child.error().context(kRemedy);
  // Only the child has the other ends now, so that its end is seen.
  messages[1].close();
  errors[1].close();
  VARVE_ASSIGN(RedoConnection connection,
               RedoConnection::create(std::move(messages[0]), std::move(errors[0])));
  std::unique_ptr<RedoProcess> process(
      new RedoProcess(std::move(scratch), std::move(connection), std::move(*child)));
  VARVE_TRY(process->receive_hello(options, call));
  return process;
}

Result<> RedoProcess::receive_hello(const RedoProcessOptions& options, const CallOptions& call) {
  RedoRequestEncoder nothing({});
  auto message = receive(nothing, options.start_deadline, call);
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
  if (hello.system_identifier != ControlFile::for_redo().system_identifier() ||
      hello.data_checksum_version != 0) {
    return refuse("did not take the control file that it was given");
  }
  if ((hello.seccomp != 0) != options.restrict_system_calls) {
    return refuse("did not take the setting of its system calls");
  }
  return {};
}

Result<> RedoProcess::exchange(std::span<const RedoRequest> requests, Duration patience,
                               const CallOptions& call, std::vector<Result<Bytes>>& replies) {
  if (connection_.has_more()) return broken("said more than it was asked");
  RedoRequestEncoder encoder(requests);
  for (const RedoRequest& request : requests) {
    VARVE_ASSIGN(const auto message, receive(encoder, patience, call));
    if (message.type == VARVE_REDO_PAGE && message.content.size() == kBlockSize) {
      replies.emplace_back(Bytes(message.content.begin(), message.content.end()));
    } else if (message.type == VARVE_REDO_ERROR) {
      replies.emplace_back(make_error(ErrorCode::kCorrupted, "{}: PostgreSQL does not redo it: {}",
                                      describe(request), text_of(message.content)));
    } else if (message.type == VARVE_REDO_FATAL) {
      return broken(fmt::format("gave up: {}", text_of(message.content)));
    } else {
      return broken(
          fmt::format("sent {} bytes of type {} for a page", message.content.size(), message.type));
    }
  }
  return {};
}

Result<RedoConnection::Received> RedoProcess::receive(RedoRequestEncoder& encoder,
                                                      Duration patience, const CallOptions& call) {
  using Event = RedoConnection::Event;
  VARVE_ASSIGN(const auto received, connection_.receive(encoder, Deadline::after(patience), call));
  if (received.event == Event::kClosed) return ended(child_.end(kEndPatience));
  if (received.event == Event::kLate) {
    child_.end(Duration::zero());
    return ended("gave no answer in time");
  }
  return received;
}

Error RedoProcess::ended(std::string_view how) {
  std::string words = connection_.printed();
  std::ranges::replace(words, '\n', ' ');
  while (words.ends_with(' ')) words.pop_back();
  if (words.empty()) return broken(how);
  return broken(fmt::format("{}; it printed: {}", how, words));
}

}  // namespace varve
