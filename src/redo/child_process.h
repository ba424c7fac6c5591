// A program that runs as a child of this process, and does not outlive it.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "fs/system_user.h"
#include "runtime/descriptor.h"

namespace varve {

struct ChildProgram {
  // The first is the path of the program.
  std::vector<std::string> arguments;
  // All that is set: "NAME=value".
  std::vector<std::string> environment;
  // Whom to run as, with no other groups; as this process when none.
  std::optional<SystemUser> user;
  // What the child has as stdin and stdout, and as stderr; no other descriptor is open in it.
  int standard_input_and_output = -1;
  int standard_error = -1;
  // Bytes of address space, so that one that goes wrong leaves the machine alone.
  uint64_t address_space = 0;
};

// Not thread-safe. Killed by the destructor, if it still runs.
class ChildProcess {
 public:
  // In a process group of its own, with no core dumps. The kernel kills it when the *thread* that
  // started it ends (PR_SET_PDEATHSIG of prctl(2)): call this on one that lives long enough.
  // NotFound or Denied when the program cannot be run.
  static Result<ChildProcess> start(const ChildProgram& program);

  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;
  ~ChildProcess();

  pid_t id() const { return id_; }

  // Waits that long for its end, then kills it. Says how it ended: "ended with exit code 1", "was
  // killed by signal 11 (Segmentation fault)".
  std::string end(Duration patience);

 private:
  explicit ChildProcess(pid_t id) : id_(id) {}

  pid_t id_;  // -1 once it is gone.
};

}  // namespace varve
