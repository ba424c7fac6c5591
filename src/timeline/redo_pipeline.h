// Images of many keys in a row, those of records made by several threads while the caller reads on.
#pragma once

#include <deque>
#include <future>
#include <memory>
#include <optional>

#include "layer/redo.h"
#include "layer/version_source.h"
#include "runtime/thread_pool.h"

namespace varve {

// Not thread-safe. Keys come in order, and images go to the sink in that order, by the thread that
// calls. An error of any call is final.
class RedoPipeline {
 public:
  // They outlive it. `redo` is null only where there are no chains.
  RedoPipeline(Redo* redo, const ImageSink& sink);
  // Waits for what the threads are about; what was not handed on is dropped.
  ~RedoPipeline();
  RedoPipeline(const RedoPipeline&) = delete;
  RedoPipeline& operator=(const RedoPipeline&) = delete;

  // The image of the next key.
  Result<> add_image(const Key& key, ByteView image);
  // The versions of the next key, newest first: records and what they began with, at least one
  // record, and complete as VersionChain says. Values are copied.
  void begin_chain(const Key& key);
  void add_version(const Version& version);
  Result<> end_chain();

  // Hands on what is left. Once, after the last key.
  Result<> finish();

 private:
  class Batch;

  // Hands the current batch to a thread, or makes its images here while there is little to do.
  Result<> submit();
  // Of the batch that was submitted first.
  Result<> hand_on();

  Redo* const redo_;
  const ImageSink& sink_;
  std::unique_ptr<Batch> current_;
  struct Submitted {
    std::unique_ptr<Batch> batch;
    std::future<Result<>> made;
  };
  std::deque<Submitted> submitted_;
  size_t submitted_bytes_ = 0;
  bool has_begun_ = false;
  // Last, so that its tasks end while there are their batches.
  std::optional<ThreadPool> threads_;
};

}  // namespace varve
