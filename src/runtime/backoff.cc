#include "runtime/backoff.h"

#include <algorithm>

namespace varve {

Duration backoff_delay(const BackoffOptions& options, int failures, Random& random) {
  Duration delay = options.initial;
  for (int i = 1; i < failures && delay < options.maximum; ++i) delay *= 2;
  delay = std::min(delay, options.maximum);
  const auto nanoseconds = static_cast<double>(delay.count());
  const double fixed = nanoseconds * (1 - options.jitter);
  return Duration(
      static_cast<int64_t>(fixed + nanoseconds * options.jitter * random.next_fraction()));
}

}  // namespace varve
