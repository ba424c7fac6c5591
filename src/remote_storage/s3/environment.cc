#include "remote_storage/s3/environment.h"

#include <cstdlib>

namespace varve::s3 {

EnvironmentVariables process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return value;
  };
}

std::optional<std::string> value_of(const EnvironmentVariables& environment,
                                    const std::string& name) {
  auto value = environment(name);
  if (value && value->empty()) return std::nullopt;
  return value;
}

}  // namespace varve::s3
