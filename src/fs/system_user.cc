#include "fs/system_user.h"

#include <pwd.h>

#include <array>

namespace varve {

Result<SystemUser> find_system_user(const std::string& name) {
  std::array<char, 16384> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  const int reason = ::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (reason != 0) return system_error(reason, fmt::format("cannot look up the user {}", name));
  if (found == nullptr) {
    return make_error(ErrorCode::kNotFound, "this machine has no user {}", name);
  }
  return SystemUser{.user = entry.pw_uid, .group = entry.pw_gid};
}

}  // namespace varve
