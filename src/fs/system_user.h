// Users of this machine, to whom files and processes can be given.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/result.h"

namespace varve {

struct SystemUser {
  uid_t user = 0;
  gid_t group = 0;  // The first of the user's groups.
};

// NotFound when the machine has no user of that name.
Result<SystemUser> find_system_user(const std::string& name);

}  // namespace varve
