#include "timeline/redo_pipeline.h"

#include <algorithm>

#include "base/byte_arena.h"

namespace varve {
namespace {

// Of values and pages in one batch, bytes, and of pages to be made.
constexpr size_t kBatchSize = 1 << 20;
constexpr size_t kBatchPages = 64;
// As many as redo processes there are by default; each waits for its process.
constexpr size_t kThreads = 2;
// One is handed on while the threads have another one each.
constexpr size_t kBatchesAhead = 2 * kThreads;
// Bytes of all that were submitted, unless there is only one: the records of a page that was
// changed all the time are a batch of any size.
constexpr size_t kBytesAhead = 32 << 20;

}  // namespace

class RedoPipeline::Batch {
 public:
  bool empty() const { return images_.empty(); }
  size_t size() const { return arena_.size(); }
  bool is_full() const { return chains_ >= kBatchPages || arena_.size() >= kBatchSize; }

  void add_image(const Key& key, ByteView image) {
    images_.push_back({.key = key, .image = arena_.keep(image)});
  }
  void begin_chain(const Key& key) {
    images_.push_back({.key = key, .first = versions_.size()});
    ++chains_;
  }
  void add_version(const Version& version) {
    versions_.push_back(version);
    versions_.back().value = arena_.keep(version.value);
    images_.back().count = versions_.size() - images_.back().first;
  }

  Result<> make(Redo& redo) {
    std::vector<RedoRequest> requests;
    requests.reserve(chains_);
    for (const Image& each : images_) {
      if (each.count > 0) requests.push_back(request_of(each));
    }
    auto results = redo.apply_many(requests);
    auto result = results.begin();
    for (Image& each : images_) {
      if (each.count == 0) continue;
      VARVE_TRY(*result);
      each.made = **std::move(result);
      each.image = each.made;
      ++result;
    }
    return {};
  }

  Result<> hand_on(const ImageSink& sink) const {
    for (const Image& each : images_) VARVE_TRY(sink(each.key, each.image));
    return {};
  }

 private:
  struct Image {
    Key key;
    ByteView image;
    // Its versions, newest first.
    size_t first = 0;
    size_t count = 0;
    Bytes made;
  };

  RedoRequest request_of(const Image& each) {
    const auto chain = std::span(versions_).subspan(each.first, each.count);
    std::ranges::reverse(chain);
    RedoRequest request{.key = each.key, .base = {}, .records = chain};
    if (chain.front().kind != ValueKind::kFirstRecord) {
      // A tombstone has no bytes, as nothing has none.
      request.base = chain.front().value;
      request.records = chain.subspan(1);
    }
    return request;
  }

  ByteArena arena_;
  std::vector<Image> images_;
  std::vector<Version> versions_;
  size_t chains_ = 0;
};

RedoPipeline::RedoPipeline(Redo* redo, const ImageSink& sink)
    : redo_(redo), sink_(sink), current_(std::make_unique<Batch>()) {}

RedoPipeline::~RedoPipeline() = default;

Result<> RedoPipeline::add_image(const Key& key, ByteView image) {
  // Nothing stands before it.
  if (current_->empty() && submitted_.empty()) return sink_(key, image);
  current_->add_image(key, image);
  return current_->is_full() ? submit() : Result<>();
}

void RedoPipeline::begin_chain(const Key& key) {
  current_->begin_chain(key);
}

void RedoPipeline::add_version(const Version& version) {
  current_->add_version(version);
}

Result<> RedoPipeline::end_chain() {
  return current_->is_full() ? submit() : Result<>();
}

Result<> RedoPipeline::submit() {
  if (!has_begun_) {
    // Threads are not worth it before there is more than one batch.
    has_begun_ = true;
    VARVE_TRY(current_->make(*redo_));
    VARVE_TRY(current_->hand_on(sink_));
    current_ = std::make_unique<Batch>();
    return {};
  }
  if (!threads_) threads_.emplace(ThreadPool::Options{.name = "redo", .threads = kThreads});
  Batch& batch = *current_;
  submitted_bytes_ += batch.size();
  submitted_.push_back(
      {std::move(current_), threads_->submit([this, &batch] { return batch.make(*redo_); })});
  current_ = std::make_unique<Batch>();
  while (submitted_.size() > kBatchesAhead ||
         (submitted_.size() > 1 && submitted_bytes_ > kBytesAhead)) {
    VARVE_TRY(hand_on());
  }
  return {};
}

Result<> RedoPipeline::hand_on() {
  Submitted first = std::move(submitted_.front());
  submitted_.pop_front();
  submitted_bytes_ -= first.batch->size();
  auto made = first.made.get();
  VARVE_TRY(made);
  return first.batch->hand_on(sink_);
}

Result<> RedoPipeline::finish() {
  while (!submitted_.empty()) VARVE_TRY(hand_on());
  if (current_->empty()) return {};
  VARVE_TRY(current_->make(*redo_));
  return current_->hand_on(sink_);
}

}  // namespace varve
