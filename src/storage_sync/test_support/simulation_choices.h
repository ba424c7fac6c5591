// Every decision of a simulation, drawn from its seed.
#pragma once

#include <iterator>
#include <random>

#include "base/bytes.h"

namespace varve::simulation {

// Not thread-safe.
class Choices {
 public:
  explicit Choices(uint64_t seed) : engine_(seed) {}

  uint64_t next() { return engine_(); }
  // In [0, bound).
  uint64_t below(uint64_t bound) { return engine_() % bound; }
  // In [low, high].
  uint64_t between(uint64_t low, uint64_t high) { return low + below(high - low + 1); }
  bool chance(double probability) {
    return static_cast<double>(engine_() >> 11) * 0x1.0p-53 < probability;
  }
  // Of something that is not empty.
  template <typename Container>
  auto& pick(Container& container) {
    return *std::next(container.begin(), static_cast<ptrdiff_t>(below(container.size())));
  }
  Bytes bytes(size_t size) {
    Bytes bytes(size);
    for (auto& byte : bytes) byte = static_cast<uint8_t>(engine_());
    return bytes;
  }

 private:
  // Its sequence is fixed by the standard, so that a seed means the same everywhere.
  std::mt19937_64 engine_;
};

}  // namespace varve::simulation
