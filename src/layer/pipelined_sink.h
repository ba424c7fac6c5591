// Making versions and writing them into layers at the same time.
#pragma once

#include <thread>
#include <vector>

#include "base/bytes.h"
#include "layer/version_sink.h"
#include "runtime/bounded_queue.h"

namespace varve {

// Passes images on to another sink, which a thread of its own serves meanwhile, a few MiB behind.
// An error of that sink comes back from a later call. One thread may use it.
class PipelinedSink : public VersionSink {
 public:
  // `target` outlives it and is touched by nobody else before finish() returned.
  explicit PipelinedSink(VersionSink& target);
  // Drops what has not reached the target.
  ~PipelinedSink() override;
  PipelinedSink(const PipelinedSink&) = delete;
  PipelinedSink& operator=(const PipelinedSink&) = delete;

  Result<> put_image(const Key& key, ByteView image) override;

  // Waits until the target has everything. Call it once, after the last image.
  Result<> finish();

 private:
  struct Batch {
    struct Image {
      Key key;
      size_t size = 0;
    };
    std::vector<Image> images;
    Bytes bytes;  // Of all images, one after the other.
  };

  void serve(const std::stop_token& stop);
  Result<> pass_on(const Batch& batch);
  // Hands the batch over and takes an empty one.
  Result<> hand_over();
  // What became of the target.
  Result<> join();

  VersionSink& target_;
  Batch batch_;
  BoundedQueue<Batch> full_;
  BoundedQueue<Batch> empty_;
  // Written by the thread before it closes the queues; read once it was joined.
  Result<> outcome_;
  std::jthread thread_;
};

}  // namespace varve
