#include "layer/pipelined_sink.h"

#include <pthread.h>

namespace varve {
namespace {

constexpr size_t kBatchBytes = 1U << 20;
// Enough that neither side waits for the other's hiccups.
constexpr size_t kBatches = 4;

}  // namespace

PipelinedSink::PipelinedSink(VersionSink& target)
    : target_(target),
      full_(kBatches),
      empty_(kBatches),
      thread_([this](const std::stop_token& stop) { serve(stop); }) {
  for (size_t i = 1; i < kBatches; ++i) empty_.push(Batch{});
}

PipelinedSink::~PipelinedSink() {
  thread_.request_stop();
  full_.close();
}

Result<> PipelinedSink::put_image(const Key& key, ByteView image) {
  batch_.images.push_back({.key = key, .size = image.size()});
  batch_.bytes.insert(batch_.bytes.end(), image.begin(), image.end());
  if (batch_.bytes.size() < kBatchBytes) return {};
  return hand_over();
}

Result<> PipelinedSink::finish() {
  VARVE_TRY(hand_over());
  full_.close();
  return join();
}

Result<> PipelinedSink::hand_over() {
  if (full_.push(std::move(batch_))) {
    if (auto batch = empty_.pop()) {
      batch_ = std::move(*batch);
      return {};
    }
  }
  // Only the thread closes a queue while images are put, and only after an error.
  return join();
}

Result<> PipelinedSink::join() {
  if (thread_.joinable()) thread_.join();
  return outcome_;
}

void PipelinedSink::serve(const std::stop_token& stop) {
  pthread_setname_np(pthread_self(), "layer writer");
  while (auto batch = full_.pop(stop)) {
    outcome_ = pass_on(*batch);
    if (!outcome_.ok()) break;
    batch->images.clear();
    batch->bytes.clear();
    empty_.push(std::move(*batch));
  }
  full_.close();
  empty_.close();
}

Result<> PipelinedSink::pass_on(const Batch& batch) {
  ByteView rest = batch.bytes;
  for (const Batch::Image& image : batch.images) {
    VARVE_TRY(target_.put_image(image.key, rest.first(image.size)));
    rest = rest.subspan(image.size);
  }
  return {};
}

}  // namespace varve
