// Reads one layer file.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

#include "layer/layer_file_source.h"
#include "layer/layer_name.h"
#include "layer/version_cursor.h"

namespace varve {

// Thread-safe. Every block that is read is checked against its checksum; a mismatch is Corrupted
// and names the file. An error of a source keeps its code.
class LayerReader {
 public:
  // Corrupted when the file is no layer file. What it is called does not matter: name() is what it
  // says of itself.
  static Result<LayerReader> open(const std::filesystem::path& path);
  // Of a file that is not at hand as such: only its end is read here, and the blocks that are asked
  // for later. `what` names it in errors.
  static Result<LayerReader> open(std::shared_ptr<LayerFileSource> source, std::string what);

  LayerReader(LayerReader&&) noexcept;
  LayerReader& operator=(LayerReader&&) noexcept;
  ~LayerReader();

  const LayerName& name() const;
  // Versions in the file.
  uint64_t version_count() const;

  // Receives a version; its view is valid until the call returns. An error ends the scan and
  // becomes its result.
  using VersionVisitor = std::function<Result<>(const Version&)>;
  // All versions of the keys in `range`, keys ascending, the newest version of a key first.
  Result<> scan(const KeyRange& range, const VersionVisitor& visit) const;

  // The same, one after the other, beginning with the newest one at or below `lsn` of the first
  // key. The reader must outlive it.
  Result<VersionCursorPointer> cursor(const KeyRange& range, Lsn lsn = Lsn::max()) const;

  struct FoundVersion {
    Lsn lsn;
    ValueKind kind;
    Bytes value;
  };
  // The versions of `key` at or below `lsn` that the file holds, the newest first, down to the
  // first image, or the first at or below `first`.
  Result<std::vector<FoundVersion>> find(const Key& key, Lsn lsn, Lsn first = Lsn{0}) const;

 private:
  struct State;
  class Cursor;
  static Result<LayerReader> open_table(std::unique_ptr<State> state);
  explicit LayerReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace varve
