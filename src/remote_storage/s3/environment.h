// Environment variables, injected: a test has an environment of its own.
#pragma once

#include <functional>
#include <optional>
#include <string>

namespace varve::s3 {

// The value of an environment variable, or none.
using EnvironmentVariables = std::function<std::optional<std::string>(const std::string& name)>;

// This process's. Thread-safe as long as nobody changes the environment.
EnvironmentVariables process_environment();

// The value of a variable that is set to something: as the AWS SDKs have it, an empty one counts as
// not set.
std::optional<std::string> value_of(const EnvironmentVariables& environment,
                                    const std::string& name);

}  // namespace varve::s3
