// What tests of redo run: the machine's PostgreSQL, on the extension of this build.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/types.h>

#include <charconv>
#include <fstream>
#include <set>
#include <string>

#include "fs/directory.h"
#include "postgres/stored_record.h"
#include "redo/known_pages.h"
#include "redo/redo_process_pool.h"

namespace varve {

inline RedoProcessOptions test_process_options() {
  const char* const directory = std::getenv("VARVE_PG_BINDIR");
  RedoProcessOptions options{.library = VARVE_REDO_LIBRARY};
  if (directory != nullptr) options.postgres_directory = directory;
  return options;
}

// The processes that this one is the parent of. Threads of it may not start others meanwhile.
inline std::set<pid_t> child_processes() {
  std::set<pid_t> children;
  const auto threads = list_directory("/proc/self/task");
  for (const DirectoryEntry& thread : *threads) {
    std::ifstream file("/proc/self/task/" + thread.name + "/children");
    pid_t child = 0;
    while (file >> child) children.insert(child);
  }
  return children;
}

// What /proc/PID/status says of `name`.
inline std::string process_status(pid_t process, std::string_view name) {
  std::ifstream file("/proc/" + std::to_string(process) + "/status");
  std::string line;
  while (std::getline(file, line)) {
    if (line.starts_with(std::string(name) + ":\t")) return line.substr(name.size() + 2);
  }
  return "";
}

// One page, whose records are kept.
class PageCase {
 public:
  explicit PageCase(const Key& key, Bytes base = {}) : key_(key), base_(std::move(base)) {}

  PageCase&& add(Lsn end, ByteView record) && {
    add(end, record);
    return std::move(*this);
  }
  void add(Lsn end, ByteView record) & { add_value(end, StoredRecord{.bytes = record}.encode()); }
  // Of a version.
  void add_value(Lsn end, Bytes value) & {
    bytes_.push_back(std::make_unique<Bytes>(std::move(value)));
    records_.push_back(
        {.key = key_, .lsn = end, .kind = ValueKind::kRecord, .value = *bytes_.back()});
  }

  RedoRequest request() const { return {.key = key_, .base = base_, .records = records_}; }
  Result<Bytes> apply(Redo& redo) const { return redo.apply(key_, base_, records_); }

 private:
  Key key_;
  Bytes base_;
  std::vector<std::unique_ptr<Bytes>> bytes_;
  std::vector<Version> records_;
};

// The known page after its second record, from the page before.
inline PageCase known_case() {
  const KnownPages known = known_pages();
  return PageCase(known.key, known.first_page).add(known.second_end, known.second_record);
}

}  // namespace varve
