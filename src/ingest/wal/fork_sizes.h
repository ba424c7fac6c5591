// How many blocks the forks of relations have while the WAL is ingested.
#pragma once

#include <optional>
#include <unordered_map>

#include "layer/version_source.h"
#include "postgres/key_space.h"

namespace varve {

// Remembers what was asked for or changed; a bounded number of forks. Not thread-safe.
class ForkSizes {
 public:
  // In blocks; none when there is no such fork. What is not remembered is read from `source` at
  // `lsn`, which must have all that was set() and may be forgotten: see may_forget().
  Result<std::optional<uint32_t>> get(const RelationForkTag& fork, VersionSource& source, Lsn lsn);
  // None: it is gone.
  void set(const RelationForkTag& fork, std::optional<uint32_t> blocks);
  // All forks in a directory are gone.
  void drop(const DatabaseTag& directory);

  // To be called when everything that was set() can be read.
  void may_forget();

 private:
  struct Hash {
    size_t operator()(const RelationForkTag& fork) const;
  };
  std::unordered_map<RelationForkTag, std::optional<uint32_t>, Hash> sizes_;
};

}  // namespace varve
