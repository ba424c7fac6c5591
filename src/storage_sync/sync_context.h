// What every part of the sync engine works with: the storage, time, randomness and threads.
#pragma once

#include <functional>

#include "base/clock.h"
#include "base/random.h"
#include "remote_storage/remote_storage.h"
#include "runtime/thread_pool.h"

namespace varve {

struct SyncOptions {
  // A commit whose compressed data fits is one object; a larger one goes through packs. Held in
  // memory while it is built, bytes.
  uint64_t inline_limit = 32ULL << 20;
  // Parts of a pack, each held in memory until it is sent. S3 wants at least 5 MiB; see
  // https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
  uint64_t part_size = 16ULL << 20;
  // Parts in flight at once.
  size_t parallel_parts = 4;
  // A pack that has grown past this is closed after the member it is at, bytes.
  uint64_t pack_limit = 1ULL << 30;
  int compression_level = 3;
  // An object that nothing refers to any more is kept for so long. The same for every server that
  // writes under a prefix.
  Duration grace_period = std::chrono::hours(1);
  // Layers are moved out of an object when they are less than this share of what it holds, and what
  // it holds besides is at least so many bytes: a request costs about as much as a month of 200 KiB
  // (prices.h).
  double repack_below = 0.5;
  uint64_t repack_minimum = 1ULL << 20;
  // Stored bytes that are moved at most with one commit, during which others wait.
  uint64_t repack_limit = 64ULL << 20;
  // Stored bytes between two wanted frames that are read through rather than asked for separately:
  // about what a storage sends in the time that it takes to answer.
  uint64_t read_through = 256ULL << 10;
  // Layers that are downloaded at once.
  size_t parallel_layers = 3;
};

// The referenced things outlive the context. Thread-safe, as each of them is.
struct SyncContext {
  RemoteStorage& storage;
  Clock& clock;
  Random& random;
  ThreadPool& codec_pool;     // Compresses and decompresses: one thread per core.
  ThreadPool& transfer_pool;  // Sends parts: mostly waits.
  SyncOptions options;
};

// Told how many raw bytes of `total` have been done; from the calling thread only.
using ByteProgress = std::function<void(uint64_t done, uint64_t total)>;

}  // namespace varve
