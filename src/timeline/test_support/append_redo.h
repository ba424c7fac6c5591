// Records that are text, and what they change: the text before them.
#pragma once

#include <atomic>

#include "layer/redo.h"

namespace varve::test_support {

// Thread-safe.
class AppendRedo : public Redo {
 public:
  Result<Bytes> apply(const Key& /*key*/, ByteView base,
                      std::span<const Version> records) override {
    Bytes image(base.begin(), base.end());
    Lsn last{0};
    for (const Version& record : records) {
      const bool is_first = record.kind == ValueKind::kFirstRecord && last == Lsn{0};
      if ((record.kind != ValueKind::kRecord && !is_first) || record.lsn <= last) {
        return make_error(ErrorCode::kCorrupted, "records out of order: {} after {}", record.lsn,
                          last);
      }
      last = record.lsn;
      image.insert(image.end(), record.value.begin(), record.value.end());
      ++applied;
    }
    return image;
  }

  std::atomic<size_t> applied = 0;
};

}  // namespace varve::test_support
