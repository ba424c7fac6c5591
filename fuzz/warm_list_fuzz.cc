// The list of layers that were in use when a server ended.
#include <cstdlib>

#include "storage_sync/warm_list.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto list = varve::WarmList::decode({data, size});
  if (!list.ok()) return 0;
  // What can be read can be written, and is then read as the same.
  const auto again = varve::WarmList::decode(list->encode());
  if (!again.ok() || *again != *list) std::abort();
  return 0;
}
