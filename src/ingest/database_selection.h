// Which databases of a cluster an export restores: all, or those that are named.
#pragma once

#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "layer/version_source.h"
#include "postgres/control_file.h"
#include "postgres/key_space.h"

namespace varve {

// Not thread-safe.
class DatabaseSelection {
 public:
  // All of them.
  DatabaseSelection() = default;

  // The named ones as of `lsn`, and those that a server does not do without: what initdb made, and
  // whatever bears one of these names. `checkpoint` holds the counters at `lsn`. InvalidArgument
  // for a name that is not there, with those that are, and for one that was being dropped;
  // Corrupted when the catalog of databases cannot be read.
  static Result<DatabaseSelection> choose(VersionSource& source, Lsn lsn,
                                          const CheckpointRecord& checkpoint,
                                          const std::vector<std::string>& names);

  // Whether what belongs to a database is restored. What belongs to none (0) always is.
  bool includes(uint32_t database) const {
    return !included_ || database == 0 || included_->contains(database);
  }
  // The names of the databases that are not restored, in their order.
  const std::vector<std::string>& left_out() const { return left_out_; }

  // Of a page on its way into the data directory: rows of databases that are not restored become
  // those of half dropped ones, on the pages of the catalog of databases. Others stay as they are.
  Result<> mark_left_out(const RelationBlockKey& block, std::span<uint8_t> page) const;

 private:
  std::optional<std::set<uint32_t>> included_;
  std::vector<std::string> left_out_;
  RelationForkTag catalog_;
};

}  // namespace varve
