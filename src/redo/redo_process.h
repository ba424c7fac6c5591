// A PostgreSQL server that applies WAL records to pages: pgext/README.md tells how.
#pragma once

#include <deque>
#include <string>

#include "redo/child_process.h"
#include "redo/descriptor.h"
#include "redo/redo_options.h"
#include "redo/redo_request.h"
#include "redo/scratch_directory.h"
#include "runtime/call_options.h"

namespace varve {

// Not thread-safe. Ended by the destructor, which waits for it.
class RedoProcess {
 public:
  // For the pages of the cluster with that control file, whose data checksums and wal_log_hints
  // matter to redo. The kernel ends the process when the thread that called this ends. NotFound
  // when a part is not there, InvalidArgument when it is not the right one, Unavailable when the
  // process did not get ready for another reason; the message names the remedy.
  static Result<std::unique_ptr<RedoProcess>> start(const RedoProcessOptions& options,
                                                    const ControlFile& control,
                                                    const CallOptions& call);
  ~RedoProcess();

  pid_t id() const { return child_.id(); }

  // Sends all requests, which pass their check(), and appends a reply for each to `replies`, in
  // order: the page, or Corrupted when PostgreSQL does not apply the records, after which the
  // process is as good as before. `patience` is for each reply. Unavailable when the process ended
  // or a reply did not come in time, Cancelled when the call ended before: what stands in `replies`
  // then is good, and the process is not.
  Result<> exchange(std::span<const RedoRequest> requests, Duration patience,
                    const CallOptions& call, std::vector<Result<Bytes>>& replies);

 private:
  struct Parts;
  explicit RedoProcess(Parts parts);

  // What arrived, from `type` on.
  struct Message {
    uint32_t type = 0;
    ByteView content;
  };

  Result<> receive_hello(const RedoProcessOptions& options, const ControlFile& control,
                         const CallOptions& call);
  // Sends from `encoder` and waits for the next message, valid until the next call.
  Result<Message> next_message(RedoRequestEncoder& encoder, const Deadline& deadline,
                               const CallOptions& call);
  Result<> wait(bool for_writing, const Deadline& deadline, const CallOptions& call);
  void send_more(RedoRequestEncoder& encoder);
  std::optional<Message> take_message();
  Result<> receive();
  void drain_errors();
  // That it has ended in that way, with what it printed; or how it is to end, having said something
  // else than it should, or nothing.
  Error ended(std::string_view how);
  static Error broken(std::string_view how);

  ScratchDirectory scratch_;
  Descriptor socket_;
  Descriptor errors_;
  // Readable once a call was asked to stop; the process is given up then.
  Descriptor stopped_;
  ChildProcess child_;
  ByteWriter unsent_;
  size_t sent_ = 0;
  Bytes received_;
  size_t taken_ = 0;
  size_t filled_ = 0;
  // The end of what it printed.
  std::string printed_;
};

}  // namespace varve
