// Randomness, injected like the clock: production draws from the system, a test from a seed.
#pragma once

#include <cstdint>
#include <mutex>
#include <random>

#include "base/bytes.h"

namespace varve {

// Thread-safe.
class Random {
 public:
  virtual ~Random() = default;
  virtual uint64_t next() = 0;

  // In [0, 1).
  double next_fraction() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

  template <typename AnyId>
  AnyId next_id() {
    AnyId id;
    store_little(id.bytes.data(), next());
    store_little(id.bytes.data() + 8, next());
    return id;
  }
};

// getrandom(2); one instance for the whole process.
Random& system_random();

class SeededRandom : public Random {
 public:
  explicit SeededRandom(uint64_t seed) : engine_(seed) {}
  uint64_t next() override {
    const std::lock_guard lock(mutex_);
    return engine_();
  }

 private:
  std::mutex mutex_;
  std::mt19937_64 engine_;
};

}  // namespace varve
