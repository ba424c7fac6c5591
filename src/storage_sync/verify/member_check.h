// Checking the frames of one member, all of them whatever is wrong with some.
#pragma once

#include "storage_sync/object_reader.h"
#include "storage_sync/verify/finding.h"

namespace varve {

enum class VerifyDepth {
  kReferences,  // Headers, manifests, trailers, frame tables, and that everything referred to is
                // there.
  kEveryByte,   // Every frame of every member as well.
};

// Bytes of one object: from a piece of it in memory where that has them, else with a request.
class ObjectBytes {
 public:
  // Storage and options outlive it.
  ObjectBytes(RemoteStorage& storage, std::string key, const CallOptions& options)
      : storage_(storage), key_(std::move(key)), options_(options) {}

  // Reads [start, end) into memory, or as much of it as the object has.
  Result<> hold(uint64_t start, uint64_t end);
  Result<> read(uint64_t start, uint64_t end, const ByteSink& sink) const;
  // Corrupted when there are fewer.
  Result<Bytes> read_all(uint64_t start, uint64_t end) const;

 private:
  RemoteStorage& storage_;
  const std::string key_;
  const CallOptions& options_;
  uint64_t held_from_ = 0;
  Bytes held_;
};

struct MemberDamage {
  std::optional<FrameRun> frames;  // None: all of the member.
  Error error;
};

struct MemberCheck {
  uint64_t raw_bytes = 0;  // Of frames that are what they were.
  std::vector<MemberDamage> damage;
};

// Told the stored bytes of each frame that is through.
using FrameProgress = std::function<void(uint64_t stored_bytes)>;

// Holds a frame as stored and once more unpacked. Fails only for reasons that say nothing about the
// object.
Result<MemberCheck> check_member(const ObjectBytes& object, const LayerEntry& layer,
                                 VerifyDepth depth, const FrameProgress& progress);

}  // namespace varve
