// A layer name that is accepted is exactly the one that is written.
#include <cstdlib>

#include "base/bytes.h"
#include "layer/layer_name.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = varve::as_text({data, size});
  const auto name = varve::LayerName::parse(text);
  if (!name.ok()) return 0;
  if (name->to_string() != text || name->keys.empty() || !(name->lsn_start < name->lsn_end)) {
    std::abort();
  }
  return 0;
}
