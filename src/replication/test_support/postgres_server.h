// Real PostgreSQL 15 servers for tests: on a Unix socket in a temporary directory, and nowhere
// else.
//
// PostgreSQL refuses to run as root: as root, its programs run as the user `postgres`.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <libpq-fe.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "fs/temporary_directory.h"
#include "redo/child_process.h"
#include "replication/libpq_connection.h"

namespace varve {

inline std::filesystem::path postgres_program(std::string_view name) {
  const char* const directory = std::getenv("VARVE_PG_BINDIR");
  return std::filesystem::path(directory != nullptr ? directory : "/usr/lib/postgresql/15/bin") /
         name;
}

inline std::optional<SystemUser> postgres_user() {
  if (::geteuid() != 0) return std::nullopt;
  return *find_system_user("postgres");
}

// Everything below belongs to whom the servers run as.
inline void give_to_postgres(const std::filesystem::path& path) {
  const auto user = postgres_user();
  if (!user) return;
  const auto give = [&](const std::filesystem::path& entry) {
    ASSERT_EQ(::lchown(entry.c_str(), user->user, user->group), 0) << entry;
  };
  give(path);
  if (!std::filesystem::is_directory(path)) return;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) give(entry.path());
}

// A program of PostgreSQL, and what it prints on either stream.
class PostgresProgram {
 public:
  PostgresProgram(std::string_view name, std::vector<std::string> arguments) {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    output_ = Descriptor(ends[0]);
    const Descriptor write_end(ends[1]);
    arguments.insert(arguments.begin(), postgres_program(name).string());
    auto child = ChildProcess::start({.arguments = std::move(arguments),
                                      .environment = {"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"},
                                      .user = postgres_user(),
                                      .standard_input_and_output = write_end.get(),
                                      .standard_error = write_end.get()});
    if (!child.ok()) {
      ADD_FAILURE() << child.error().message();
      return;
    }
    child_.emplace(std::move(*child));
  }

  pid_t id() const { return child_->id(); }
  const std::string& printed() const { return printed_; }

  // Until it has printed `text`. False when it ended before.
  bool wait_for(std::string_view text) {
    while (printed_.find(text) == std::string::npos) {
      if (!read_more()) return false;
    }
    return true;
  }
  // Keeps it from waiting for a reader, from now on.
  void drain() {
    drainer_ = std::jthread([this] {
      while (read_more()) {
      }
    });
  }
  // Until it has ended by itself; says how.
  std::string end() {
    if (drainer_.joinable()) {
      drainer_.join();
    } else {
      while (read_more()) {
      }
    }
    return child_->end(std::chrono::seconds(60));
  }

 private:
  bool read_more() {
    std::array<char, 4096> buffer{};
    ssize_t count = 0;
    do {
      count = ::read(output_.get(), buffer.data(), buffer.size());
    } while (count < 0 && errno == EINTR);
    if (count <= 0) return false;
    printed_.append(buffer.data(), static_cast<size_t>(count));
    return true;
  }

  Descriptor output_;
  std::optional<ChildProcess> child_;
  std::string printed_;
  std::jthread drainer_;
};

// A connection for SQL.
class SqlConnection {
 public:
  explicit SqlConnection(const std::string& connection_string)
      : connection_(PQconnectdb(connection_string.c_str())) {
    EXPECT_EQ(PQstatus(connection_.get()), CONNECTION_OK) << PQerrorMessage(connection_.get());
  }

  // The first value of the last result, or nothing.
  std::string run(const std::string& sql) {
    const QueryResult result(PQexec(connection_.get(), sql.c_str()));
    const ExecStatusType status = PQresultStatus(result.get());
    EXPECT_TRUE(status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
        << sql << ": " << PQresultErrorMessage(result.get());
    return PQntuples(result.get()) > 0 ? PQgetvalue(result.get(), 0, 0) : "";
  }

 private:
  std::unique_ptr<PGconn, LibpqDeleter> connection_;
};

// A data directory, and the server on it while it runs.
class PostgresServer {
 public:
  // A new cluster of superuser `postgres`, not started; its WAL segments have 1 MiB.
  PostgresServer() : PostgresServer(template_cluster().path() / "data") {}
  // A copy of that data directory.
  explicit PostgresServer(const std::filesystem::path& source) {
    EXPECT_EQ(::chmod(folder_.path().c_str(), 0755), 0);
    std::filesystem::create_directory(sockets());
    std::filesystem::copy(
        source, data(),
        std::filesystem::copy_options::recursive | std::filesystem::copy_options::copy_symlinks);
    std::filesystem::permissions(data(), std::filesystem::perms::owner_all);
    give_to_postgres(data());
    give_to_postgres(sockets());
  }
  ~PostgresServer() {
    if (program_) end(SIGQUIT);
  }
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;

  std::filesystem::path data() const { return folder_ / "data"; }
  std::filesystem::path sockets() const { return folder_ / "sockets"; }
  const TemporaryDirectory& folder() const { return folder_; }

  void configure(const std::string& line) {
    std::ofstream(data() / "postgresql.auto.conf", std::ios::app) << line << "\n";
  }
  // Puts a line in front of pg_hba.conf.
  void set_access(const std::string& lines) {
    std::ofstream(data() / "pg_hba.conf") << lines << "\nlocal all,replication postgres trust\n";
  }

  void start() {
    program_.emplace("postgres",
                     std::vector<std::string>{"-D", data().string(), "-k", sockets().string()});
    ASSERT_TRUE(program_->wait_for("ready to accept")) << program_->printed();
    program_->drain();
  }
  // SIGINT: fast shutdown; SIGQUIT: without a checkpoint.
  void signal(int number) { ASSERT_EQ(::kill(program_->id(), number), 0); }
  // Waits until it has ended.
  void end(int number) {
    signal(number);
    program_->end();
    program_.reset();
  }

  std::string connection_string(std::string_view user = "postgres") const {
    return fmt::format("host={} port=5432 user={} dbname=postgres", sockets().string(), user);
  }
  SqlConnection sql() const { return SqlConnection(connection_string()); }

 private:
  // Made once by initdb, which takes longer than to copy it.
  static const TemporaryDirectory& template_cluster() {
    static const TemporaryDirectory folder = [] {
      auto made = *TemporaryDirectory::create("varve-test-");
      EXPECT_EQ(::chmod(made.path().c_str(), 0755), 0);
      std::filesystem::create_directory(made / "data");
      give_to_postgres(made / "data");
      PostgresProgram initdb(
          "initdb", {"-D", (made / "data").string(), "-U", "postgres", "-A", "trust", "-k", "-N",
                     "--wal-segsize=1", "--no-instructions", "--locale=C.UTF-8"});
      EXPECT_EQ(initdb.end(), "ended with exit code 0") << initdb.printed();
      std::ofstream(made / "data/postgresql.auto.conf") << "listen_addresses = ''\n"
                                                           "fsync = off\n"
                                                           "autovacuum = off\n"
                                                           "shared_buffers = 16MB\n"
                                                           "max_connections = 20\n"
                                                           "wal_keep_size = 64\n"
                                                           "lc_messages = C\n";
      return made;
    }();
    return folder;
  }

  TemporaryDirectory folder_ = *TemporaryDirectory::create("varve-test-");
  std::optional<PostgresProgram> program_;
};

}  // namespace varve
