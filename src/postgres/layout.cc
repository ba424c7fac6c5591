#include "postgres/layout.h"

#include <fmt/format.h>

#include <algorithm>

#include "postgres/relation_file_name.h"

namespace varve {

std::string_view name(RelationFork fork) {
  switch (fork) {
    case RelationFork::kMain:
      return "main";
    case RelationFork::kFreeSpaceMap:
      return "fsm";
    case RelationFork::kVisibilityMap:
      return "vm";
    case RelationFork::kInit:
      return "init";
  }
  return "unknown";
}

std::string DatabaseTag::path() const {
  if (tablespace == kGlobalTablespace) return "global";
  if (tablespace == kDefaultTablespace) return fmt::format("base/{}", database);
  return fmt::format("pg_tblspc/{}/{}/{}", tablespace, kTablespaceVersionDirectory, database);
}

std::optional<DatabaseTag> DatabaseTag::of_path(std::string_view path) {
  const auto next = [&path] {
    const std::string_view name = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(path.size(), name.size() + 1));
    return name;
  };
  const std::string_view top = next();
  if (top == "global") return DatabaseTag{kGlobalTablespace, 0};
  std::optional<uint32_t> tablespace;
  if (top == "base") tablespace = kDefaultTablespace;
  if (top == "pg_tblspc") {
    tablespace = parse_oid(next());
    if (next() != kTablespaceVersionDirectory) return {};
  }
  const std::optional<uint32_t> database = parse_oid(next());
  if (!tablespace || !database) return {};
  return DatabaseTag{*tablespace, *database};
}

std::string RelationForkTag::path(uint32_t segment) const {
  const RelationFileName file{
      .relation = relation.relation, .fork = fork, .segment = segment, .backend = {}};
  return relation.directory.path() + "/" + file.to_string();
}

std::string RelationForkTag::to_string() const {
  return fmt::format("relation {}/{}/{} {}", relation.directory.tablespace,
                     relation.directory.database, relation.relation, name(fork));
}

}  // namespace varve
