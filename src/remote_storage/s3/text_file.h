// Small files of others: configuration, tokens.
#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"

namespace varve::s3 {

// The content. NotFound when there is no such file, Denied when it must not be read,
// InvalidArgument when it is longer than a mebibyte or not a regular file.
Result<std::string> read_text_file(const std::filesystem::path& path);

// The only line of a file that holds a token, without the blanks around it. InvalidArgument,
// besides, when it is empty or has characters that no header can carry; no message shows the
// content.
Result<std::string> read_token_file(const std::filesystem::path& path);

}  // namespace varve::s3
