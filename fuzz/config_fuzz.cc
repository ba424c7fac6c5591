// varve.toml: settings that are accepted are written so that they are read as the same.
#include "expect.h"
#include "server/settings.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto settings = varve::parse_settings(varve::as_text({data, size}), "varve.toml");
  if (!settings.ok()) return 0;
  const auto again = varve::parse_settings(varve::format_settings(*settings), "varve.toml");
  varve::expect(again.ok() && *again == *settings);
  return 0;
}
