#include "postgres/two_phase_file.h"

#include <fmt/format.h>

#include <charconv>

#include "base/checksum.h"
#include "postgres/layout.h"

namespace varve {
namespace {

// Offsets in xl_xact_prepare (src/include/access/xact.h), the header of the file.
constexpr size_t kTotalLength = 4;
constexpr size_t kTransaction = 8;
constexpr size_t kDatabase = 12;
constexpr size_t kHeaderSize = 72;
constexpr uint32_t kMagic = 0x57F94534;  // TWOPHASE_MAGIC
constexpr size_t kCrcSize = 4;           // The last bytes of the file.

}  // namespace

std::string two_phase_file_name(uint32_t transaction) {
  return fmt::format("{:08X}", transaction);
}

std::optional<uint32_t> parse_two_phase_file_name(std::string_view text) {
  uint32_t transaction = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), transaction, 16);
  if (error != std::errc{} || two_phase_file_name(transaction) != text) return {};
  return transaction;
}

Result<> check_two_phase_file(ByteView file, uint32_t transaction) {
  const auto damaged = [transaction](std::string_view why) {
    return make_error(ErrorCode::kCorrupted, "the state of prepared transaction {} is damaged: {}",
                      transaction, why);
  };
  if (file.size() < kHeaderSize + kCrcSize) return damaged("it is too short");
  if (load_little<uint32_t>(file.data()) != kMagic) return damaged("its magic number is wrong");
  const size_t checked = file.size() - kCrcSize;
  if (load_little<uint32_t>(&file[kTotalLength]) != file.size() ||
      checked != align_maximally(checked)) {
    return damaged("its length is wrong");
  }
  if (load_little<uint32_t>(&file[checked]) != crc32c(file.first(checked))) {
    return damaged("its CRC does not match");
  }
  if (load_little<uint32_t>(&file[kTransaction]) != transaction) {
    return damaged(
        fmt::format("it is that of transaction {}", load_little<uint32_t>(&file[kTransaction])));
  }
  return {};
}

uint32_t two_phase_file_database(ByteView file) {
  return load_little<uint32_t>(&file[kDatabase]);
}

}  // namespace varve
