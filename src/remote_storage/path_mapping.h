// Local paths and remote keys: the key of a file is its path below the work directory.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace varve {

// "tenants/x/metadata" for "<workdir>/tenants/x/metadata". Decided by the paths alone: nothing is
// looked up on disk, and no link is resolved. InvalidArgument when the path is not below the work
// directory, contains "..", or does not make a valid key.
Result<std::string> object_key_of_path(const std::filesystem::path& workdir,
                                       const std::filesystem::path& local_path);

// The inverse. InvalidArgument for what is no key, so that no path outside of the work directory
// comes out.
Result<std::filesystem::path> path_of_object_key(const std::filesystem::path& workdir,
                                                 std::string_view key);

}  // namespace varve
