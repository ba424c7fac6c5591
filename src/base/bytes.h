// Reading and writing of binary formats: fixed-width integers, little-endian unless the name says
// so.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/lsn.h"
#include "base/result.h"

namespace varve {

using Bytes = std::vector<uint8_t>;
using ByteView = std::span<const uint8_t>;

inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

static_assert(std::endian::native == std::endian::little,
              "the stored formats are little-endian and are read in place");

template <std::unsigned_integral T>
T load_little(const uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}
template <std::unsigned_integral T>
void store_little(uint8_t* to, T value) {
  std::memcpy(to, &value, sizeof value);
}
template <std::unsigned_integral T>
T load_big(const uint8_t* from) {
  T value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) value = static_cast<T>((value << 8) | from[i]);
  return value;
}
template <std::unsigned_integral T>
void store_big(uint8_t* to, T value) {
  for (size_t i = sizeof(T); i-- > 0; value = static_cast<T>(value >> 8)) {
    to[i] = static_cast<uint8_t>(value);
  }
}

// Appends to a growing buffer.
class ByteWriter {
 public:
  template <std::unsigned_integral T>
  void put(T value) {
    const size_t at = buffer_.size();
    buffer_.resize(at + sizeof value);
    store_little(buffer_.data() + at, value);
  }
  void put(Lsn lsn) { put(lsn.value); }
  template <typename Tag>
  void put(const Id<Tag>& id) {
    put_raw(id.bytes);
  }
  void put_raw(ByteView bytes) { buffer_.insert(buffer_.end(), bytes.begin(), bytes.end()); }
  // A u32 length, then the bytes.
  void put_string(std::string_view text) { put_blob(as_bytes(text)); }
  void put_blob(ByteView bytes) {
    put(static_cast<uint32_t>(bytes.size()));
    put_raw(bytes);
  }
  void put_zeros(size_t count) { buffer_.resize(buffer_.size() + count); }

  size_t size() const { return buffer_.size(); }
  ByteView view() const { return buffer_; }
  Bytes take() && { return std::move(buffer_); }

 private:
  Bytes buffer_;
};

// Reads untrusted bytes: every call checks the bounds and fails with Corrupted, naming `what` (the
// thing that is read, such as "manifest") and the offset.
class ByteReader {
 public:
  // `bytes` and `what` must outlive the reader.
  ByteReader(ByteView bytes, std::string_view what) : bytes_(bytes), what_(what) {}

  size_t offset() const { return offset_; }
  size_t remaining() const { return bytes_.size() - offset_; }

  Result<ByteView> take(size_t count) {
    if (count > remaining()) {
      return make_error(ErrorCode::kCorrupted, "{} ends at byte {}: {} more were expected", what_,
                        bytes_.size(), count - remaining());
    }
    const ByteView view = bytes_.subspan(offset_, count);
    offset_ += count;
    return view;
  }

  template <std::unsigned_integral T>
  Result<> get(T& out) {
    VARVE_ASSIGN(const ByteView view, take(sizeof out));
    out = load_little<T>(view.data());
    return {};
  }
  Result<> get(Lsn& out) { return get(out.value); }
  template <typename Tag>
  Result<> get(Id<Tag>& out) {
    VARVE_ASSIGN(const ByteView view, take(out.bytes.size()));
    std::memcpy(out.bytes.data(), view.data(), view.size());
    return {};
  }
  Result<> get_blob(ByteView& out) {
    uint32_t size = 0;
    VARVE_TRY(get(size));
    VARVE_ASSIGN(out, take(size));
    return {};
  }
  Result<> get_string(std::string& out) {
    ByteView view;
    VARVE_TRY(get_blob(view));
    out = as_text(view);
    return {};
  }
  // A u32 count of things of at least `minimum_size` bytes each, checked against what is left, so
  // that a damaged count never leads to a huge allocation.
  Result<> get_count(uint32_t& out, size_t minimum_size) {
    VARVE_TRY(get(out));
    if (out > remaining() / minimum_size) {
      return make_error(ErrorCode::kCorrupted, "{} claims {} entries at byte {} with {} bytes left",
                        what_, out, offset_ - sizeof out, remaining());
    }
    return {};
  }
  // Fails unless everything was read.
  Result<> finish() const {
    if (remaining() == 0) return {};
    return make_error(ErrorCode::kCorrupted, "{} has {} bytes too many at byte {}", what_,
                      remaining(), offset_);
  }

 private:
  ByteView bytes_;
  std::string_view what_;
  size_t offset_ = 0;
};

}  // namespace varve
