// Versions in order, one after the other.
#pragma once

#include <memory>
#include <vector>

#include "base/result.h"
#include "layer/value.h"

namespace varve {

// Keys ascend, and the versions of a key come newest first; of two with the same LSN an image comes
// before a record. Not thread-safe.
class VersionCursor {
 public:
  virtual ~VersionCursor() = default;

  // Null at the end. Valid until next() is called. Nothing is left to read after an error.
  virtual const Version* current() const = 0;
  // To be called only where current() is not null.
  virtual Result<> next() = 0;
  // On to the newest version of `key` at or below `lsn`, or where there is none to what comes
  // after it; stays where it is when it is there or beyond. To be called only where current() is
  // not null. Errors as of next(). Passes over many versions in less time than next() does.
  virtual Result<> seek(const Key& key, Lsn lsn);
};

using VersionCursorPointer = std::unique_ptr<VersionCursor>;

// Whether `left` comes before `right` in the order of a cursor.
bool comes_before(const Version& left, const Version& right);
// Whether a cursor at `version` has not come to that place yet.
bool lies_before(const Version& version, const Key& key, Lsn lsn);

// Those of several cursors, in order. What is equal in key, LSN and kind comes in the order of the
// cursors.
VersionCursorPointer merge(std::vector<VersionCursorPointer> cursors);

// Those of `cursor` with LSNs from `first` up to and including `last`.
Result<VersionCursorPointer> between(VersionCursorPointer cursor, Lsn first, Lsn last);

}  // namespace varve
