#include "ingest/wal/fork_sizes.h"

#include "postgres/stored_values.h"

namespace varve {
namespace {

// About 64 bytes each.
constexpr size_t kRememberedForks = 1 << 20;

}  // namespace

size_t ForkSizes::Hash::operator()(const RelationForkTag& fork) const {
  // The numbers of forks that are in use together differ in all of these.
  uint64_t hash = fork.relation.relation;
  hash = hash * 0x9E3779B97F4A7C15 + fork.relation.directory.database;
  hash = hash * 0x9E3779B97F4A7C15 + fork.relation.directory.tablespace;
  hash = hash * 0x9E3779B97F4A7C15 + static_cast<uint8_t>(fork.fork);
  return hash ^ (hash >> 32);
}

Result<std::optional<uint32_t>> ForkSizes::get(const RelationForkTag& fork, VersionSource& source,
                                               Lsn lsn) {
  const auto known = sizes_.find(fork);
  if (known != sizes_.end()) return known->second;
  std::optional<uint32_t> blocks;
  const auto stored = source.get(make_key(RelationSizeKey{fork}), lsn);
  if (stored.ok()) {
    VARVE_ASSIGN(blocks, decode_block_count(*stored));
  } else if (!stored.failed_with(ErrorCode::kNotFound)) {
    return stored.error();
  }
  sizes_[fork] = blocks;
  return blocks;
}

void ForkSizes::set(const RelationForkTag& fork, std::optional<uint32_t> blocks) {
  sizes_[fork] = blocks;
}

void ForkSizes::drop(const DatabaseTag& directory) {
  for (auto& [fork, blocks] : sizes_) {
    if (fork.relation.directory == directory) blocks.reset();
  }
}

void ForkSizes::may_forget() {
  if (sizes_.size() > kRememberedForks) sizes_.clear();
}

}  // namespace varve
