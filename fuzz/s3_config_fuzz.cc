// The shared config and credentials files of the AWS tools: what was read is written so that it is
// read as the same.
#include "expect.h"
#include "remote_storage/s3/ini.h"

namespace {

std::string format(const varve::s3::IniSections& sections) {
  std::string text;
  for (const auto& [name, properties] : sections) {
    text += "[" + name + "]\n";
    for (const auto& [key, value] : properties) {
      text += key + "=";
      for (const char c : value) text += c == '\n' ? "\n " : std::string(1, c);
      text += "\n";
    }
  }
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto sections = varve::s3::parse_ini(varve::as_text({data, size}), "config");
  if (!sections.ok()) return 0;
  const auto again = varve::s3::parse_ini(format(*sections), "config");
  varve::expect(again.ok() && *again == *sections);
  return 0;
}
