// The attempts to commit that were begun here: how a server recognises its own commit whose
// acknowledgement was lost, even over a restart.
#pragma once

#include <filesystem>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"

namespace varve {

// What the file holds.
struct Attempts {
  // Sequence of the commit that they follow.
  uint64_t after = 0;
  std::vector<Nonce> nonces;

  Bytes encode() const;
  static Result<Attempts> decode(ByteView bytes);
};

// One per log, in a file of the work directory. Not thread-safe: a log has one commit at a time.
class NonceJournal {
 public:
  // Reads the file; its absence is an empty journal.
  static Result<NonceJournal> open(std::filesystem::path path);

  // Makes the nonce durable; call before anything that bears it is sent. `after` is the sequence of
  // the head that the attempt builds on: what was noted for an older head is dropped, since such an
  // attempt can no longer take a number above this head. A nonce that is there already costs
  // nothing.
  Result<> add(uint64_t after, const Nonce& nonce);

  bool contains(const Nonce& nonce) const;
  // How many attempts follow the head that the newest one follows.
  size_t size() const { return attempts_.nonces.size(); }

 private:
  explicit NonceJournal(std::filesystem::path path) : path_(std::move(path)) {}

  std::filesystem::path path_;
  Attempts attempts_;
};

}  // namespace varve
