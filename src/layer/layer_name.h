// The names of layer files, and their parser: the only place that knows them.
//
//   image  <start key>-<end key>__<LSN>.sst                 every key of the range that exists at
//   the LSN delta  <start key>-<end key>__<start LSN>-<end LSN>.sst the changes of the range in
//   [start LSN, end LSN)
//
// Keys are 36 and LSNs 16 lower-case hex digits; ranges include their start and exclude their end.
// docs/formats/layer-file.md describes the content.
#pragma once

#include <compare>
#include <string>
#include <string_view>

#include "base/lsn.h"
#include "base/result.h"
#include "layer/key.h"

namespace varve {

struct LayerName {
  KeyRange keys;
  // An image holds versions of exactly lsn_start, and lsn_end == lsn_start + 1.
  Lsn lsn_start;
  Lsn lsn_end;
  bool is_image = true;

  auto operator<=>(const LayerName&) const = default;

  static LayerName image(const KeyRange& keys, Lsn lsn) {
    return {keys, lsn, Lsn{lsn.value + 1}, true};
  }
  static LayerName delta(const KeyRange& keys, Lsn start, Lsn end) {
    return {keys, start, end, false};
  }

  std::string to_string() const;
  // Exactly what to_string gives for non-empty ranges; InvalidArgument otherwise.
  static Result<LayerName> parse(std::string_view text);
};

}  // namespace varve
