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
  bool begun = false;
  const auto put_image = [&](const Key& key, ByteView image) -> Result<> {
    if (!begun && last_ && key <= *last_) {
      return make_error(ErrorCode::kInvalidArgument, "it begins with key {} behind {}", key,
                        *last_);
    }
    begun = true;
    return timeline_->put_image(key, image);
  };
  auto last = read_image_batch(batch, put_image);
  if (!last.ok()) {
    ended_ = begun;
    if (begun) return last.error();
    return make_error(ErrorCode::kInvalidArgument, "batch {} of the import: {}", number,
                      last.error().message());
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
