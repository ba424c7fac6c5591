#include "remote_storage/local_fs/listing.h"

#include "remote_storage/local_fs/temporary_file.h"

namespace varve::local_fs {
namespace {

class Walk {
 public:
  Walk(std::string_view prefix, std::string_view after, size_t limit,
       const std::function<Result<>()>& check)
      : prefix_(prefix), after_(after), limit_(limit), check_(check) {}

  // Everything in `directory`, whose keys all start with `above`: empty, or ending with a '/'.
  Result<> visit(const Directory& directory, const std::string& above) {
    VARVE_TRY(check_());
    VARVE_ASSIGN(const auto names, names_in(directory, above));
    for (const std::string& name : names) {
      if (objects_.size() == limit_) return {};
      if (name.ends_with('/')) {
        VARVE_TRY(visit_directory(directory, above, name));
      } else {
        VARVE_TRY(visit_file(directory, above + name, name));
      }
    }
    return {};
  }

  std::vector<ObjectInfo> take() && { return std::move(objects_); }

 private:
  // The names to visit, in the order of the keys they lead to; a directory's ends with a '/', with
  // which it sorts as its keys do.
  Result<std::vector<std::string>> names_in(const Directory& directory, const std::string& above) {
    const size_t slash = prefix_.find('/', above.size());
    if (slash != std::string_view::npos && prefix_.starts_with(above)) {
      // The prefix says which directory alone can matter: no need to read its siblings.
      std::vector<std::string> names{
          std::string(prefix_.substr(above.size(), slash + 1 - above.size()))};
      if (!may_hold(above + names[0])) names.clear();
      return names;
    }
    return read_names(directory, above);
  }

  Result<std::vector<std::string>> read_names(const Directory& directory,
                                              const std::string& above) {
    VARVE_ASSIGN(const auto entries, read_entries(directory));
    std::vector<std::string> names;
    for (const Entry& entry : entries) {
      if (S_ISDIR(entry.type) && may_hold(above + entry.name + "/")) {
        names.push_back(entry.name + "/");
      } else if (S_ISREG(entry.type) && is_wanted(above + entry.name)) {
        names.push_back(entry.name);
      }
    }
    std::ranges::sort(names);
    // An entry that another process replaces while the directory is read may come twice.
    names.erase(std::ranges::unique(names).begin(), names.end());
    return names;
  }

  bool is_wanted(std::string_view key) const {
    return key.starts_with(prefix_) && key > after_ && check_object_key(key).ok();
  }

  // Whether some wanted key starts with `path`, which ends with a '/'.
  bool may_hold(std::string_view path) const {
    const std::string_view name = path.substr(0, path.size() - 1);
    if (!check_object_key(name).ok() || name == kTemporaryDirectory) return false;
    if (!path.starts_with(prefix_) && !prefix_.starts_with(path)) return false;
    return after_ < path || after_.starts_with(path);
  }

  Result<> visit_directory(const Directory& directory, const std::string& above,
                           const std::string& name) {
    const auto child = open_directory(directory, std::string_view(name).substr(0, name.size() - 1));
    // Gone since it was listed, or a name from the prefix that is not there, or is a link.
    if (child.failed_with(ErrorCode::kNotFound)) return {};
    if (child.failed_with(ErrorCode::kDenied) && is_link(directory, name)) return {};
    if (!child.ok()) return child.error();
    return visit(*child, above + name);
  }

  static bool is_link(const Directory& directory, const std::string& name) {
    const auto status = examine(directory, std::string_view(name).substr(0, name.size() - 1));
    return status.ok() && S_ISLNK(status->st_mode);
  }

  Result<> visit_file(const Directory& directory, std::string key, const std::string& name) {
    const auto status = examine(directory, name);
    if (status.failed_with(ErrorCode::kNotFound)) return {};
    VARVE_TRY(status);
    if (!S_ISREG(status->st_mode)) return {};
    objects_.push_back({.key = std::move(key),
                        .size = static_cast<uint64_t>(status->st_size),
                        .last_modified = modification_time(*status)});
    return {};
  }

  const std::string_view prefix_;
  const std::string_view after_;
  const size_t limit_;
  const std::function<Result<>()>& check_;
  std::vector<ObjectInfo> objects_;
};

}  // namespace

Result<std::vector<ObjectInfo>> list_objects(const Directory& root, std::string_view prefix,
                                             std::string_view after, size_t limit,
                                             const std::function<Result<>()>& check) {
  Walk walk(prefix, after, limit, check);
  VARVE_TRY(walk.visit(root, ""));
  return std::move(walk).take();
}

}  // namespace varve::local_fs
