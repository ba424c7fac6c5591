// Images of keys as the HTTP API transfers them: docs/formats/image-batch.md.
#pragma once

#include "layer/version_sink.h"
#include "layer/version_source.h"

namespace varve::http {

inline constexpr char kImageBatchType[] = "application/vnd.varve.images";
// Of an answer that is not all that was asked for: the key from which on to ask again.
inline constexpr char kNextKeyHeader[] = "Varve-Next-Key";
// A batch that has grown past this takes no more, bytes.
inline constexpr size_t kImageBatchSize = 4U << 20;
// Of a batch as a whole, bytes: one image may be longer than that.
inline constexpr size_t kLargestImageBatch = 64U << 20;

class ImageBatchWriter {
 public:
  ImageBatchWriter();

  // Keys come in ascending order.
  void put(const Key& key, ByteView image);
  bool empty() const { return count_ == 0; }
  bool is_full() const { return batch_.size() >= kImageBatchSize; }
  size_t size() const { return batch_.size(); }

  // The batch; what follows goes into another one.
  std::string take();

 private:
  std::string batch_;
  size_t count_ = 0;
};

// Passes on what a batch holds, in ascending order of keys. Corrupted, before anything was passed
// on, when it is not as its writer made it; afterwards whatever `sink` returns. Gives the last key;
// none of an empty batch.
Result<std::optional<Key>> read_image_batch(ByteView batch, const ImageSink& sink);

}  // namespace varve::http
