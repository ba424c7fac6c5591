#include "layer/version_cursor.h"

#include <algorithm>

namespace varve {
namespace {

class MergingCursor : public VersionCursor {
 public:
  explicit MergingCursor(std::vector<VersionCursorPointer> cursors) : cursors_(std::move(cursors)) {
    for (size_t i = 0; i < cursors_.size(); ++i) {
      if (cursors_[i]->current() != nullptr) others_.push_back(i);
    }
    std::ranges::make_heap(others_, Later{cursors_});
    pick();
  }

  const Version* current() const override { return current_; }

  Result<> next() override {
    current_ = nullptr;
    VARVE_TRY(cursors_[first_]->next());
    put_back();
    pick();
    return {};
  }

  Result<> seek(const Key& key, Lsn lsn) override {
    while (current_ != nullptr && lies_before(*current_, key, lsn)) {
      current_ = nullptr;
      VARVE_TRY(cursors_[first_]->seek(key, lsn));
      put_back();
      pick();
    }
    return {};
  }

 private:
  // The order of the heap, which has what comes last at its top: here what is to be read first.
  struct Later {
    const std::vector<VersionCursorPointer>& cursors;

    bool operator()(size_t left, size_t right) const {
      const Version& a = *cursors[left]->current();
      const Version& b = *cursors[right]->current();
      if (comes_before(b, a)) return true;
      return !comes_before(a, b) && right < left;
    }
  };

  // The one that was moved on. It is mostly the first of all again, and then the heap is as it was.
  void put_back() {
    const VersionCursor& moved = *cursors_[first_];
    if (moved.current() == nullptr) return;
    if (others_.empty() || Later{cursors_}(others_.front(), first_)) {
      current_ = moved.current();
      return;
    }
    others_.push_back(first_);
    std::ranges::push_heap(others_, Later{cursors_});
  }

  void pick() {
    if (current_ != nullptr || others_.empty()) return;
    std::ranges::pop_heap(others_, Later{cursors_});
    first_ = others_.back();
    others_.pop_back();
    current_ = cursors_[first_]->current();
  }

  std::vector<VersionCursorPointer> cursors_;
  // Whose version is current_, which is null at the end.
  size_t first_ = 0;
  const Version* current_ = nullptr;
  // A heap of those besides that are not at their ends, by their places in cursors_.
  std::vector<size_t> others_;
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

  Result<> seek(const Key& key, Lsn lsn) override {
    VARVE_TRY(inner_->seek(key, lsn));
    return skip();
  }

  // To the next version that is within the limits.
  Result<> skip() {
    while (const Version* at = inner_->current()) {
      if (last_ < at->lsn) {
        VARVE_TRY(inner_->seek(Key(at->key), last_));
      } else if (at->lsn < first_) {
        VARVE_TRY(inner_->seek(at->key.next(), Lsn::max()));
      } else {
        return {};
      }
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

bool lies_before(const Version& version, const Key& key, Lsn lsn) {
  return version.key != key ? version.key < key : lsn < version.lsn;
}

Result<> VersionCursor::seek(const Key& key, Lsn lsn) {
  while (current() != nullptr && lies_before(*current(), key, lsn)) VARVE_TRY(next());
  return {};
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
