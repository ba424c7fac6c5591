// Permissions in tests that may run as root, for whom they do not count.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

namespace varve {

// While it lives, a process of root has the rights of an ordinary user that owns nothing.
class Unprivileged {
 public:
  Unprivileged() {
    constexpr uid_t kNobody = 65534;
    if (is_root_) {
      EXPECT_EQ(seteuid(kNobody), 0);
    }
  }
  ~Unprivileged() {
    if (is_root_) {
      EXPECT_EQ(seteuid(0), 0);
    }
  }
  Unprivileged(const Unprivileged&) = delete;
  Unprivileged& operator=(const Unprivileged&) = delete;

 private:
  const bool is_root_ = geteuid() == 0;
};

}  // namespace varve
