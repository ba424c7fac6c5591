// Remote URLs: whatever parses is printed as a URL that parses to the same.

#include <cstdlib>

#include "remote_storage/url.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto location = varve::parse_remote_url({reinterpret_cast<const char*>(data), size});
  if (!location.ok()) return 0;
  const auto again = varve::parse_remote_url(varve::to_url(*location));
  if (!again.ok() || *again != *location) std::abort();
  return 0;
}
