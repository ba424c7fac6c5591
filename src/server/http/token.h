// The bearer token of the HTTP API, https://www.rfc-editor.org/rfc/rfc6750: whoever has it may do
// everything.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace varve::http {

// Read from a file whose only content is the token: 16 to 1024 visible ASCII characters, perhaps
// with an end of line. Denied when others than its owner may read the file; InvalidArgument when it
// holds no such token.
Result<std::string> read_token_file(const std::filesystem::path& path);

// Whether the value of an Authorization header has the token. Takes as long for every wrong one of
// the same length.
bool authorizes(std::string_view authorization, std::string_view token);

}  // namespace varve::http
