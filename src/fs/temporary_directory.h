// A directory for the life of an object.
#pragma once

#include <filesystem>

#include "base/result.h"

namespace varve {

// Removed with all it holds on destruction.
class TemporaryDirectory {
 public:
  // "<parent>/<prefix>XXXXXX", mode 0700. The system's directory for temporary files by default.
  static Result<TemporaryDirectory> create(
      std::string_view prefix = "varve-",
      const std::filesystem::path& parent = std::filesystem::temp_directory_path());

  TemporaryDirectory(TemporaryDirectory&& other) noexcept : path_(std::move(other.path_)) {
    other.path_.clear();
  }
  TemporaryDirectory& operator=(TemporaryDirectory&& other) noexcept {
    std::swap(path_, other.path_);
    return *this;
  }
  ~TemporaryDirectory();

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

 private:
  explicit TemporaryDirectory(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

}  // namespace varve
