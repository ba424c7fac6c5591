#include "remote_storage/path_mapping.h"

#include <algorithm>

#include "remote_storage/remote_storage.h"

namespace varve {
namespace {

bool has_parent_component(const std::filesystem::path& path) {
  return std::ranges::any_of(path, [](const auto& component) { return component == ".."; });
}

// Without "." components, doubled slashes and a slash at the end.
std::filesystem::path plain(const std::filesystem::path& path) {
  std::filesystem::path result;
  for (const auto& component : path) {
    if (!component.empty() && component != ".") result /= component;
  }
  return result;
}

}  // namespace

Result<std::string> object_key_of_path(const std::filesystem::path& workdir,
                                       const std::filesystem::path& local_path) {
  // Textual removal of ".." is wrong where a link is involved, so it is refused.
  if (has_parent_component(workdir) || has_parent_component(local_path)) {
    return make_error(ErrorCode::kInvalidArgument, "{} below {}: a path must not contain '..'",
                      local_path.string(), workdir.string());
  }
  const auto above = plain(workdir);
  const auto path = plain(local_path);
  const auto [above_end, rest] = std::ranges::mismatch(above, path);
  if (above_end != above.end() || rest == path.end()) {
    return make_error(ErrorCode::kInvalidArgument, "{} is not below the work directory {}",
                      local_path.string(), workdir.string());
  }
  std::filesystem::path below;
  for (auto component = rest; component != path.end(); ++component) below /= *component;
  std::string key = below.string();
  VARVE_TRY(check_object_key(key));
  return key;
}

Result<std::filesystem::path> path_of_object_key(const std::filesystem::path& workdir,
                                                 std::string_view key) {
  VARVE_TRY(check_object_key(key));
  return workdir / key;
}

}  // namespace varve
