// The `varve` command: parsing and printing only.
//
// Exit codes: 0 done, 1 failed, 2 wrong usage. Results go to stdout, everything else to stderr.
#include <fmt/format.h>
#include <malloc.h>

#include <exception>
#include <iostream>

#include "base/logging.h"
#include "cli/commands.h"
#include "cli/interrupt.h"

namespace varve {
namespace {

constexpr int kFailed = 1;
constexpr int kWrongUsage = 2;

int run(int argc, char** argv) {
  InterruptHandler interrupts;
  CommonOptions common;
  common.stop = interrupts.token();
  Action action;

  CLI::App app("Varve backs up PostgreSQL clusters to object storage and gives them back", "varve");
  app.set_version_flag("--version", std::string("varve ") + VARVE_VERSION);
  app.require_subcommand(1);
  const Command root{&app, &common, &action};
  add_init_command(root);
  add_serve_command(root);
  add_tenant_commands(root);
  add_timeline_commands(root);
  add_protection_commands(root);
  add_restore_command(root);
  add_status_commands(root);
  add_remote_commands(root);
  add_layer_commands(root);

  Result<> result;
  try {
    app.parse(argc, argv);
    result = set_up_logging(common.overrides.log_level.value_or(Settings{}.log_level));
    if (result.ok()) result = action();
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error, std::cout, std::cerr);
    return code == 0 ? 0 : kWrongUsage;
  }
  if (result.ok()) return 0;
  fmt::print(stderr, "varve: {} ({})\n", result.error().message(), name(result.code()));
  return kFailed;
}

// Frames, parts and batches of about a MiB come and go all the time. By default glibc gives such
// memory back at once, and the kernel then has to clear it anew each time: see mallopt(3).
void keep_freed_memory() {
  constexpr int kLargestInHeap = 8 << 20;
  constexpr int kKeptOfHeap = 16 << 20;  // Of each arena.
  mallopt(M_MMAP_THRESHOLD, kLargestInHeap);
  mallopt(M_TRIM_THRESHOLD, kKeptOfHeap);
}

}  // namespace
}  // namespace varve

int main(int argc, char** argv) {
  varve::keep_freed_memory();
  try {
    return varve::run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "varve: {} (Internal)\n", error.what());
    return varve::kFailed;
  }
}
