// The state of a prepared transaction: a file in pg_twophase
// (src/backend/access/transam/twophase.c).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace varve {

inline constexpr std::string_view kTwoPhaseDirectory = "pg_twophase";

// TwoPhaseFilePath: the transaction ID as eight upper-case hex digits.
std::string two_phase_file_name(uint32_t transaction);
// Exactly the names of two_phase_file_name; nothing for any other.
std::optional<uint32_t> parse_two_phase_file_name(std::string_view text);

// Checks magic, length, CRC, and that the file is of `transaction`; Corrupted when one is wrong.
Result<> check_two_phase_file(ByteView file, uint32_t transaction);

// The database of the transaction, of a file that check_two_phase_file accepts.
uint32_t two_phase_file_database(ByteView file);

}  // namespace varve
