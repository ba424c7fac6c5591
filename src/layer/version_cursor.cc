#include "layer/version_cursor.h"

#include <algorithm>
#include <functional>

namespace varve {
namespace {

class MergingCursor : public VersionCursor {
 public:
  explicit MergingCursor(std::vector<VersionCursorPointer> cursors) : cursors_(std::move(cursors)) {
    for (size_t i = 0; i < cursors_.size(); ++i) {
      if (cursors_[i]->current() != nullptr) heap_.push_back(i);
    }
    std::ranges::make_heap(heap_, later());
    pick();
  }

  const Version* current() const override { return current_; }

  Result<> next() override {
    VersionCursor& cursor = *cursors_[heap_.front()];
    const size_t number = heap_.front();
    current_ = nullptr;
    std::ranges::pop_heap(heap_, later());
    heap_.pop_back();
    VARVE_TRY(cursor.next());
    if (cursor.current() != nullptr) {
      heap_.push_back(number);
      std::ranges::push_heap(heap_, later());
    }
    pick();
    return {};
  }

 private:
  bool is_later(size_t left, size_t right) const {
    const Version& a = *cursors_[left]->current();
    const Version& b = *cursors_[right]->current();
    if (comes_before(b, a)) return true;
    return !comes_before(a, b) && right < left;
  }
  // The order of the heap, which has what comes last at its top: here what is to be read first.
  std::function<bool(size_t, size_t)> later() const {
    return [this](size_t left, size_t right) { return is_later(left, right); };
  }

  void pick() { current_ = heap_.empty() ? nullptr : cursors_[heap_.front()]->current(); }

  std::vector<VersionCursorPointer> cursors_;
  // Those that are not at their ends, by their places in cursors_.
  std::vector<size_t> heap_;
  const Version* current_ = nullptr;
};

class LimitedCursor : public VersionCursor {
 public:
  LimitedCursor(VersionCursorPointer inner, Lsn first, Lsn last)
      : inner_(std::move(inner)), first_(first), last_(last) {}

  const Version* current() const override { return inner_->current(); }

  Result<> next() override {
    VARVE_TRY(inner_->next());
    return skip();
  }

  // To the next version that is within the limits.
  Result<> skip() {
    for (const Version* at = inner_->current();
         at != nullptr && (at->lsn < first_ || last_ < at->lsn); at = inner_->current()) {
      VARVE_TRY(inner_->next());
    }
    return {};
  }

 private:
  const VersionCursorPointer inner_;
  const Lsn first_;
  const Lsn last_;
};

}  // namespace

bool comes_before(const Version& left, const Version& right) {
  if (left.key != right.key) return left.key < right.key;
  if (left.lsn != right.lsn) return right.lsn < left.lsn;
  return left.kind == ValueKind::kImage && right.kind != ValueKind::kImage;
}

VersionCursorPointer merge(std::vector<VersionCursorPointer> cursors) {
  if (cursors.size() == 1) return std::move(cursors.front());
  return std::make_unique<MergingCursor>(std::move(cursors));
}

Result<VersionCursorPointer> between(VersionCursorPointer cursor, Lsn first, Lsn last) {
  auto limited = std::make_unique<LimitedCursor>(std::move(cursor), first, last);
  VARVE_TRY(limited->skip());
  return VersionCursorPointer(std::move(limited));
}

}  // namespace varve
