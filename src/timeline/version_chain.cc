#include "timeline/version_chain.h"

#include <algorithm>

namespace varve {

void VersionChain::add(const Version& version, std::shared_ptr<const void> owner) {
  versions_.push_back(version);
  owners_.push_back(std::move(owner));
}

void VersionChain::add_copy(const Version& version) {
  const auto value = std::make_shared<const Bytes>(version.value.begin(), version.value.end());
  Version copy = version;
  copy.value = *value;
  add(copy, value);
}

void VersionChain::truncate(size_t size) {
  versions_.resize(size);
  owners_.resize(size);
}

Result<Bytes> VersionChain::image(Redo* redo) const {
  const Version& oldest = versions_.back();
  if (!is_complete()) {
    return make_error(ErrorCode::kCorrupted,
                      "key {} has a record at {}, and nothing older that it could change", key_,
                      oldest.lsn);
  }
  if (versions_.front().kind == ValueKind::kImage) {
    return Bytes(oldest.value.begin(), oldest.value.end());
  }
  if (redo == nullptr) {
    return make_error(ErrorCode::kInvalidArgument,
                      "key {} has records, which nothing here can apply", key_);
  }
  std::vector<Version> records = versions_;
  // A tombstone has no bytes, as nothing has none.
  const ByteView base = oldest.kind == ValueKind::kFirstRecord ? ByteView() : oldest.value;
  if (oldest.kind != ValueKind::kFirstRecord) records.pop_back();
  std::ranges::reverse(records);
  return redo->apply(key_, base, records);
}

Result<> reconstruct_all(VersionCursor& cursor, Redo* redo, const ImageSink& sink) {
  while (const Version* newest = cursor.current()) {
    const Key key = newest->key;
    if (newest->kind == ValueKind::kImage) {
      VARVE_TRY(sink(key, newest->value));
    } else {
      VersionChain chain(key);
      for (const Version* at = newest; at != nullptr && at->key == key && !chain.is_complete();
           at = cursor.current()) {
        chain.add_copy(*at);
        VARVE_TRY(cursor.next());
      }
      if (chain.exists()) {
        VARVE_ASSIGN(const Bytes image, chain.image(redo));
        VARVE_TRY(sink(key, image));
      }
    }
    while (cursor.current() != nullptr && cursor.current()->key == key) VARVE_TRY(cursor.next());
  }
  return {};
}

}  // namespace varve
