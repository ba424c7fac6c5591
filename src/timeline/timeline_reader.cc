#include "timeline/timeline_reader.h"

#include <algorithm>

namespace varve {

Result<> TimelineReader::check_readable(Lsn lsn) const {
  const TimelineMetadata& metadata = manifest_.metadata;
  if (metadata.gc_cutoff_lsn <= lsn && lsn <= metadata.disk_consistent_lsn) return {};
  return make_error(ErrorCode::kNotFound,
                    "LSN {} is not kept by timeline {}: it can be read from {} to {}", lsn,
                    manifest_.id, metadata.gc_cutoff_lsn, metadata.disk_consistent_lsn);
}

bool TimelineReader::reads_whole(const SelectedLayer& selected) const {
  return pattern_ == ReadPattern::kEverything || selected.range == selected.layer->name.keys;
}

Result<> TimelineReader::scan(const KeyRange& range, Lsn lsn, const ImageSink& sink) {
  VARVE_TRY(check_readable(lsn));
  VARVE_ASSIGN(const auto selected, select_images(manifest_.layers, range, lsn));
  for (size_t i = 0; i < selected.size(); ++i) {
    // This one and the next.
    for (size_t ahead = i; ahead < std::min(i + 2, selected.size()); ++ahead) {
      if (reads_whole(selected[ahead])) cache_.prefetch(*selected[ahead].layer);
    }
    const Lsn image_lsn = selected[i].layer->name.lsn_start;
    const auto pass_on = [&](const Version& version) -> Result<> {
      if (version.kind != ValueKind::kImage || version.lsn != image_lsn) {
        return make_error(ErrorCode::kCorrupted, "image layer {} holds a version at {} of key {}",
                          selected[i].layer->name.to_string(), version.lsn, version.key);
      }
      return sink(version.key, version.value);
    };
    VARVE_TRY(cache_.scan(*selected[i].layer, selected[i].range, pass_on));
  }
  return {};
}

Result<Bytes> TimelineReader::get(const Key& key, Lsn lsn) {
  VARVE_TRY(check_readable(lsn));
  VARVE_ASSIGN(const auto selected, select_images(manifest_.layers, {key, key.next()}, lsn));
  if (!selected.empty()) {  // It is for Key::max() alone, which no layer holds.
    VARVE_ASSIGN(auto found, cache_.find(*selected.front().layer, key, lsn));
    if (found) return std::move(found->value);
  }
  return make_error(ErrorCode::kNotFound, "timeline {} has no key {} at {}", manifest_.id, key,
                    lsn);
}

}  // namespace varve
