// Messages to and from a redo process, as pgext/protocol.h lays them out.
#pragma once

#include <optional>
#include <string>

#include "redo/redo_request.h"
#include "runtime/call_options.h"
#include "runtime/descriptor.h"

namespace varve {

// This end of what a process has as stdin, stdout and stderr. Not thread-safe.
class RedoConnection {
 public:
  // A stream socket for the messages, and the reading end of a pipe.
  static Result<RedoConnection> create(Descriptor messages, Descriptor errors);

  enum class Event : uint8_t {
    kMessage,
    kClosed,  // By the process, and everything from it was read.
    kLate,    // The deadline passed first.
  };
  struct Received {
    Event event = Event::kMessage;
    // Of a message that came; the content is valid until the next call. 0 for one that is larger
    // than any there is, after which nothing can be received any more.
    uint32_t type = 0;
    ByteView content = {};
  };
  // Sends from `encoder` as much as the process takes, and waits for the next message. Cancelled
  // when the call ends before; nothing can be received then either.
  Result<Received> receive(RedoRequestEncoder& encoder, const Deadline& deadline,
                           const CallOptions& call);

  // Whether something came that receive() did not give.
  bool has_more() const { return taken_ != filled_; }
  // The end of what the process has printed by now.
  std::string printed();

 private:
  RedoConnection(Descriptor messages, Descriptor errors, Descriptor stopped);

  std::optional<Received> take_message();
  void send_from(RedoRequestEncoder& encoder);
  // Until something can be read, or more be sent. False when the deadline passed.
  Result<bool> wait(const Deadline& deadline, const CallOptions& call);
  // False at the end.
  bool fill();
  void drain_errors();

  Descriptor messages_;
  Descriptor errors_;
  // Readable once a call was asked to stop.
  Descriptor stopped_;
  ByteWriter unsent_;
  size_t sent_ = 0;
  // What was received and not taken lies in [taken_, filled_).
  Bytes received_;
  size_t taken_ = 0;
  size_t filled_ = 0;
  std::string printed_;
};

}  // namespace varve
