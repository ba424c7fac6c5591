// What a timeline is to hold, in a plain map.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace varve::test_support {

// Every value of every key at every LSN.
class VersionModel {
 public:
  void put(uint32_t key, uint64_t lsn, const std::string& value) { values_[key][lsn] = value; }
  std::optional<std::string> get(uint32_t key, uint64_t lsn) const {
    const auto versions = values_.find(key);
    if (versions == values_.end()) return std::nullopt;
    const auto after = versions->second.upper_bound(lsn);
    if (after == versions->second.begin()) return std::nullopt;
    return std::prev(after)->second;
  }
  void forget_after(uint64_t lsn) {
    for (auto& [key, versions] : values_) versions.erase(versions.upper_bound(lsn), versions.end());
  }

 private:
  std::map<uint32_t, std::map<uint64_t, std::string>> values_;
};

}  // namespace varve::test_support
