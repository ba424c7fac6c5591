// Values in the rows that a server gives, in the text form. Corrupted when they are not what the
// command is documented to give.
#pragma once

#include <libpq-fe.h>

#include <charconv>
#include <string_view>

#include "base/lsn.h"
#include "base/result.h"

namespace varve {

// Whether the value is NULL. Corrupted when there is no such row or column.
Result<bool> is_null_field(const PGresult* result, int column, int row = 0);

// A value that must not be NULL; it is there as long as the result.
Result<std::string_view> field(const PGresult* result, int column, int row = 0);

Result<Lsn> lsn_field(const PGresult* result, int column, int row = 0);

template <typename Number>
Result<Number> number_field(const PGresult* result, int column, int row = 0) {
  VARVE_ASSIGN(const std::string_view text, field(result, column, row));
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    return make_error(ErrorCode::kCorrupted, "the server gave '{}' where a number was expected",
                      text);
  }
  return number;
}

}  // namespace varve
