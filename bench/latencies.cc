#include <algorithm>
#include <numeric>

#include "measurement.h"

namespace varve::bench {

Json describe_latencies(std::vector<double> seconds) {
  std::ranges::sort(seconds);
  const auto at = [&](double part) {
    return 1e6 * seconds[static_cast<size_t>(part * static_cast<double>(seconds.size() - 1))];
  };
  const double total = std::accumulate(seconds.begin(), seconds.end(), 0.0);
  return {{"gets", seconds.size()},
          {"median_us", at(0.5)},
          {"p99_us", at(0.99)},
          {"per_second", static_cast<double>(seconds.size()) / total}};
}

}  // namespace varve::bench
