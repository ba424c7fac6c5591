// An environment of a test's own.
#pragma once

#include <map>

#include "remote_storage/s3/environment.h"

namespace varve::s3 {

using Variables = std::map<std::string, std::string>;

inline EnvironmentVariables fake_environment(Variables variables) {
  return [variables = std::move(variables)](const std::string& name) {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
}

}  // namespace varve::s3
