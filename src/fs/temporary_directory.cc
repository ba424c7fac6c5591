#include "fs/temporary_directory.h"

#include <stdlib.h>

#include <cerrno>

namespace varve {

Result<TemporaryDirectory> TemporaryDirectory::create(std::string_view prefix,
                                                      const std::filesystem::path& parent) {
  std::string name = (parent / (std::string(prefix) + "XXXXXX")).string();
  if (::mkdtemp(name.data()) == nullptr) {
    return system_error(errno, fmt::format("cannot create directory {}", name));
  }
  return TemporaryDirectory(std::filesystem::path(name));
}

TemporaryDirectory::~TemporaryDirectory() {
  if (path_.empty()) return;
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace varve
