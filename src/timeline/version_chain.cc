#include "timeline/version_chain.h"

#include <algorithm>

#include "timeline/redo_pipeline.h"

namespace varve {
namespace {

Error lacks_beginning(const Key& key, Lsn oldest) {
  return make_error(ErrorCode::kCorrupted,
                    "key {} has a record at {}, and nothing older that it could change", key,
                    oldest);
}

Error cannot_apply(const Key& key) {
  return make_error(ErrorCode::kInvalidArgument, "key {} has records, which nothing here can apply",
                    key);
}

// The versions of `key` that its image is made of; the cursor is at the newest one.
Result<> add_chain(VersionCursor& cursor, const Key& key, RedoPipeline& pipeline) {
  pipeline.begin_chain(key);
  for (;;) {
    const Version& version = *cursor.current();
    const Lsn lsn = version.lsn;
    const bool is_complete = !needs_older(version.kind);
    pipeline.add_version(version);
    VARVE_TRY(cursor.next());
    if (is_complete) return pipeline.end_chain();
    if (cursor.current() == nullptr || cursor.current()->key != key) {
      return lacks_beginning(key, lsn);
    }
  }
}

}  // namespace

void VersionChain::add(const Version& version, std::shared_ptr<const void> owner) {
  if (known_ && version.lsn <= known_->lsn) {
    versions_.push_back({key_, known_->lsn, ValueKind::kImage, *known_->image});
    owners_.push_back(known_->image);
    return;
  }
  versions_.push_back(version);
  owners_.push_back(std::move(owner));
}

void VersionChain::truncate(size_t size) {
  versions_.resize(size);
  owners_.resize(size);
}

Result<Bytes> VersionChain::image(Redo* redo) const {
  const Version& oldest = versions_.back();
  if (!is_complete()) return lacks_beginning(key_, oldest.lsn);
  if (versions_.front().kind == ValueKind::kImage) {
    return Bytes(oldest.value.begin(), oldest.value.end());
  }
  if (redo == nullptr) return cannot_apply(key_);
  std::vector<Version> records = versions_;
  // A tombstone has no bytes, as nothing has none.
  const ByteView base = oldest.kind == ValueKind::kFirstRecord ? ByteView() : oldest.value;
  if (oldest.kind != ValueKind::kFirstRecord) records.pop_back();
  std::ranges::reverse(records);
  return redo->apply(key_, base, records);
}

Result<> reconstruct_all(VersionCursor& cursor, Redo* redo, const ImageSink& sink) {
  RedoPipeline pipeline(redo, sink);
  while (const Version* newest = cursor.current()) {
    const Key key = newest->key;
    if (newest->kind == ValueKind::kImage) {
      VARVE_TRY(pipeline.add_image(key, newest->value));
    } else if (newest->kind != ValueKind::kTombstone) {
      if (redo == nullptr) return cannot_apply(key);
      VARVE_TRY(add_chain(cursor, key, pipeline));
    }
    if (cursor.current() != nullptr) VARVE_TRY(cursor.seek(key.next(), Lsn::max()));
  }
  return pipeline.finish();
}

}  // namespace varve
