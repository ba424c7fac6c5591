// What happened in a simulation, one line an event, and the first promise that was broken.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include "base/checksum.h"
#include "base/ids.h"
#include "storage_sync/object_name.h"

namespace varve::simulation {

// "T1", "T1/4": the simulation numbers its tenants and timelines in the last byte of their IDs.
inline std::string short_name(const TenantId& tenant) {
  return fmt::format("T{}", tenant.bytes.back());
}
inline std::string short_name(const TenantTimelineId& id) {
  return fmt::format("{}/{}", short_name(id.tenant), id.timeline.bytes.back());
}
// "T1:3" for number 3 of a tenant's log, "T1/4:3" for one of a timeline's; packs by their part,
// logs by themselves.
inline std::string short_name(std::string_view key) {
  const auto object = ObjectName::parse(key);
  if (!object.ok()) return key.size() < 20 ? std::string(key) : "a prefix";
  const std::string log = object->log.is_tenant_log()
                              ? short_name(object->log.tenant)
                              : short_name({object->log.tenant, object->log.timeline});
  return object->kind == ObjectKind::kPack ? fmt::format("{} pack {}", log, object->part)
                                           : fmt::format("{}:{}", log, object->sequence);
}

// Not thread-safe, but for ended().
class Story {
 public:
  // Prints every event as it happens, for looking at one seed.
  explicit Story(bool aloud) : aloud_(aloud) {}

  template <typename... Args>
  void tell(fmt::format_string<Args...> format, Args&&... args) {
    if (ended_) return;
    std::string line = fmt::format("{:5} {:{}}{}", ++events_, "", 2 * depth_,
                                   fmt::format(format, std::forward<Args>(args)...));
    digest_ = checksum64(as_bytes(fmt::format("{} {}", digest_, line)));
    if (aloud_) fmt::print("{}\n", line);
    last_.push_back(std::move(line));
    if (last_.size() > kKept) last_.pop_front();
  }

  // The first one counts: from then on nothing goes on.
  template <typename... Args>
  void violated(fmt::format_string<Args...> format, Args&&... args) {
    if (ended_) return;
    violation_ = fmt::format(format, std::forward<Args>(args)...);
    tell("VIOLATED: {}", *violation_);
    ended_ = true;
  }

  // Counts something that the simulations are to come upon sooner or later.
  void note(const std::string& what) { ++noted_[what]; }

  // What happens inside of something else is told indented.
  void enter() { ++depth_; }
  void leave() { --depth_; }
  int depth() const { return depth_; }

  bool ended() const { return ended_; }
  uint64_t events() const { return events_; }
  // Equal for equal stories.
  uint64_t digest() const { return digest_; }
  const std::optional<std::string>& violation() const { return violation_; }
  const std::deque<std::string>& last() const { return last_; }
  const std::map<std::string, uint64_t>& noted() const { return noted_; }

 private:
  static constexpr size_t kKept = 40;

  const bool aloud_;
  int depth_ = 0;
  uint64_t events_ = 0;
  uint64_t digest_ = 0;
  std::deque<std::string> last_;
  std::map<std::string, uint64_t> noted_;
  std::optional<std::string> violation_;
  // Read by the threads that send parts.
  std::atomic<bool> ended_{false};
};

}  // namespace varve::simulation
