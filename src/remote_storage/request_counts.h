// How many requests were sent, by kind and outcome, and how many bytes went which way.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/result.h"
#include "remote_storage/operation.h"

namespace varve {

// Plain data: whoever keeps counts over restarts stores and restores it.
struct RequestCounts {
  // Succeeded, then failed by ErrorCode.
  static constexpr size_t kOutcomeCount = 2 + static_cast<size_t>(ErrorCode::kInternal);
  using Outcomes = std::array<uint64_t, kOutcomeCount>;

  // Index 0 for success.
  static constexpr size_t outcome(std::optional<ErrorCode> code) {
    return code ? 1 + static_cast<size_t>(*code) : 0;
  }

  std::array<Outcomes, kOperationCount> requests{};
  // The bodies of what succeeded, without headers.
  uint64_t bytes_sent = 0;
  // The bodies of downloads, including those that broke off.
  uint64_t bytes_received = 0;

  // Requests of that kind, whatever became of them.
  uint64_t total(Operation operation) const;
  // Those with that outcome; none = succeeded.
  uint64_t count(Operation operation, std::optional<ErrorCode> code) const;

  RequestCounts& operator+=(const RequestCounts& other);
  bool operator==(const RequestCounts&) const = default;
};

}  // namespace varve
