// A PostgreSQL server that applies WAL records to pages: pgext/README.md tells how.
#pragma once

#include <memory>
#include <vector>

#include "redo/child_process.h"
#include "redo/redo_connection.h"
#include "redo/redo_options.h"
#include "redo/scratch_directory.h"
#include "runtime/call_options.h"

namespace varve {

// Not thread-safe. Ended by the destructor, which waits for it.
class RedoProcess {
 public:
  // The kernel ends the process when the thread that called this ends. NotFound
  // when a part is not there, InvalidArgument when it is not the right one, Unavailable when the
  // process did not get ready for another reason; the message names the remedy.
  static Result<std::unique_ptr<RedoProcess>> start(const RedoProcessOptions& options,
                                                    const CallOptions& call);
  pid_t id() const { return child_.id(); }

  // Sends all requests, which pass check(), and appends a reply for each to `replies`, in
  // order: the page, or Corrupted when PostgreSQL does not apply the records, after which the
  // process is as good as before. `patience` is for each reply. Unavailable when the process ended
  // or a reply did not come in time, Cancelled when the call ended before: what stands in `replies`
  // then is good, and the process is not.
  Result<> exchange(std::span<const RedoRequest> requests, Duration patience,
                    const CallOptions& call, std::vector<Result<Bytes>>& replies);

 private:
  RedoProcess(ScratchDirectory scratch, RedoConnection connection, ChildProcess child)
      : scratch_(std::move(scratch)),
        connection_(std::move(connection)),
        child_(std::move(child)) {}

  // The next message of the process, which is sent `encoder`'s; an error when it does not come.
  Result<RedoConnection::Received> receive(RedoRequestEncoder& encoder, Duration patience,
                                           const CallOptions& call);
  Result<> receive_hello(const RedoProcessOptions& options, const CallOptions& call);
  // That it has ended in that way, with what it printed.
  Error ended(std::string_view how);

  ScratchDirectory scratch_;
  RedoConnection connection_;
  ChildProcess child_;
};

}  // namespace varve
