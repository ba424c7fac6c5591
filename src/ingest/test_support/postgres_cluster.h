// A real PostgreSQL 15 for tests: made, started, asked and stopped. Servers listen on a socket in a
// directory of their own, and on no network. As root, everything runs as the user postgres.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "fs/system_user.h"
#include "fs/temporary_directory.h"
#include "ingest/test_support/files.h"

namespace varve {

struct CommandResult {
  int exit_code = -1;
  std::string output;  // Both stdout and stderr.
};

// Runs a program of PostgreSQL and waits for it.
inline CommandResult run_postgres_program(const std::string& program,
                                          const std::vector<std::string>& arguments) {
  const char* directory = std::getenv("VARVE_PG_BINDIR");
  std::string command = geteuid() == 0 ? "exec runuser -u postgres -- '" : "exec '";
  command += (directory != nullptr ? directory : "/usr/lib/postgresql/15/bin");
  command += "/" + program + "'";
  for (const std::string& argument : arguments) {
    command += " '";
    for (const char c : argument) command += c == '\'' ? std::string("'\\''") : std::string(1, c);
    command += "'";
  }
  command += " 2>&1 </dev/null";
  CommandResult result;
  FILE* pipe = popen(("cd / && " + command).c_str(), "r");
  if (pipe == nullptr) return result;
  std::array<char, 4096> piece{};
  for (size_t count = 0; (count = fread(piece.data(), 1, piece.size(), pipe)) > 0;) {
    result.output.append(piece.data(), count);
  }
  const int status = pclose(pipe);
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return result;
}

// A temporary directory that the user of the servers may enter and write to.
class ClusterSpace {
 public:
  ClusterSpace() { give_away(path()); }
  const std::filesystem::path& path() const { return directory_.path(); }
  std::filesystem::path operator/(std::string_view name) const { return path() / name; }

  bool make_directory(std::string_view name) const {
    return std::filesystem::create_directory(*this / name) && give_away(*this / name);
  }

 private:
  static bool give_away(const std::filesystem::path& path) {
    if (geteuid() != 0) return true;
    const auto owner = find_system_user("postgres");
    if (owner.ok() && chown(path.c_str(), owner->user, owner->group) == 0) return true;
    ADD_FAILURE() << "cannot give " << path << " to the user postgres";
    return false;
  }

  TemporaryDirectory directory_ = *TemporaryDirectory::create("varve-pg-");
};

// A data directory and the server that may run on it; stopped by the destructor.
class PostgresCluster {
 public:
  // `space` must outlive the cluster. Log and socket directory are made beside the data directory.
  PostgresCluster(const ClusterSpace& space, std::string_view name)
      : data_(space / name),
        log_(space / (std::string(name) + ".log")),
        sockets_(space.path().string()) {}
  ~PostgresCluster() {
    if (running_) stop();
  }

  const std::filesystem::path& data() const { return data_; }

  // initdb; false when it failed.
  bool initialise(const std::vector<std::string>& options = {}) {
    std::vector<std::string> arguments = {"-N", "-A",   "trust",      "-U", "postgres",
                                          "-E", "UTF8", "--locale=C", "-D", data_.string()};
    arguments.insert(arguments.end(), options.begin(), options.end());
    return succeeded(run_postgres_program("initdb", arguments));
  }

  void configure(std::string_view lines) const {
    std::ofstream(data_ / "postgresql.conf", std::ios::app) << lines << "\n";
  }

  bool start() {
    // The socket's name must differ between the servers of a test, so the port does.
    port_ = std::to_string(1024 + std::hash<std::string>{}(data_.string()) % 60000);
    const auto result = run_postgres_program(
        "pg_ctl", {"-w", "-D", data_.string(), "-l", log_.string(), "-o",
                   "-p " + port_ + " -k " + sockets_ + " -c listen_addresses=", "start"});
    running_ = result.exit_code == 0;
    EXPECT_TRUE(running_) << result.output << log();
    return running_;
  }

  bool stop() {
    running_ = false;
    return succeeded(
        run_postgres_program("pg_ctl", {"-w", "-D", data_.string(), "-m", "fast", "stop"}));
  }

  // The unadorned answer to the last statement; failures fail the test.
  std::string ask(const std::string& database, const std::vector<std::string>& statements) const {
    std::vector<std::string> arguments = connection();
    arguments.insert(arguments.end(), {"-XqAt", "-v", "ON_ERROR_STOP=1", "-d", database});
    for (const std::string& statement : statements) {
      arguments.insert(arguments.end(), {"-c", statement});
    }
    auto result = run_postgres_program("psql", arguments);
    EXPECT_EQ(result.exit_code, 0) << result.output;
    while (result.output.ends_with('\n')) result.output.pop_back();
    return result.output;
  }

  std::vector<std::string> connection() const {
    return {"-h", sockets_, "-p", port_, "-U", "postgres"};
  }

  std::string log() const { return read_test_file(log_); }

 private:
  static bool succeeded(const CommandResult& result) {
    EXPECT_EQ(result.exit_code, 0) << result.output;
    return result.exit_code == 0;
  }

  std::filesystem::path data_;
  std::filesystem::path log_;
  std::string sockets_;
  std::string port_;
  bool running_ = false;
};

}  // namespace varve
