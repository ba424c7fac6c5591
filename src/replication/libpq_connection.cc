#include "replication/libpq_connection.h"

#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "replication/server_error.h"

namespace varve {
namespace {

void log_notice(void*, const PGresult* notice) {
  const char* const message = PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);
  if (message != nullptr) spdlog::debug("the primary says: {}", message);
}
// Without this libpq prints to stderr what it has to say about a server that breaks the protocol.
void log_libpq_notice(void*, const char* message) {
  std::string_view text = message;
  while (text.ends_with('\n')) text.remove_suffix(1);
  spdlog::debug("libpq says: {}", text);
}

std::string describe_peer(const PGconn* connection) {
  const auto text = [](const char* value) { return std::string_view(value ? value : ""); };
  return fmt::format("primary {}:{} as role {}", text(PQhost(connection)), text(PQport(connection)),
                     text(PQuser(connection)));
}

}  // namespace

Result<LibpqConnection> LibpqConnection::open(const ConnectionParameters& parameters,
                                              Duration connect_timeout, const CallOptions& call) {
  VARVE_TRY(call.check("connecting to a primary"));
  Descriptor stopped(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (stopped.get() < 0) return system_error(errno, "cannot connect to a primary");
  std::vector<const char*> keywords;
  std::vector<const char*> values;
  for (const auto& [keyword, value] : parameters) {
    keywords.push_back(keyword.c_str());
    values.push_back(value.c_str());
  }
  keywords.push_back(nullptr);
  values.push_back(nullptr);
  std::unique_ptr<PGconn, LibpqDeleter> raw(
      PQconnectStartParams(keywords.data(), values.data(), /*expand_dbname=*/0));
  if (raw == nullptr) return make_error(ErrorCode::kExhausted, "no memory for a connection");
  LibpqConnection connection(std::move(raw), std::move(stopped));
  VARVE_TRY(connection.establish(connect_timeout, call).context("cannot connect to a primary"));
  connection.peer_ = describe_peer(connection.get());
  return connection;
}

Result<> LibpqConnection::establish(Duration connect_timeout, const CallOptions& call) {
  const Deadline until = Deadline::after(connect_timeout);
  if (PQstatus(get()) == CONNECTION_BAD) return error_of_connecting(get());
  PQsetErrorVerbosity(get(), PQERRORS_VERBOSE);
  PQsetNoticeReceiver(get(), &log_notice, nullptr);
  PQsetNoticeProcessor(get(), &log_libpq_notice, nullptr);
  PostgresPollingStatusType next = PGRES_POLLING_WRITING;
  while (next != PGRES_POLLING_OK) {
    if (next == PGRES_POLLING_FAILED) return error_of_connecting(get());
    VARVE_ASSIGN(const bool ready,
                 wait(next == PGRES_POLLING_READING ? POLLIN : POLLOUT, until, call));
    if (!ready) {
      return make_error(ErrorCode::kUnavailable, "{} gave no answer in time", describe_peer(get()));
    }
    next = PQconnectPoll(get());
  }
  if (PQsetnonblocking(get(), 1) != 0) return error_of_lost(get());
  return {};
}

Result<> LibpqConnection::check_usable() const {
  if (usable()) return {};
  return make_error(ErrorCode::kUnavailable, "the connection was given up: connect again");
}

Result<bool> LibpqConnection::wait(short events, const Deadline& until, const CallOptions& call) {
  const int stopped = stopped_.get();
  // Of the token of an earlier call.
  eventfd_t earlier = 0;
  ::eventfd_read(stopped, &earlier);
  const std::stop_callback on_stop(call.stop, [stopped] { ::eventfd_write(stopped, 1); });
  const Deadline end = Deadline::earlier(until, call.deadline);
  while (true) {
    std::array<pollfd, 2> polled{{{.fd = PQsocket(get()), .events = events, .revents = 0},
                                  {.fd = stopped, .events = POLLIN, .revents = 0}}};
    int timeout = -1;
    if (!end.is_never()) {
      constexpr int64_t kLongest = 1'000'000;
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(end.remaining()).count();
      timeout = static_cast<int>(std::min<int64_t>(left, kLongest));
    }
    if (::poll(polled.data(), polled.size(), timeout) < 0 && errno != EINTR) {
      return system_error(errno, "cannot wait for the primary");
    }
    VARVE_TRY(call.check("waiting for the primary"));
    if (polled[0].revents != 0) return true;
    if (until.passed()) return false;
  }
}

Result<bool> LibpqConnection::receive_some(const Deadline& until, const CallOptions& call) {
  const int unsent = PQflush(get());
  if (unsent < 0) return error_of_lost(get());
  VARVE_ASSIGN(const bool ready,
               wait(static_cast<short>(unsent > 0 ? POLLIN | POLLOUT : POLLIN), until, call));
  if (!ready) return false;
  // Reads nothing, and is no error, when the socket is only ready for sending.
  if (PQconsumeInput(get()) == 0) return error_of_lost(get());
  return true;
}

Result<> LibpqConnection::send_command(const std::string& command) {
  VARVE_TRY(check_usable());
  if (PQsendQuery(get(), command.c_str()) == 0) {
    Error error = error_of_lost(get());
    close();
    return error;
  }
  return {};
}

Result<QueryResult> LibpqConnection::next_result(const CallOptions& call) {
  VARVE_TRY(check_usable());
  while (PQisBusy(get()) != 0) {
    if (const auto received = receive_some(Deadline::never(), call); !received.ok()) {
      close();
      return received.error();
    }
  }
  QueryResult result(PQgetResult(get()));
  if (result == nullptr) return result;
  switch (PQresultStatus(result.get())) {
    case PGRES_BAD_RESPONSE:
    case PGRES_NONFATAL_ERROR:
    case PGRES_FATAL_ERROR: {
      Error error = error_of(result.get());
      if (PQstatus(get()) == CONNECTION_BAD) close();
      return error;
    }
    default:
      return result;
  }
}

Result<> LibpqConnection::finish_command(const CallOptions& call) {
  Result<> outcome;
  while (usable()) {
    auto result = next_result(call);
    if (!result.ok()) {
      if (outcome.ok()) outcome = result.error();
      continue;
    }
    if (*result == nullptr) return outcome;
    const ExecStatusType status = PQresultStatus(result->get());
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
      // A copy that nobody asked for never ends.
      if (outcome.ok()) outcome = error_of(result->get());
      close();
    }
  }
  if (outcome.ok()) return check_usable();
  return outcome;
}

