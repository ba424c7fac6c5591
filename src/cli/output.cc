#include "cli/output.h"

#include <fmt/format.h>

#include <algorithm>

namespace varve {
namespace {

std::string cell(const Json& value) {
  if (value.is_null()) return "-";
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  return value.dump();
}

// Those of an object within are "outer.inner".
void add_fields(const Json& object, const std::string& prefix,
                std::vector<std::pair<std::string, std::string>>& fields) {
  for (const auto& [key, value] : object.items()) {
    if (value.is_object() && !value.empty()) {
      add_fields(value, prefix + key + ".", fields);
    } else {
      fields.emplace_back(prefix + key, cell(value));
    }
  }
}

}  // namespace

void print_json(const Json& json) {
  // The names of databases are in any encoding.
  fmt::print("{}\n", json.dump(-1, ' ', false, Json::error_handler_t::replace));
}

void print_table(const Json& rows, const std::vector<Column>& columns) {
  std::vector<size_t> widths;
  for (const Column& column : columns) {
    size_t width = column.title.size();
    for (const Json& row : rows) width = std::max(width, cell(row.at(column.key)).size());
    widths.push_back(width);
  }
  const auto print_row = [&](const auto& text_of) {
    std::string line;
    for (size_t i = 0; i < columns.size(); ++i) {
      line += fmt::format("{:<{}}  ", text_of(columns[i]), widths[i]);
    }
    fmt::print("{}\n", line.substr(0, line.find_last_not_of(' ') + 1));
  };
  print_row([](const Column& column) { return column.title; });
  for (const Json& row : rows) {
    print_row([&](const Column& column) { return cell(row.at(column.key)); });
  }
}

void print_fields(const Json& object) {
  std::vector<std::pair<std::string, std::string>> fields;
  add_fields(object, "", fields);
  size_t width = 0;
  for (const auto& [key, value] : fields) width = std::max(width, key.size());
  for (const auto& [key, value] : fields) fmt::print("{:<{}}  {}\n", key + ":", width + 1, value);
}

void print_object(const CommonOptions& common, const Json& object) {
  common.json ? print_json(object) : print_fields(object);
}

}  // namespace varve
