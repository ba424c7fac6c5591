// A log sequence number: a byte position in the WAL of a PostgreSQL cluster.
#pragma once

#include <fmt/format.h>

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace varve {

// 0 is PostgreSQL's InvalidXLogRecPtr: no WAL position at all.
struct Lsn {
  uint64_t value = 0;

  constexpr bool valid() const { return value != 0; }
  constexpr auto operator<=>(const Lsn&) const = default;

  // As PostgreSQL prints it (%X/%X): 0/16B9188.
  std::string to_string() const;

  // The inverse of to_string; leading zeros and lower case are accepted, as pg_lsn does.
  static Result<Lsn> parse(std::string_view text);

  static constexpr Lsn max() { return {UINT64_MAX}; }
};

}  // namespace varve

template <>
struct fmt::formatter<varve::Lsn> : fmt::formatter<std::string> {
  auto format(varve::Lsn lsn, fmt::format_context& ctx) const {
    return fmt::formatter<std::string>::format(lsn.to_string(), ctx);
  }
};