Result<QueryResult> LibpqConnection::execute(const std::string& command, const CallOptions& call) {
  VARVE_TRY(call.check("a command to the primary"));
  VARVE_TRY(send_command(command));
  auto result = next_result(call);
  if (result.ok() && *result == nullptr) {
    return make_error(ErrorCode::kCorrupted, "the server gave no answer to {}", command);
  }
  if (result.ok()) {
    const ExecStatusType status = PQresultStatus(result->get());
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
      close();
      return error_of(result->get());
    }
  }
  if (usable()) {
    const auto rest = finish_command(call);
    if (result.ok() && !rest.ok()) return rest.error();
  }
  return result;
}

Result<LibpqConnection::Copied> LibpqConnection::next_copy_message(const Deadline& silence,
                                                                   const CallOptions& call) {
  VARVE_TRY(check_usable());
  VARVE_TRY(call.check("receiving from the primary"));
  message_ = {};
  buffer_.reset();
  while (true) {
    char* raw = nullptr;
    const int size = PQgetCopyData(get(), &raw, /*async=*/1);
    buffer_.reset(raw);
    if (size > 0) {
      message_ = {reinterpret_cast<const uint8_t*>(raw), static_cast<size_t>(size)};
      return Copied::kMessage;
    }
    if (size == -1) return Copied::kEnd;
    if (size < -1) {
      Error error = error_of_lost(get());
      close();
      return error;
    }
    auto received = receive_some(silence, call);
    if (!received.ok()) {
      // Nothing was lost by a wait that was cancelled.
      if (!received.failed_with(ErrorCode::kCancelled)) close();
      return received.error();
    }
    if (!*received) return Copied::kSilence;
  }
}

Result<> LibpqConnection::put_copy_message(ByteView message) {
  VARVE_TRY(check_usable());
  if (PQputCopyData(get(), reinterpret_cast<const char*>(message.data()),
                    static_cast<int>(message.size())) != 1 ||
      PQflush(get()) < 0) {
    Error error = error_of_lost(get());
    close();
    return error;
  }
  return {};
}

Result<> LibpqConnection::put_copy_end(const CallOptions& call) {
  VARVE_TRY(check_usable());
  while (true) {
    const int queued = PQputCopyEnd(get(), nullptr);
    if (queued > 0) return {};
    if (queued < 0) {
      Error error = error_of_lost(get());
      close();
      return error;
    }
    VARVE_TRY(receive_some(Deadline::never(), call));
  }
}

}  // namespace varve
