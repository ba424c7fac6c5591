// The relations of a restored cluster, by several threads.
#pragma once

#include <functional>
#include <mutex>
#include <span>
#include <stop_token>
#include <vector>

#include "ingest/block_file_writer.h"
#include "layer/version_source.h"
#include "postgres/key_space.h"

namespace varve {

struct StoredFork {
  RelationForkTag tag;
  uint32_t blocks = 0;
};

class RelationRestorer {
 public:
  struct Options {
    Lsn lsn;
    // Whether pages bear checksums.
    bool checksums = false;
    // What is restored of a page in the place of what it was; null: nothing is changed. Called by
    // several threads.
    std::function<Result<>(const RelationBlockKey&, std::span<uint8_t>)> change = {};
    // Bytes that were written since the last call; never called by two threads at once. Its error
    // ends the work.
    std::function<Result<>(uint64_t)> advance;
    std::stop_token stop = {};
    size_t threads = 1;
  };
  // They outlive it. The directories of all relations are there.
  RelationRestorer(VersionSource& source, TargetDirectory& target, Options options)
      : source_(source), target_(target), options_(std::move(options)) {}

  // Those of all relations, in key order. Once. Corrupted when a page is not that of its place or
  // of a later LSN; Cancelled by options.stop; or what reading, writing and options.advance give.
  Result<> restore(std::span<const StoredFork> forks);

 private:
  // Consecutive blocks of one fork, from the beginning of a file to the end of one.
  struct Piece {
    RelationForkTag tag;
    uint32_t first = 0;
    uint32_t end = 0;
  };
  // What one thread does in one go: by one scan, the pieces being in key order.
  struct Unit {
    std::vector<Piece> pieces;
    // Is copied into the main fork: a server does so in a recovery only, and there is none.
    bool is_init_fork = false;
  };
  class Worker;

  static std::vector<Unit> units_of(std::span<const StoredFork> forks);
  static void add_units(std::span<const StoredFork> relation, std::vector<Unit>& units);
  Result<> advance(uint64_t bytes);

  VersionSource& source_;
  TargetDirectory& target_;
  const Options options_;
  std::mutex mutex_;
};

}  // namespace varve
