#include "server/http/image_import.h"

namespace varve::http {

Result<> ImageImport::check_usable() const {
  if (!ended_) return {};
  return make_error(ErrorCode::kConflict, "the import has ended, or has failed: begin another one");
}

Result<> ImageImport::put(uint64_t number, ByteView batch) {
  const std::lock_guard lock(mutex_);
  VARVE_TRY(check_usable());
  if (number + 1 == next_) return {};
  if (number != next_) {
    return make_error(ErrorCode::kConflict, "batch {} of the import came where {} was expected",
                      number, next_);
  }
  std::optional<Key> first;
  const auto note_first = [&](const Key& key, ByteView) -> Result<> {
    if (!first) first = key;
    return {};
  };
  const auto checked = read_image_batch(batch, note_first);
  if (!checked.ok()) {
    return make_error(ErrorCode::kInvalidArgument, "batch {} of the import: {}", number,
                      checked.error().message());
  }
  if (first && last_ && *first <= *last_) {
    return make_error(ErrorCode::kInvalidArgument,
                      "batch {} of the import begins with key {} behind {}", number, *first,
                      *last_);
  }
  const auto put_image = [&](const Key& key, ByteView image) {
    return timeline_->put_image(key, image);
  };
  auto last = read_image_batch(batch, put_image);
  if (!last.ok()) {
    ended_ = true;
    return last.error();
  }
  if (*last) last_ = *last;
  ++next_;
  return {};
}

Result<Json> ImageImport::commit(uint64_t batches, const ImportedCluster& cluster,
                                 const CallOptions& call, const ByteProgress& uploaded) {
  const std::lock_guard lock(mutex_);
  VARVE_TRY(check_usable());
  if (batches != next_) {
    return make_error(ErrorCode::kConflict, "the import has {} batches, not {}", next_, batches);
  }
  ended_ = true;
  return timeline_->commit(cluster, call, uploaded);
}

}  // namespace varve::http
