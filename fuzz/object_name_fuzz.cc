// An object's key that is accepted is exactly the one that is written.
#include <cstdlib>

#include "base/bytes.h"
#include "storage_sync/object_name.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = varve::as_text({data, size});
  if (const auto name = varve::ObjectName::parse(text); name.ok() && name->key() != text) {
    std::abort();
  }
  for (const varve::LogName& log :
       {varve::LogName{{{1}}, {}}, varve::LogName{{{1}}, varve::TimelineId{{2}}}}) {
    const auto name = varve::ObjectName::parse_file_name(log, text);
    if (name.ok() && (name->file_name() != text || name->log != log)) std::abort();
  }
  return 0;
}
