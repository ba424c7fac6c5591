#include "redo/known_pages.h"

#include "base/hex.h"
#include "postgres/layout.h"

namespace varve {
namespace {

constexpr RelationBlockKey kBlock{
    .fork = {.relation = {.directory = {.tablespace = kDefaultTablespace, .database = 5},
                          .relation = 16384},
             .fork = RelationFork::kMain},
    .block = 0};

constexpr std::string_view kFirstRecord =
    "41000000d50200005816530100000000800a00000b3ad5ee006010007f060000050000000040000000000000"
    "ff03020002081800010000000d7661727665010000";
constexpr std::string_view kSecondRecord =
    "44000000d6020000e81a530100000000000a0000ecec80c2002013007f060000050000000040000000000000"
    "ff030200020818000200000013736564696d656e74020000";

// A page is its header with the line pointers, zeros, and its tuples.
constexpr std::string_view kFirstHeader =
    "00000000e81a5301000000001c00d81f0020042000000000d89f4400";
constexpr std::string_view kSecondHeader =
    "00000000581b5301000000002000b01f0020042000000000d89f4400b09f4a00";
constexpr std::string_view kFirstTuple =
    "d50200000000000000000000000000000100020002081800010000000d7661727665000000000000";
constexpr std::string_view kSecondTuple =
    "d602000000000000000000000000000002000200020818000200000013736564696d656e74000000";

Bytes bytes_of(std::string_view digits) {
  Bytes bytes(digits.size() / 2);
  hex_decode(digits, bytes);
  return bytes;
}

Bytes page_of(std::string_view header, const std::string& tuples) {
  Bytes page = bytes_of(header);
  const Bytes end = bytes_of(tuples);
  page.resize(kBlockSize - end.size());
  page.insert(page.end(), end.begin(), end.end());
  return page;
}

}  // namespace

KnownPages known_pages() {
  const std::string first(kFirstTuple);
  return {.key = make_key(kBlock),
          .first_end = {0x1531AE8},
          .first_record = bytes_of(kFirstRecord),
          .first_page = page_of(kFirstHeader, first),
          .second_end = {0x1531B58},
          .second_record = bytes_of(kSecondRecord),
          .second_page = page_of(kSecondHeader, std::string(kSecondTuple) + first)};
}

}  // namespace varve
