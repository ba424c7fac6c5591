#include "timeline/known_images.h"

namespace varve {

std::optional<KnownImage> KnownImages::find(const Key& key, Lsn lsn) {
  const std::lock_guard lock(mutex_);
  const auto place = places_.find(key);
  if (place == places_.end() || lsn < place->second->known.lsn) return {};
  entries_.splice(entries_.begin(), entries_, place->second);
  return place->second->known;
}

void KnownImages::put(const Key& key, const KnownImage& known) {
  const std::lock_guard lock(mutex_);
  if (const auto place = places_.find(key); place != places_.end()) {
    place->second->known = known;
    entries_.splice(entries_.begin(), entries_, place->second);
    return;
  }
  entries_.push_front({key, known});
  places_[key] = entries_.begin();
  if (entries_.size() <= kImages) return;
  places_.erase(entries_.back().key);
  entries_.pop_back();
}

}  // namespace varve
