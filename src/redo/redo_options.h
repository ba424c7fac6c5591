// How redo processes are run: settings, and what they report to.
#pragma once

#include <filesystem>
#include <string>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/random.h"
#include "runtime/backoff.h"

namespace varve {

// How one redo process is started.
struct RedoProcessOptions {
  // Where `postgres` of PostgreSQL 15 is; `pg_config --bindir` tells.
  std::filesystem::path postgres_directory = "/usr/lib/postgresql/15/bin";
  // The extension, varve_redo.so.
  std::filesystem::path library;
  // Whom the process runs as when this one runs as root, which PostgreSQL refuses. Otherwise it
  // runs as the same user, and this is not looked at.
  std::string user = "postgres";
  // Each process gets a directory of some kilobytes in there, if `user` can reach it; otherwise,
  // and when this is empty, in the system's directory for temporary files. Made when it is needed.
  std::filesystem::path scratch_parent = {};
  // Every system call but the few of redo kills the process. Off only to debug it.
  bool restrict_system_calls = true;
  // Until a started process answers.
  Duration start_deadline = std::chrono::seconds(20);
};

struct RedoProcessPoolOptions {
  RedoProcessOptions process;
  // At most so many at once; they are started when needed, one at the beginning.
  size_t processes = 2;
  // For each page, however many records it takes; the process is killed after it.
  Duration deadline = std::chrono::seconds(60);
  // Between a process that broke off and the start of another.
  BackoffOptions backoff = {.initial = std::chrono::milliseconds(50),
                            .maximum = std::chrono::seconds(5)};
  // All outlive the pool; no metrics are exported without.
  Clock* clock = &system_clock();
  Random* random = &system_random();
  Metrics* metrics = nullptr;
};

}  // namespace varve
