#include "base/random.h"

#include <sys/random.h>

#include <cstdlib>

namespace varve {
namespace {

class SystemRandom : public Random {
 public:
  uint64_t next() override {
    uint64_t value = 0;
    // Up to 256 bytes are never cut short once the pool is initialised; see getrandom(2).
    while (getrandom(&value, sizeof value, 0) != sizeof value) {
      if (errno != EINTR) std::abort();
    }
    return value;
  }
};

}  // namespace

Random& system_random() {
  static SystemRandom random;
  return random;
}

}  // namespace varve
