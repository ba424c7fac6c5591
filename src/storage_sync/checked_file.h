// Small local files of this module: a magic, a version, a body, a checksum; replaced atomically.
// docs/formats/local-files.md has the bodies.
#pragma once

#include <filesystem>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace varve {

// `magic` has 8 bytes. Durable on return.
Result<> write_checked_file(const std::filesystem::path& path, std::string_view magic,
                            ByteView body);

// The body. NotFound when there is no such file; Corrupted, naming it, when it is not whole or of
// another kind or version.
Result<Bytes> read_checked_file(const std::filesystem::path& path, std::string_view magic);

// The same from memory; `what` names it in errors.
Result<ByteView> check_file_content(ByteView content, std::string_view magic,
                                    std::string_view what);

}  // namespace varve
