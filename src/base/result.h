// Errors as values: every operation that can fail returns Result<T>.
//
// An error code says what the caller can do about it, not where it came from. The message names the
// thing that failed and, where there is one, the remedy; on its way up an error only gains context.
#pragma once

#include <fmt/format.h>

#include <chrono>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace varve {

enum class ErrorCode {
  kNotFound,         // Definitely absent: a 404, an ENOENT. Never a timeout or a refused request.
  kInvalidArgument,  // The request itself is wrong: repeat it only after changing it.
  kConflict,         // A precondition failed: it exists already, is occupied, or has another owner.
  kUnavailable,      // The other side could not be reached or broke off: try again later.
  kThrottled,        // The other side asks for fewer requests: try again later, more slowly.
  kDenied,           // Credentials or permissions do not suffice.
  kCorrupted,        // Bytes were read, and they are not what was written.
  kCancelled,        // The caller asked to stop, or its deadline passed.
  kExhausted,        // A resource ran out: disk space, memory, file descriptors.
  kInternal,  // A defect of this program, or an answer of the system that fits nothing above.
};

// "NotFound", "InvalidArgument", ...
std::string_view name(ErrorCode code);

// Whether the same call may succeed later without any change by the caller.
bool retryable(ErrorCode code);

class [[nodiscard]] Error {
 public:
  Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}

  ErrorCode code() const { return code_; }
  const std::string& message() const { return message_; }

  // How long the other side asked to be left alone, if it said so.
  std::optional<std::chrono::nanoseconds> retry_after() const { return retry_after_; }
  void set_retry_after(std::chrono::nanoseconds delay) { retry_after_ = delay; }

  // The same error, its message preceded by "what: ".
  Error context(std::string_view what) const& {
    Error error(code_, fmt::format("{}: {}", what, message_));
    error.retry_after_ = retry_after_;
    return error;
  }

 private:
  ErrorCode code_;
  std::string message_;
  std::optional<std::chrono::nanoseconds> retry_after_;
};

template <typename... Args>
Error make_error(ErrorCode code, fmt::format_string<Args...> format, Args&&... args) {
  return {code, fmt::format(format, std::forward<Args>(args)...)};
}

// The error of a failed system call: `errno_value` mapped to a code, and "what: strerror".
Error system_error(int errno_value, std::string_view what);

template <typename T = void>
class [[nodiscard]] Result : public std::expected<T, Error> {
 public:
  using Base = std::expected<T, Error>;
  using Base::Base;
  Result(Error error) : Base(std::unexpect, std::move(error)) {}  // NOLINT: an error is a result.

  bool ok() const { return this->has_value(); }
  // The code of a failed result; call only when !ok().
  ErrorCode code() const { return this->error().code(); }
  bool failed_with(ErrorCode code) const { return !ok() && this->error().code() == code; }

  // This result; an error gains "what: " in front of its message.
  Result context(std::string_view what) && {
    if (ok()) return std::move(*this);
    return this->error().context(what);
  }
};

// Returns from the calling function with the error of a failed Result, and drops its value.
#define VARVE_TRY(expression)                                                         \
  do {                                                                                \
    if (auto&& varve_result = (expression); !varve_result.has_value()) [[unlikely]] { \
      return std::move(varve_result).error();                                         \
    }                                                                                 \
  } while (false)

#define VARVE_CONCAT_INNER(a, b) a##b
#define VARVE_CONCAT(a, b) VARVE_CONCAT_INNER(a, b)
#define VARVE_ASSIGN_INNER(temporary, declaration, expression) \
  auto temporary = (expression);                               \
  if (!temporary.has_value()) [[unlikely]] {                   \
    return std::move(temporary).error();                       \
  }                                                            \
  declaration = std::move(*temporary)

// VARVE_ASSIGN(auto size, file.size()); declares or assigns the value, or returns with the error.
#define VARVE_ASSIGN(declaration, expression) \
  VARVE_ASSIGN_INNER(VARVE_CONCAT(varve_result_, __LINE__), declaration, expression)

}  // namespace varve
