#include "remote_storage/s3/http.h"

#include <algorithm>

namespace varve::s3 {

std::optional<std::string_view> find_header(const Headers& headers, std::string_view name) {
  const auto found = std::ranges::find(headers, name, &Headers::value_type::first);
  if (found == headers.end()) return std::nullopt;
  return found->second;
}

}  // namespace varve::s3
