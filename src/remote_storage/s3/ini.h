// The format of the AWS shared config and credentials files: AWS SDKs and Tools Reference Guide,
// "Using shared config and credentials files".
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace varve::s3 {

// Keys are lower-case. An indented "child = value" below an empty "parent =" has the key
// "parent.child"; any other line that is indented more than the property before it continues that
// property's value after a newline.
using IniSection = std::map<std::string, std::string>;
using IniSections = std::map<std::string, IniSection>;

// A section or key that is there twice counts as one, the later values winning. InvalidArgument
// with `name` and the line for what is neither section, property nor comment; the message shows
// nothing of the line, which may hold a secret.
Result<IniSections> parse_ini(std::string_view text, std::string_view name);

}  // namespace varve::s3
