#include "remote_storage/checks.h"

namespace varve {

Result<ByteInterval> resolve_range(const ByteRange& range, uint64_t object_size,
                                   std::string_view key) {
  if (range.last) {
    const uint64_t size = std::min(*range.last, object_size);
    return ByteInterval{.start = object_size - size, .size = size};
  }
  if (range.end && *range.end < range.start) {
    return make_error(ErrorCode::kInvalidArgument, "range {}-{} of {} ends before it starts",
                      range.start, *range.end, key);
  }
  if (range.start > object_size) {
    return make_error(ErrorCode::kInvalidArgument, "range of {} starts at {}, beyond its {} bytes",
                      key, range.start, object_size);
  }
  const uint64_t end = std::min(range.end.value_or(object_size), object_size);
  return ByteInterval{.start = range.start, .size = end - range.start};
}

Result<> check_put(const StorageTraits& traits, std::string_view key, uint64_t size,
                   PutCondition condition) {
  VARVE_TRY(check_object_key(key));
  if (condition == PutCondition::kIfAbsent && !traits.conditional_put) {
    return make_error(ErrorCode::kInvalidArgument,
                      "{}: {} storage cannot create an object only if it is absent", key,
                      traits.kind);
  }
  if (size <= traits.maximum_put_size) return {};
  return make_error(ErrorCode::kInvalidArgument,
                    "{} has {} bytes: {} can be stored in one step, more needs a multipart upload",
                    key, size, traits.maximum_put_size);
}

Result<> check_multipart(const StorageTraits& traits, std::string_view key, uint64_t part_size) {
  VARVE_TRY(check_object_key(key));
  if (part_size >= traits.minimum_part_size && part_size <= traits.maximum_part_size) return {};
  return make_error(ErrorCode::kInvalidArgument,
                    "part size {} of {}: {} storage allows {} to {} bytes", part_size, key,
                    traits.kind, traits.minimum_part_size, traits.maximum_part_size);
}

Result<> check_part(const StorageTraits& traits, std::string_view key, uint32_t number,
                    uint64_t size, uint64_t part_size) {
  if (number >= traits.maximum_parts) {
    return make_error(ErrorCode::kInvalidArgument,
                      "part {} of {}: at most {} parts are allowed, use larger ones", number, key,
                      traits.maximum_parts);
  }
  if (size <= part_size) return {};
  return make_error(ErrorCode::kInvalidArgument,
                    "part {} of {} has {} bytes: {} were announced for every part", number, key,
                    size, part_size);
}

Result<> check_removal(const StorageTraits& traits, const std::vector<std::string>& keys) {
  if (keys.size() > traits.maximum_remove_keys) {
    return make_error(ErrorCode::kInvalidArgument,
                      "{} keys to remove at once: at most {} are allowed", keys.size(),
                      traits.maximum_remove_keys);
  }
  for (const std::string& key : keys) VARVE_TRY(check_object_key(key));
  return {};
}

}  // namespace varve
