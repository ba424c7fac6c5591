// The JSON that commands print: one document each. LSNs are strings as PostgreSQL prints them,
// times ISO 8601 in UTC, sizes bytes, IDs and 64-bit identifiers strings.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "follow/follower.h"
#include "ingest/time_index.h"
#include "remote_storage/request_counts.h"
#include "server/layer_report.h"
#include "server/page_server.h"
#include "server/remote_tool.h"
#include "storage_sync/verify.h"
#include "timeline/tenant_manager.h"

namespace varve {

// Keys stay in the order in which they are written, which is how people read them.
using Json = nlohmann::ordered_json;

Json to_json(const TenantInfo& tenant);
Json to_json(const TimelineInfo& timeline);
Json to_json(const TenantTimelineId& timeline,
             const PageServer::CollectedTimelineGarbage& collected);
Json to_json(const TenantId& tenant, const TimelinePin& pin);
Json to_json(const TenantTimelineId& timeline, const TimedLsn& found);
Json to_json(const TenantTimelineId& timeline, const TenantManager::FreedLayers& freed);
Json to_json(const FollowStatus& status);
Json to_json(const StatusReport& status);
Json to_json(const ListedObject& object);
Json to_json(const ShownObject& object);
Json to_json(const LayerEntry& layer);
Json to_json(const Finding& finding);
Json to_json(const VerifyReport& report);
Json to_json(const LayerReport& report);
// Totals by kind of request.
Json to_json(const RequestCounts& counts);

template <typename T>
Json to_json_array(const std::vector<T>& things) {
  Json array = Json::array();
  for (const T& thing : things) array.push_back(to_json(thing));
  return array;
}

// The stored form of request counts, by kind and outcome; unknown keys are ignored.
std::string request_counts_to_json(const RequestCounts& counts);
Result<RequestCounts> request_counts_from_json(std::string_view text);

}  // namespace varve
