// Writes the auxiliary files of a restored cluster: configuration made harmless, everything else as
// it was stored; nothing in the directories of databases that are not restored.
#pragma once

#include <optional>

#include "ingest/configuration.h"
#include "ingest/database_selection.h"
#include "ingest/target_directory.h"
#include "postgres/control_file.h"
#include "postgres/key_space.h"
#include "postgres/stored_values.h"

namespace varve {

enum class Configuration : uint8_t {
  kHarmless,
  // As it was at the source, but for data_directory.
  kAsStored,
};

// Not thread-safe.
class AuxiliaryFileRestorer {
 public:
  // `target` and `databases` must outlive the restorer.
  AuxiliaryFileRestorer(TargetDirectory& target, const DatabaseSelection& databases,
                        Configuration configuration)
      : target_(target), databases_(databases), configuration_(configuration) {}

  // The values of all auxiliary files, in key order. Corrupted when a chunk is missing or damaged.
  Result<> add(const AuxiliaryFileKey& key, ByteView image);

  // Completes the last file, and writes those configuration files without which no server starts
  // and which were not stored.
  Result<> finish(const ServerSettings& settings);

 private:
  // A file whose chunks are coming in.
  struct OpenFile {
    uint64_t path_hash = 0;
    AuxiliaryFileHeader header;
    uint32_t next_chunk = 0;
    uint64_t left = 0;
    // Where the chunks go: to the file, or together in memory to be edited, or nowhere.
    std::optional<File> file;
    std::optional<std::string> text;
  };

  bool is_left_out(std::string_view path) const;
  Result<> begin(const AuxiliaryFileKey& key, AuxiliaryFileHeader header);
  Result<> complete();
  Result<> write_if_missing(const std::string& path, std::string_view content);

  TargetDirectory& target_;
  const DatabaseSelection& databases_;
  const Configuration configuration_;
  std::optional<OpenFile> open_;
};

}  // namespace varve
