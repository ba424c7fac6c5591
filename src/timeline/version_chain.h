// From the versions of a key to its image.
#pragma once

#include <memory>
#include <vector>

#include "layer/redo.h"
#include "layer/version_cursor.h"
#include "layer/version_source.h"
#include "timeline/known_images.h"

namespace varve {

// The versions of one key that its image is made of: records, the newest first, and what they began
// with.
class VersionChain {
 public:
  // Where an image is known, what it was made of is not needed.
  explicit VersionChain(const Key& key, std::optional<KnownImage> known = {})
      : key_(key), known_(std::move(known)) {}

  const Key& key() const { return key_; }
  size_t size() const { return versions_.size(); }
  // Versions below it are not needed, but for the first of them.
  Lsn first_lsn() const { return known_ ? known_->lsn : Lsn{0}; }
  // The newest one; only if there is one.
  Lsn lsn() const { return versions_.front().lsn; }
  // Older versions do not matter.
  bool is_complete() const { return !versions_.empty() && !needs_older(versions_.back().kind); }
  // There are versions, and the newest is not that the key is gone.
  bool exists() const {
    return !versions_.empty() && versions_.front().kind != ValueKind::kTombstone;
  }

  // The next older version, whose value `owner` keeps.
  void add(const Version& version, std::shared_ptr<const void> owner);
  // Forgets all but the newest `size` ones.
  void truncate(size_t size);

  // Corrupted when that is missing which the records began with; InvalidArgument when there are
  // records and `redo` is null. Only if it exists().
  Result<Bytes> image(Redo* redo) const;

 private:
  const Key key_;
  const std::optional<KnownImage> known_;
  std::vector<Version> versions_;
  std::vector<std::shared_ptr<const void>> owners_;
};

// Hands the image of each key that exists, by the versions of `cursor`, to `sink`, in key order.
Result<> reconstruct_all(VersionCursor& cursor, Redo* redo, const ImageSink& sink);

}  // namespace varve
