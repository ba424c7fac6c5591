#include "base/result.h"

#include <cerrno>
#include <system_error>

namespace varve {

std::string_view name(ErrorCode code) {
  switch (code) {
    case ErrorCode::kNotFound:
      return "NotFound";
    case ErrorCode::kInvalidArgument:
      return "InvalidArgument";
    case ErrorCode::kConflict:
      return "Conflict";
    case ErrorCode::kUnavailable:
      return "Unavailable";
    case ErrorCode::kThrottled:
      return "Throttled";
    case ErrorCode::kDenied:
      return "Denied";
    case ErrorCode::kCorrupted:
      return "Corrupted";
    case ErrorCode::kCancelled:
      return "Cancelled";
    case ErrorCode::kExhausted:
      return "Exhausted";
    case ErrorCode::kInternal:
      return "Internal";
  }
  return "Unknown";
}

bool retryable(ErrorCode code) {
  return code == ErrorCode::kUnavailable || code == ErrorCode::kThrottled;
}

namespace {

ErrorCode code_of(int errno_value) {
  switch (errno_value) {
    case ENOENT:
    case ENOTDIR:
      return ErrorCode::kNotFound;
    case EEXIST:
    case ENOTEMPTY:
      return ErrorCode::kConflict;
    case EACCES:
    case EPERM:
    case EROFS:
      return ErrorCode::kDenied;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return ErrorCode::kExhausted;
    case EINVAL:
    case ENAMETOOLONG:
    case EISDIR:
    case ELOOP:
      return ErrorCode::kInvalidArgument;
    case EIO:
    case EAGAIN:
    case ETIMEDOUT:
      return ErrorCode::kUnavailable;
    default:
      return ErrorCode::kInternal;
  }
}

}  // namespace

Error system_error(int errno_value, std::string_view what) {
  return {code_of(errno_value),
          fmt::format("{}: {}", what, std::generic_category().message(errno_value))};
}

}  // namespace varve
