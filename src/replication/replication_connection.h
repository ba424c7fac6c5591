// A connection to a primary for physical replication: what it is, slots, and the stream of its WAL.
//
// Facts: https://www.postgresql.org/docs/15/protocol-replication.html,
// src/backend/replication/walsender.c, libpqwalreceiver/libpqwalreceiver.c
//
// Errors of every call: Unavailable when the connection broke (connect again), Cancelled by the
// call's stop or deadline, Corrupted when the server breaks the protocol, and what the server says,
// by the codes of replication/server_error.h. A call that ends with Unavailable, Corrupted or,
// outside of receive(), Cancelled leaves a connection that is good for nothing more.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <variant>

#include "replication/libpq_connection.h"
#include "replication/stream_message.h"

namespace varve {

struct ReplicationOptions {
  // For all of the hosts that the connection string names.
  Duration connect_timeout = std::chrono::seconds(30);
  // How long a stream may be silent, as wal_receiver_timeout. After half of it the server is asked
  // for a sign of life.
  Duration silence_timeout = std::chrono::seconds(60);
};

struct SystemIdentity {
  uint64_t system_identifier = 0;
  uint32_t timeline = 0;
  // How far the server's WAL is flushed; on a standby, also received or replayed.
  Lsn flushed;
};

struct SlotOptions {
  // The slot keeps WAL from now on, rather than from the first feedback on.
  bool reserve_wal = true;
};

struct SlotState {
  // From where on the server keeps WAL. None before anything is reserved, and again once the slot
  // was invalidated (max_slot_wal_keep_size): the protocol does not tell these apart.
  std::optional<Lsn> restart_lsn;
  // Of restart_lsn.
  std::optional<uint32_t> restart_timeline;
};

// The timeline that is streamed ends: another was begun by a promotion.
struct TimelineEnded {
  uint32_t next_timeline = 0;
  // Where the next timeline begins.
  Lsn switch_point;
};

// The server has sent all that it wrote, and ends.
struct ServerShutDown {};

using StreamEvent = std::variant<WalData, Keepalive, TimelineEnded, ServerShutDown>;

// Not thread-safe.
class ReplicationConnection {
 public:
  // `connection_string` as libpq has it, with its defaults from environment, service and password
  // files ("replication" as the database there). application_name is "varve" unless it is given.
  // InvalidArgument for a server of another version than PostgreSQL 15. No message ever repeats a
  // password.
  static Result<ReplicationConnection> connect(const std::string& connection_string,
                                               const CallOptions& call,
                                               const ReplicationOptions& options = {});

  // "primary db1:5432 as role varve".
  const std::string& peer() const { return connection_.peer(); }

  Result<SystemIdentity> identify_system(const CallOptions& call);
  // A setting as SHOW prints it: show("wal_segment_size") gives "16MB".
  Result<std::string> show(const std::string& setting, const CallOptions& call);

  // Conflict when the slot exists.
  Result<> create_slot(const std::string& name, const SlotOptions& options,
                       const CallOptions& call);
  // NotFound when there is none, Conflict while it is in use.
  Result<> drop_slot(const std::string& name, const CallOptions& call);
  // NotFound when there is none.
  Result<SlotState> read_slot(const std::string& name, const CallOptions& call);

  // Begins to stream at `start`, which servers allow within a record; start at the beginning of a
  // segment to get whole files. Without a slot for an empty name. InvalidArgument when there is no
  // such slot, Conflict while it is in use. What the server cannot send from there on is noticed by
  // receive(): NotFound when that WAL was removed, InvalidArgument when it never had it.
  Result<> start_streaming(const std::string& slot, Lsn start, uint32_t timeline,
                           const CallOptions& call);

  // The next event. Bytes are there until the next call, and follow each other without a gap.
  // After TimelineEnded the connection can start another stream. Cancelled leaves the stream as it
  // was, so that a deadline is a way to have something else done from time to time. Unavailable
  // when the server was silent for too long.
  Result<StreamEvent> receive(const CallOptions& call);

  // Tells the server how far this side is, which it shows in pg_stat_replication. Never waits; what
  // the socket does not take is sent by receive(). InvalidArgument when `flushed` is below what was
  // confirmed before, since the server would move the slot back.
  Result<> send_feedback(const Feedback& feedback);

  const ReplicationOptions& options() const { return options_; }
  LibpqConnection& libpq() { return connection_; }

 private:
  ReplicationConnection(LibpqConnection connection, const ReplicationOptions& options)
      : connection_(std::move(connection)), options_(options) {}

  Result<QueryResult> execute(const std::string& command, const CallOptions& call);
  Result<> begin_stream(const std::string& command, Lsn start, const CallOptions& call);
  Result<StreamEvent> receive_event(const CallOptions& call);
  Result<StreamEvent> take_message();
  Result<StreamEvent> end_stream(const CallOptions& call);
  Result<StreamEvent> receive_end(const CallOptions& call);
  Result<> ask_for_life();
  Result<StreamEvent> fail_stream(Error error);

  LibpqConnection connection_;
  ReplicationOptions options_;
  bool streaming_ = false;
  // A stream that has nothing to send ends before it begins.
  std::optional<TimelineEnded> ended_at_once_;
  // Of the next byte.
  Lsn position_;
  Feedback feedback_;
  // When the server is asked for a sign of life, or given up if it was asked.
  Deadline silence_ = Deadline::never();
  bool asked_ = false;
};

}  // namespace varve
