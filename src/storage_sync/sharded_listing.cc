#include "storage_sync/sharded_listing.h"

#include <algorithm>
#include <iterator>
#include <optional>

#include "runtime/parallel.h"
#include "storage_sync/object_name.h"

namespace varve {
namespace {

constexpr int kPagesInTurn = 3;
constexpr size_t kListsAtOnce = 8;
constexpr std::string_view kHexDigits = "0123456789abcdef";

// Above `after`, up to and including `last`; none: to the end of the prefix.
struct Shard {
  std::string after;
  std::optional<std::string> last;
};

Result<std::vector<ObjectInfo>> list_shard(RemoteStorage& storage, std::string_view prefix,
                                           const Shard& shard, const CallOptions& options) {
  std::vector<ObjectInfo> objects;
  std::string after = shard.after;
  do {
    VARVE_ASSIGN(ListPage page, storage.list(prefix, after, options));
    for (ObjectInfo& object : page.objects) {
      if (shard.last && object.key > *shard.last) return objects;
      objects.push_back(std::move(object));
    }
    after = std::move(page.continuation);
  } while (!after.empty() && (!shard.last || after < *shard.last));
  return objects;
}

}  // namespace

std::vector<std::string> listing_borders(std::string_view prefix, std::string_view last) {
  std::vector<std::string> groups{std::string(kTenantsPrefix)};
  if (const auto name = ObjectName::parse(last); name.ok()) {
    // The tenant in which the listing has arrived may have many timelines.
    groups.push_back(timelines_prefix(name->log.tenant));
  }
  std::vector<std::string> borders;
  for (const std::string& group : groups) {
    for (const char digit : kHexDigits) {
      std::string border = group + digit;
      if (border.starts_with(prefix) && border > last) borders.push_back(std::move(border));
    }
  }
  std::ranges::sort(borders);
  return borders;
}

Result<ShardedListing> list_in_shards(RemoteStorage& storage, std::string_view prefix,
                                      const CallOptions& options) {
  ShardedListing listing;
  std::string after;
  for (int i = 0; i < kPagesInTurn; ++i) {
    VARVE_ASSIGN(ListPage page, storage.list(prefix, after, options));
    if (i == 0) listing.storage_time = page.storage_time;
    std::ranges::move(page.objects, std::back_inserter(listing.objects));
    after = std::move(page.continuation);
    if (after.empty()) return listing;
  }

  std::vector<Shard> shards{{.after = after, .last = {}}};
  for (std::string& border : listing_borders(prefix, after)) {
    shards.back().last = border;
    shards.push_back({.after = std::move(border), .last = {}});
  }
  std::vector<std::vector<ObjectInfo>> parts(shards.size());
  VARVE_TRY(run_parallel(shards.size(), kListsAtOnce, options,
                         [&](size_t i, const CallOptions& call) -> Result<> {
                           VARVE_ASSIGN(parts[i], list_shard(storage, prefix, shards[i], call));
                           return {};
                         }));
  for (auto& part : parts) std::ranges::move(part, std::back_inserter(listing.objects));
  return listing;
}

}  // namespace varve
