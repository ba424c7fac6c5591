// How long to wait before the next attempt.
#pragma once

#include "base/clock.h"
#include "base/random.h"

namespace varve {

struct BackoffOptions {
  Duration initial = std::chrono::seconds(1);
  Duration maximum = std::chrono::seconds(30);
  // The share of a delay that is drawn at random, 0 to 1, so that many who failed together do not
  // return together.
  double jitter = 0.5;
};

// min(initial * 2^(failures-1), maximum), of which the share `jitter` is drawn from [0, share).
// `failures` counts from 1.
Duration backoff_delay(const BackoffOptions& options, int failures, Random& random);

}  // namespace varve
