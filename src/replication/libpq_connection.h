// One connection of libpq, in its asynchronous form: every wait ends at a deadline or on a stop.
//
// Facts: https://www.postgresql.org/docs/15/libpq-async.html, libpq-connect.html, libpq-copy.html
#pragma once

#include <libpq-fe.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/bytes.h"
#include "replication/connection_string.h"
#include "runtime/call_options.h"
#include "runtime/descriptor.h"

namespace varve {

struct LibpqDeleter {
  void operator()(PGconn* connection) const { PQfinish(connection); }
  void operator()(PGresult* result) const { PQclear(result); }
  void operator()(char* buffer) const { PQfreemem(buffer); }
};
using QueryResult = std::unique_ptr<PGresult, LibpqDeleter>;

// Not thread-safe. Errors of a connection that broke are Unavailable; after one of them, and after
// Cancelled in the middle of a command, it is good for nothing more, and says so.
class LibpqConnection {
 public:
  // Resolving a host name is the one thing that a deadline or stop cannot end.
  static Result<LibpqConnection> open(const ConnectionParameters& parameters,
                                      Duration connect_timeout, const CallOptions& call);

  // "primary db1:5432 as role varve": what errors and logs call it.
  const std::string& peer() const { return peer_; }
  PGconn* get() const { return connection_.get(); }
  bool usable() const { return connection_ != nullptr; }
  void close() { connection_.reset(); }

  Result<> send_command(const std::string& command);
  // The next result of the command that was sent; null once it has none left. Results that report
  // errors are given as errors.
  Result<QueryResult> next_result(const CallOptions& call);
  // Reads what is left of the command; an error of it is the error of this.
  Result<> finish_command(const CallOptions& call);
  // A command that gives rows at most once: those, or a result without rows.
  Result<QueryResult> execute(const std::string& command, const CallOptions& call);

  enum class Copied {
    kMessage,  // copy_message() is it.
    kSilence,  // Nothing came until `silence` passed.
    kEnd,      // The results that follow say why.
  };
  // The next message while data is copied out.
  Result<Copied> next_copy_message(const Deadline& silence, const CallOptions& call);
  // Until the next call.
  ByteView copy_message() const { return message_; }

  // Queues the message; what the socket does not take now is sent by whatever waits next.
  Result<> put_copy_message(ByteView message);
  Result<> put_copy_end(const CallOptions& call);

 private:
  LibpqConnection(std::unique_ptr<PGconn, LibpqDeleter> connection, Descriptor stopped)
      : connection_(std::move(connection)), stopped_(std::move(stopped)) {}

  Result<> establish(Duration connect_timeout, const CallOptions& call);
  // Waits for poll(2) events of the socket. False once `until` has passed; Cancelled by the call.
  Result<bool> wait(short events, const Deadline& until, const CallOptions& call);
  // Waits for input, sending what is queued meanwhile, and reads it.
  Result<bool> receive_some(const Deadline& until, const CallOptions& call);
  Result<> check_usable() const;

  std::unique_ptr<PGconn, LibpqDeleter> connection_;
  // An event that stop requests set; it ends poll(2).
  Descriptor stopped_;
  std::string peer_;
  std::unique_ptr<char, LibpqDeleter> buffer_;
  ByteView message_;
};

}  // namespace varve
