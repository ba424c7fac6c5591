// The remote storages on which timelines are compared with a model.
#pragma once

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "base/random.h"
#include "remote_storage/memory.h"
#include "remote_storage/retrying.h"
#include "remote_storage/url.h"

namespace varve::test_support {

enum class StorageKind {
  kMemory,
  kDirectory,
  kS3,  // The server of VARVE_TEST_S3_URL.
};

struct ModelCase {
  StorageKind storage;
  uint64_t seed;

  friend std::ostream& operator<<(std::ostream& out, const ModelCase& each) {
    return out << "seed " << each.seed;
  }
};

// Seeds from 0 on: as many as the environment variable says, or else `count`.
inline std::vector<ModelCase> model_cases(StorageKind storage, const char* variable,
                                          uint64_t count) {
  if (storage == StorageKind::kS3 && std::getenv("VARVE_TEST_S3_URL") == nullptr) return {};
  if (const char* text = std::getenv(variable)) count = std::strtoull(text, nullptr, 10);
  std::vector<ModelCase> cases;
  for (uint64_t seed = 0; seed < count; ++seed) cases.push_back({storage, seed});
  return cases;
}

// One of its own; what is in a directory lies below `parent`.
inline std::unique_ptr<RemoteStorage> make_model_storage(StorageKind kind, Clock& clock,
                                                         const std::filesystem::path& parent) {
  switch (kind) {
    case StorageKind::kMemory:
      break;
    case StorageKind::kDirectory:
      std::filesystem::create_directory(parent / "remote");
      return open_remote_storage(to_url(FileLocation{parent / "remote"})).value();
    case StorageKind::kS3: {
      auto location =
          std::get<S3Location>(parse_remote_url(std::getenv("VARVE_TEST_S3_URL")).value());
      location.prefix = fmt::format("model/{:016x}", system_random().next());
      return std::make_unique<Retrying>(open_remote_storage(to_url(location)).value(),
                                        Retrying::Options{});
    }
  }
  return std::make_unique<MemoryStorage>(clock);
}

}  // namespace varve::test_support
