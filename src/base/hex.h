// Hexadecimal text of byte strings.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace varve {

// Two lower-case digits a byte.
std::string hex_encode(std::span<const uint8_t> bytes);

// Fills `out` from exactly 2 * out.size() digits of either case; false when `text` is anything
// else.
bool hex_decode(std::string_view text, std::span<uint8_t> out);

}  // namespace varve
