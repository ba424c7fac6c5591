// A store of images in memory: what an import writes is what an export reads.
#pragma once

#include <map>
#include <vector>

#include "layer/version_sink.h"
#include "layer/version_source.h"
#include "postgres/key_space.h"

namespace varve {

class MemoryVersions : public VersionSink, public VersionSource {
 public:
  Result<> put_image(const Key& key, ByteView image) override {
    if (!images_.empty() && key <= images_.rbegin()->first) {
      return make_error(ErrorCode::kInternal, "{} came after {}", describe(key),
                        describe(images_.rbegin()->first));
    }
    images_.emplace_hint(images_.end(), key, Bytes(image.begin(), image.end()));
    return {};
  }

  Result<> scan(const KeyRange& range, Lsn /*lsn*/, const ImageSink& sink) override {
    if (range.empty()) return {};
    const auto end = images_.lower_bound(range.end);
    for (auto at = images_.lower_bound(range.start); at != end; ++at) {
      VARVE_TRY(sink(at->first, at->second));
    }
    return {};
  }

  Result<Bytes> get(const Key& key, Lsn lsn) override {
    const auto found = images_.find(key);
    if (found != images_.end()) return found->second;
    return make_error(ErrorCode::kNotFound, "{} does not exist at {}", describe(key), lsn);
  }

  template <typename Fields>
  bool has(const Fields& fields) const {
    return images_.contains(make_key(fields));
  }
  // The image of a key that a test sets up, changes or looks at.
  template <typename Fields>
  Bytes& operator[](const Fields& fields) {
    return images_[make_key(fields)];
  }
  template <typename Fields>
  void erase(const Fields& fields) {
    images_.erase(make_key(fields));
  }
  std::vector<Key> keys_of(const KeyRange& range) const {
    std::vector<Key> keys;
    for (const auto& [key, image] : images_) {
      if (range.contains(key)) keys.push_back(key);
    }
    return keys;
  }

 private:
  std::map<Key, Bytes> images_;
};

}  // namespace varve
