// One page to be made from its records, and the bytes that ask a redo process for it.
#pragma once

#include <span>

#include "layer/redo.h"
#include "postgres/key_space.h"

namespace varve {

// For messages: "relation 1663/5/16384 main block 7 up to 0/16B9188".
std::string describe(const RedoRequest& request);

// InvalidArgument or Corrupted unless the key is of a relation's block, the base empty or
// kBlockSize bytes, and the records at least one: StoredRecords of whole WAL records, each with the
// LSN at which it ends, in ascending order of these.
Result<> check(const RedoRequest& request);

// Where the record that ends at `end` begins: exactly, unless it goes beyond the end of a WAL page,
// whose header then counts as part of it. Redo of blocks tells it in messages, and has no other use
// for it.
Lsn record_start(Lsn end, size_t record_size);

// The messages (pgext/protocol.h) that requests are sent as, piece by piece: a long chain goes in
// several messages, so that neither side holds all of it.
class RedoRequestEncoder {
 public:
  // `requests`, which all pass check(), outlive it.
  explicit RedoRequestEncoder(std::span<const RedoRequest> requests) : requests_(requests) {}

  bool done() const { return request_ == requests_.size(); }
  // Appends the next message; only if not done.
  void append_next(ByteWriter& out);

 private:
  std::span<const RedoRequest> requests_;
  size_t request_ = 0;
  size_t record_ = 0;  // Of that request.
};

}  // namespace varve
