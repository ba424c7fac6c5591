// Turns: between tenants, and within a tenant between its timelines.
#pragma once

#include <functional>
#include <list>
#include <map>
#include <optional>

#include "base/ids.h"

namespace varve {

// A tenant with a thousand waiting timelines has the same share of the turns as one with a single
// one. Not thread-safe.
class RoundRobin {
 public:
  // `timeline` must not be waiting already. It comes after the others of its tenant; a tenant that
  // had nothing waiting comes after the other tenants.
  void add(const TenantTimelineId& timeline);
  // Nothing happens when it is not waiting.
  void remove(const TenantTimelineId& timeline);

  // The next whose turn it is among those that `may_run`; its tenant then comes last. Those that
  // may not keep their place.
  std::optional<TenantTimelineId> take(const std::function<bool(const TenantTimelineId&)>& may_run);

  size_t size() const { return size_; }

 private:
  std::list<TenantId> turns_;
  std::map<TenantId, std::list<TimelineId>> waiting_;  // Of each in turns_, and never empty.
  size_t size_ = 0;
};

}  // namespace varve
