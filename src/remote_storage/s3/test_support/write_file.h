// Files that tests write.
#pragma once

#include <filesystem>
#include <fstream>
#include <string_view>

namespace varve::s3 {

// The path, for the environment of a test.
inline std::string write_file(const std::filesystem::path& path, std::string_view content) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << content;
  return path.string();
}

}  // namespace varve::s3
