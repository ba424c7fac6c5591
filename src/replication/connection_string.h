// Connection strings as libpq understands them, read in a way that never shows what they hold.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace varve {

// The keywords that a string gives a value to. Everything else comes from where libpq takes it when
// it connects: environment, service file, password file.
using ConnectionParameters = std::vector<std::pair<std::string, std::string>>;

// "postgresql://..." or "keyword=value ...". InvalidArgument when it is neither; the message does
// not repeat what stands in it, since that may be a password.
Result<ConnectionParameters> parse_connection_string(const std::string& text);

}  // namespace varve
