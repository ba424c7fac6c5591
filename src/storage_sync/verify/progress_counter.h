// How far a verification has come, counted by many threads.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>

namespace varve {

struct VerifyProgress {
  uint64_t objects_done = 0;
  uint64_t objects_total = 0;
  uint64_t bytes_done = 0;  // Stored bytes of objects.
  uint64_t bytes_total = 0;
};

// Called by any thread, by one at a time; what is done never becomes less.
using VerifyProgressCallback = std::function<void(const VerifyProgress&)>;

// Thread-safe.
class ProgressCounter {
 public:
  ProgressCounter(const VerifyProgressCallback& callback, uint64_t objects, uint64_t bytes)
      : callback_(callback), progress_{.objects_total = objects, .bytes_total = bytes} {}

  void advance(uint64_t objects, uint64_t bytes) {
    if (!callback_) return;
    const std::lock_guard lock(mutex_);
    progress_.objects_done += objects;
    progress_.bytes_done += bytes;
    callback_(progress_);
  }

 private:
  const VerifyProgressCallback& callback_;
  std::mutex mutex_;
  VerifyProgress progress_;
};

// The progress of one object that is checked in pieces: whatever they count, it ends at the size of
// the object. Thread-safe.
class ObjectProgress {
 public:
  ObjectProgress(ProgressCounter& counter, uint64_t size) : counter_(counter), left_(size) {}

  // Call before any piece begins; an object without pieces is done with finish_piece() alone.
  void expect_pieces(size_t pieces) { pieces_left_ = pieces; }

  void advance(uint64_t bytes) { counter_.advance(0, take(bytes)); }

  void finish_piece() {
    bool last = false;
    {
      const std::lock_guard lock(mutex_);
      last = pieces_left_ <= 1;
      if (!last) --pieces_left_;
    }
    if (last) counter_.advance(1, take(UINT64_MAX));
  }

 private:
  uint64_t take(uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    const uint64_t taken = std::min(bytes, left_);
    left_ -= taken;
    return taken;
  }

  ProgressCounter& counter_;
  std::mutex mutex_;
  uint64_t left_;
  size_t pieces_left_ = 0;
};

}  // namespace varve
