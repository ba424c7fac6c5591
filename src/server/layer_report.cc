#include "server/layer_report.h"

#include <fcntl.h>

#include "fs/directory.h"
#include "fs/file.h"
#include "layer/layer_reader.h"
#include "postgres/key_space.h"

namespace varve {
namespace {

// What a version is told under: the blocks of a fork, the pages of an SLRU and small facts of one
// kind are many, and are told as one.
std::string group_of(const Key& key) {
  const auto fields = parse_key(key);
  if (!fields.ok()) return describe(key);
  if (const auto* block = std::get_if<RelationBlockKey>(&*fields)) {
    return block->fork.to_string() + " blocks";
  }
  if (const auto* page = std::get_if<SlruBlockKey>(&*fields)) {
    return fmt::format("{} pages", directory(page->slru));
  }
  if (std::holds_alternative<RelationSizeKey>(*fields)) return "relation sizes";
  if (std::holds_alternative<SlruSegmentSizeKey>(*fields)) return "SLRU segment sizes";
  if (std::holds_alternative<AuxiliaryFileKey>(*fields)) return "auxiliary files";
  return describe(key);
}

}  // namespace

Result<LayerReport> report_layer(const std::filesystem::path& path) {
  LayerReport report;
  VARVE_ASSIGN(const File file, File::open(path, O_RDONLY));
  VARVE_ASSIGN(report.file_size, file.size());
  VARVE_ASSIGN(const LayerReader reader, LayerReader::open(path));
  report.name = reader.name();
  report.versions = reader.version_count();
  VARVE_TRY(reader.scan(KeyRange::all(), [&](const Version& version) -> Result<> {
    std::string what = group_of(version.key);
    if (report.groups.empty() || report.groups.back().what != what) {
      report.groups.push_back({.what = std::move(what)});
    }
    ++report.groups.back().versions;
    report.groups.back().value_bytes += version.value.size();
    report.value_bytes += version.value.size();
    return {};
  }));
  return report;
}

}  // namespace varve
