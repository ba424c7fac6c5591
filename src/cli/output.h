// Results on stdout: one JSON document, or text for people.
#pragma once

#include <string>
#include <vector>

#include "cli/options.h"
#include "server/json.h"

namespace varve {

// One line and nothing else.
void print_json(const Json& json);

// A table whose columns are the keys of `columns`; each row is one object.
struct Column {
  std::string title;
  std::string key;
};
void print_table(const Json& rows, const std::vector<Column>& columns);

// "key: value" a line; nested things as compact JSON.
void print_fields(const Json& object);

// One object, as JSON where --json was given.
void print_object(const CommonOptions& common, const Json& object);

}  // namespace varve
