#include "replication/replication_connection.h"

#include <algorithm>

#include "replication/query_field.h"
#include "replication/server_error.h"

namespace varve {
namespace {

// Overridden, whatever the connection string says: physical replication has no database, and this
// is the name that entries for it have in password files (libpqwalreceiver.c).
constexpr std::string_view kDatabase = "replication";

constexpr int kPostgresMajor = 15;

// ReplicationSlotValidateName of src/backend/replication/slot.c. Such names need no escapes.
Result<> check_slot_name(std::string_view name) {
  constexpr size_t kLongest = 63;  // NAMEDATALEN - 1
  const bool valid =
      !name.empty() && name.size() <= kLongest && std::ranges::all_of(name, [](char letter) {
        return (letter >= 'a' && letter <= 'z') || letter == '_' ||
               (letter >= '0' && letter <= '9');
      });
  if (valid) return {};
  return make_error(ErrorCode::kInvalidArgument,
                    "'{}' can't be the name of a replication slot: use 1 to {} lower-case letters, "
                    "digits and underscores",
                    name, kLongest);
}

Result<TimelineEnded> parse_timeline_end(const PGresult* result) {
  TimelineEnded ended;
  VARVE_ASSIGN(ended.next_timeline, number_field<uint32_t>(result, 0));
  VARVE_ASSIGN(ended.switch_point, lsn_field(result, 1));
  return ended;
}

}  // namespace

Result<ReplicationConnection> ReplicationConnection::connect(const std::string& connection_string,
                                                             const CallOptions& call,
                                                             const ReplicationOptions& options) {
  VARVE_ASSIGN(ConnectionParameters parameters, parse_connection_string(connection_string));
  std::erase_if(parameters, [](const auto& parameter) {
    return parameter.first == "dbname" || parameter.first == "replication";
  });
  parameters.emplace_back("dbname", kDatabase);
  parameters.emplace_back("replication", "true");
  // Behind whatever the user set, so that synchronous_standby_names can tell several apart.
  parameters.emplace_back("fallback_application_name", "varve");
  VARVE_ASSIGN(LibpqConnection connection,
               LibpqConnection::open(parameters, options.connect_timeout, call));
  // https://www.postgresql.org/docs/15/libpq-status.html: 15.3 is 150003.
  if (PQserverVersion(connection.get()) / 10000 != kPostgresMajor) {
    const char* const version = PQparameterStatus(connection.get(), "server_version");
    return make_error(ErrorCode::kInvalidArgument,
                      "{} is PostgreSQL {}: only PostgreSQL {} can be followed", connection.peer(),
                      version != nullptr ? version : "of an unknown version", kPostgresMajor);
  }
  return ReplicationConnection(std::move(connection), options);
}

Result<QueryResult> ReplicationConnection::execute(const std::string& command,
                                                   const CallOptions& call) {
  if (streaming_) {
    return make_error(ErrorCode::kInvalidArgument, "{}: it is streaming", peer());
  }
  return connection_.execute(command, call).context(peer());
}

Result<SystemIdentity> ReplicationConnection::identify_system(const CallOptions& call) {
  VARVE_ASSIGN(const QueryResult result, execute("IDENTIFY_SYSTEM", call));
  SystemIdentity identity;
  VARVE_ASSIGN(identity.system_identifier, number_field<uint64_t>(result.get(), 0));
  VARVE_ASSIGN(identity.timeline, number_field<uint32_t>(result.get(), 1));
  VARVE_ASSIGN(identity.flushed, lsn_field(result.get(), 2));
  return identity;
}

Result<std::string> ReplicationConnection::show(const std::string& setting,
                                                const CallOptions& call) {
  const bool valid = !setting.empty() && std::ranges::all_of(setting, [](char letter) {
    return (letter >= 'a' && letter <= 'z') || letter == '_' || letter == '.';
  });
  if (!valid) {
    return make_error(ErrorCode::kInvalidArgument, "'{}' is not the name of a setting", setting);
  }
  VARVE_ASSIGN(const QueryResult result, execute("SHOW " + setting, call));
  VARVE_ASSIGN(const auto value, field(result.get(), 0));
  return std::string(value);
}

Result<> ReplicationConnection::create_slot(const std::string& name, const SlotOptions& options,
                                            const CallOptions& call) {
  VARVE_TRY(check_slot_name(name));
  VARVE_TRY(execute(fmt::format("CREATE_REPLICATION_SLOT \"{}\" PHYSICAL (RESERVE_WAL {})", name,
                                options.reserve_wal),
                    call));
  return {};
}

Result<> ReplicationConnection::drop_slot(const std::string& name, const CallOptions& call) {
  // By its state, since the SQLSTATE of an absent slot is that of other absent things too.
  VARVE_TRY(read_slot(name, call));
  VARVE_TRY(execute(fmt::format("DROP_REPLICATION_SLOT \"{}\"", name), call));
  return {};
}

Result<SlotState> ReplicationConnection::read_slot(const std::string& name,
                                                   const CallOptions& call) {
  VARVE_TRY(check_slot_name(name));
  VARVE_ASSIGN(const QueryResult result,
               execute(fmt::format("READ_REPLICATION_SLOT \"{}\"", name), call));
  // A row of nothing but NULLs when there is none.
  VARVE_ASSIGN(const bool absent, is_null_field(result.get(), 0));
  if (absent)
    return make_error(ErrorCode::kNotFound, "{} has no replication slot {}", peer(), name);
  VARVE_ASSIGN(const bool nothing_reserved, is_null_field(result.get(), 1));
  VARVE_ASSIGN(const bool no_timeline, is_null_field(result.get(), 2));
  SlotState state;
  if (!nothing_reserved) {
    VARVE_ASSIGN(state.restart_lsn, lsn_field(result.get(), 1));
  }
  if (!no_timeline) {
    VARVE_ASSIGN(state.restart_timeline, number_field<uint32_t>(result.get(), 2));
  }
  return state;
}

Result<> ReplicationConnection::start_streaming(const std::string& slot, Lsn start,
                                                uint32_t timeline, const CallOptions& call) {
  if (streaming_) {
    return make_error(ErrorCode::kInvalidArgument, "{}: it is streaming already", peer());
  }
  if (!slot.empty()) VARVE_TRY(check_slot_name(slot));
  const std::string with_slot = slot.empty() ? "" : fmt::format("SLOT \"{}\" ", slot);
  const std::string command =
      fmt::format("START_REPLICATION {}PHYSICAL {} TIMELINE {}", with_slot, start, timeline);
  VARVE_TRY(
      begin_stream(command, start, call)
          .context(fmt::format("{}: streaming from {} on timeline {}", peer(), start, timeline)));
  return {};
}

Result<> ReplicationConnection::begin_stream(const std::string& command, Lsn start,
                                             const CallOptions& call) {
  VARVE_TRY(call.check("starting to stream"));
  ended_at_once_.reset();
  VARVE_TRY(connection_.send_command(command));
  auto result = connection_.next_result(call);
  if (!result.ok()) {
    if (connection_.usable()) (void)connection_.finish_command(call);
    return result.error();
  }
  const ExecStatusType status = PQresultStatus(result->get());
  if (status == PGRES_TUPLES_OK) {
    // The timeline ends where the stream was to begin.
    VARVE_ASSIGN(ended_at_once_, parse_timeline_end(result->get()));
    VARVE_TRY(connection_.finish_command(call));
  } else if (status != PGRES_COPY_BOTH) {
    connection_.close();
    return error_of(result->get());
  }
  streaming_ = true;
  position_ = start;
  feedback_ = {};
  asked_ = false;
  silence_ = Deadline::after(options_.silence_timeout / 2);
  return {};
}

Result<StreamEvent> ReplicationConnection::receive(const CallOptions& call) {
  if (!streaming_) {
    return make_error(ErrorCode::kInvalidArgument, "{}: it is not streaming", peer());
  }
  auto event = receive_event(call);
  if (event.ok()) return event;
  if (!event.failed_with(ErrorCode::kCancelled)) streaming_ = false;
  return std::move(event).context(fmt::format("{}: the stream at {}", peer(), position_));
}

Result<StreamEvent> ReplicationConnection::receive_event(const CallOptions& call) {
  if (ended_at_once_) {
    streaming_ = false;
    return *std::exchange(ended_at_once_, std::nullopt);
  }
  while (true) {
    VARVE_ASSIGN(const auto copied, connection_.next_copy_message(silence_, call));
    switch (copied) {
      case LibpqConnection::Copied::kMessage:
        return take_message();
      case LibpqConnection::Copied::kEnd:
        return end_stream(call);
      case LibpqConnection::Copied::kSilence:
        VARVE_TRY(ask_for_life());
    }
  }
}

Result<StreamEvent> ReplicationConnection::take_message() {
  asked_ = false;
  silence_ = Deadline::after(options_.silence_timeout / 2);
  auto message = parse_stream_message(connection_.copy_message());
  if (!message.ok()) return fail_stream(message.error());
  if (const auto* const keepalive = std::get_if<Keepalive>(&*message)) return *keepalive;
  const auto& data = std::get<WalData>(*message);
  if (data.start != position_) {
    return fail_stream(
        make_error(ErrorCode::kCorrupted, "the server sent WAL at {} instead", data.start));
  }
  position_ = data.end();
  return data;
}

Result<StreamEvent> ReplicationConnection::fail_stream(Error error) {
  connection_.close();
  return error;
}

Result<> ReplicationConnection::ask_for_life() {
  if (asked_) {
    connection_.close();
    return make_error(ErrorCode::kUnavailable, "the server was silent for too long");
  }
  asked_ = true;
  silence_ = Deadline::after(options_.silence_timeout / 2);
  Feedback feedback = feedback_;
  feedback.reply_requested = true;
  return connection_.put_copy_message(encode_feedback(feedback, system_clock().now()));
}

Result<StreamEvent> ReplicationConnection::end_stream(const CallOptions& call) {
  streaming_ = false;
  // What follows comes at once, or the connection is gone: the deadline of the call, up to which it
  // was to wait for something to happen, does not matter any more, and a stop costs the connection.
  auto event =
      receive_end({.deadline = Deadline::after(options_.silence_timeout), .stop = call.stop});
  if (!event.failed_with(ErrorCode::kCancelled) || call.stop.stop_requested()) return event;
  return fail_stream(
      make_error(ErrorCode::kUnavailable, "the server does not say why the stream has ended"));
}

Result<StreamEvent> ReplicationConnection::receive_end(const CallOptions& call) {
  auto reason = connection_.next_result(call);
  if (!reason.ok()) {
    if (connection_.usable()) (void)connection_.finish_command(call);
    return reason.error();
  }
  QueryResult result = std::move(*reason);
  if (result != nullptr && PQresultStatus(result.get()) == PGRES_COMMAND_OK) {
    connection_.close();
    return ServerShutDown{};
  }
  if (result == nullptr || PQresultStatus(result.get()) != PGRES_COPY_IN) {
    return fail_stream(
        make_error(ErrorCode::kCorrupted, "the server ended the stream without a reason"));
  }
  VARVE_TRY(connection_.put_copy_end(call));
  VARVE_ASSIGN(result, connection_.next_result(call));
  if (result == nullptr) {
    return fail_stream(
        make_error(ErrorCode::kCorrupted, "the server does not name the next timeline"));
  }
  auto ended = parse_timeline_end(result.get());
  if (!ended.ok()) return fail_stream(ended.error());
  VARVE_TRY(connection_.finish_command(call));
  return *ended;
}

Result<> ReplicationConnection::send_feedback(const Feedback& feedback) {
  if (!streaming_ || ended_at_once_) {
    return make_error(ErrorCode::kInvalidArgument, "{}: it is not streaming", peer());
  }
  if (feedback.flushed < feedback_.flushed) {
    return make_error(ErrorCode::kInvalidArgument,
                      "{}: {} can't be confirmed, since {} was confirmed before", peer(),
                      feedback.flushed, feedback_.flushed);
  }
  feedback_ = feedback;
  return connection_.put_copy_message(encode_feedback(feedback, system_clock().now()))
      .context(peer());
}

}  // namespace varve
