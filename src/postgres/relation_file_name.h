// The names of relation files (src/common/relpath.c and storage/file/reinit.c of PostgreSQL).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "postgres/layout.h"

namespace varve {

struct RelationFileName {
  uint32_t relation = 0;
  RelationFork fork = RelationFork::kMain;
  // Segment 0 has no suffix.
  uint32_t segment = 0;
  // Set for a temporary relation: the number of the backend that owns it.
  std::optional<uint32_t> backend;

  auto operator<=>(const RelationFileName&) const = default;

  // "16384", "16384_fsm", "16384_vm.2", "t3_16384".
  std::string to_string() const;

  // Exactly the names that to_string gives; nothing for any other.
  static std::optional<RelationFileName> parse(std::string_view text);
};

// A decimal number as PostgreSQL writes OIDs into names: no sign, no leading zero, 32 bits.
std::optional<uint32_t> parse_oid(std::string_view text);

}  // namespace varve
