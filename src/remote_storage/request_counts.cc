#include "remote_storage/request_counts.h"

#include <numeric>

namespace varve {

uint64_t RequestCounts::total(Operation operation) const {
  const Outcomes& outcomes = requests[static_cast<size_t>(operation)];
  return std::accumulate(outcomes.begin(), outcomes.end(), uint64_t{0});
}

uint64_t RequestCounts::count(Operation operation, std::optional<ErrorCode> code) const {
  return requests[static_cast<size_t>(operation)][outcome(code)];
}

RequestCounts& RequestCounts::operator+=(const RequestCounts& other) {
  for (size_t operation = 0; operation < kOperationCount; ++operation) {
    for (size_t at = 0; at < kOutcomeCount; ++at) {
      requests[operation][at] += other.requests[operation][at];
    }
  }
  bytes_sent += other.bytes_sent;
  bytes_received += other.bytes_received;
  return *this;
}

}  // namespace varve
