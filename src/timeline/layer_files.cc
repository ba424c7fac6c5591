#include "timeline/layer_files.h"

#include <set>

#include "fs/directory.h"

namespace varve {

Result<LayerWriter> LayerFiles::create() {
  return LayerWriter::create(directory_, number_++);
}

Result<> LayerFiles::remove_unlisted(const std::vector<LayerEntry>& listed) const {
  std::set<std::string> names;
  for (const LayerEntry& layer : listed) names.insert(layer.name.to_string());
  VARVE_ASSIGN(const auto entries, list_directory(directory_));
  for (const DirectoryEntry& entry : entries) {
    const bool is_layer = LayerName::parse(entry.name).ok() && !names.contains(entry.name);
    const bool is_unfinished =
        entry.name.starts_with("layer-") && entry.name.ends_with(kTemporarySuffix);
    if (is_layer || is_unfinished) VARVE_TRY(remove_file(directory_ / entry.name));
  }
  return {};
}

Result<> LayerFiles::remove(const std::vector<LayerEntry>& layers) const {
  for (const LayerEntry& layer : layers) {
    VARVE_TRY(remove_file(directory_ / layer.name.to_string()));
  }
  return {};
}

LayerEntry local_entry(const LayerFileInfo& file) {
  return {.name = file.name, .size = file.size, .checksum = file.checksum, .stored = {}};
}

}  // namespace varve
