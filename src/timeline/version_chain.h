// From the versions of a key to its image.
#pragma once

#include <memory>
#include <vector>

#include "layer/redo.h"
#include "layer/version_cursor.h"
#include "layer/version_source.h"

namespace varve {

// The versions of one key that its image is made of: records, the newest first, and what they began
// with.
class VersionChain {
 public:
  explicit VersionChain(const Key& key) : key_(key) {}

  const Key& key() const { return key_; }
  size_t size() const { return versions_.size(); }
  // Older versions do not matter.
  bool is_complete() const { return !versions_.empty() && !needs_older(versions_.back().kind); }
  // There are versions, and the newest is not that the key is gone.
  bool exists() const {
    return !versions_.empty() && versions_.front().kind != ValueKind::kTombstone;
  }

  // The next older version, whose value `owner` keeps.
  void add(const Version& version, std::shared_ptr<const void> owner);
  // With a copy of its value.
  void add_copy(const Version& version);
  // Forgets all but the newest `size` ones.
  void truncate(size_t size);

  // Corrupted when that is missing which the records began with; InvalidArgument when there are
  // records and `redo` is null. Only if it exists().
  Result<Bytes> image(Redo* redo) const;

 private:
  const Key key_;
  std::vector<Version> versions_;
  std::vector<std::shared_ptr<const void>> owners_;
};

// Hands the image of each key that exists, by the versions of `cursor`, to `sink`, in key order.
Result<> reconstruct_all(VersionCursor& cursor, Redo* redo, const ImageSink& sink);

}  // namespace varve
