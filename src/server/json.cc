#include "server/json.h"

namespace varve {
namespace {

constexpr char kBytesSent[] = "bytes_sent";
constexpr char kBytesReceived[] = "bytes_received";
constexpr char kOk[] = "ok";

std::string outcome_name(size_t outcome) {
  return outcome == 0 ? kOk : std::string(name(static_cast<ErrorCode>(outcome - 1)));
}

Json retired_to_json(const std::vector<RetiredObject>& retired) {
  Json json = Json::array();
  for (const RetiredObject& object : retired) {
    json.push_back({{"object", object.object}, {"superseded_by", object.superseded_by}});
  }
  return json;
}

Json stamp_to_json(const CommitStamp& stamp) {
  return {{"sequence", stamp.sequence},
          {"writer", stamp.writer.to_string()},
          {"nonce", stamp.nonce.to_string()},
          {"created_at", stamp.created_at.to_string()},
          {"writer_version", stamp.writer_version}};
}

Json text_or_null(const std::string& text) {
  return text.empty() ? Json() : Json(text);
}

template <typename AnyId>
Json id_or_null(const std::optional<AnyId>& id) {
  return id ? Json(id->to_string()) : Json();
}

void put_metadata(Json& json, const TimelineMetadata& metadata) {
  json["last_record_lsn"] = metadata.disk_consistent_lsn.to_string();
  json["disk_consistent_lsn"] = metadata.disk_consistent_lsn.to_string();
}

void put_origin(Json& json, const TimelineMetadata& metadata) {
  json["ancestor_timeline_id"] = id_or_null(metadata.ancestor);
  json["ancestor_lsn"] = metadata.ancestor ? Json(metadata.ancestor_lsn.to_string()) : Json();
  json["oldest_lsn"] = metadata.gc_cutoff_lsn.to_string();
  json["postgres_version"] = metadata.postgres_version;
  json["system_identifier"] = std::to_string(metadata.system_identifier);
}

}  // namespace

Json to_json(const TenantInfo& tenant) {
  Json json{{"tenant_id", tenant.id.to_string()},
            {"name", text_or_null(tenant.name)},
            {"created_at", tenant.created_at.to_string()},
            {"owned", tenant.owned},
            {"timelines", tenant.timeline_count}};
  if (tenant.fence) {
    json["fenced"] = {{"by_writer", tenant.fence->writer.to_string()},
                      {"at", tenant.fence->at.to_string()}};
  }
  return json;
}

Json to_json(const TenantTimelineId& timeline,
             const PageServer::CollectedTimelineGarbage& collected) {
  const CollectedGarbage& remote = collected.remote;
  return {
      {"tenant_id", timeline.tenant.to_string()},
      {"timeline_id", timeline.timeline.to_string()},
      {"oldest_lsn", collected.oldest_lsn.to_string()},
      {"deleted_layers", collected.layers},
      {"moved_layers", collected.moved.layers},
      {"moved_bytes", collected.moved.bytes},
      {"deleted_objects", remote.objects},
      {"deleted_bytes", remote.bytes},
      {"failed_objects", remote.failed.size()},
      {"failure", remote.failed.empty() ? Json() : Json(remote.failed.front().error.message())}};
}

Json to_json(const TenantId& tenant, const TimelinePin& pin) {
  return {{"tenant_id", tenant.to_string()},
          {"timeline_id", pin.timeline.to_string()},
          {"lsn", pin.lsn.to_string()},
          {"created_at", pin.created_at.to_string()}};
}

Json to_json(const TenantTimelineId& timeline, const TimedLsn& found) {
  return {{"tenant_id", timeline.tenant.to_string()},
          {"timeline_id", timeline.timeline.to_string()},
          {"lsn", found.lsn.to_string()},
          {"time", found.time.to_string()}};
}

Json to_json(const TenantTimelineId& timeline, const TenantManager::FreedLayers& freed) {
  return {{"tenant_id", timeline.tenant.to_string()},
          {"timeline_id", timeline.timeline.to_string()},
          {"freed_layers", freed.layers},
          {"freed_bytes", freed.bytes}};
}

Json to_json(const TimelineInfo& timeline) {
  Json json{{"tenant_id", timeline.id.tenant.to_string()},
            {"timeline_id", timeline.id.timeline.to_string()},
            {"name", text_or_null(timeline.name)},
            {"state", name(timeline.state)}};
  put_metadata(json, timeline.metadata);
  json["last_record_lsn"] = timeline.last_record_lsn.to_string();
  json["remote_consistent_lsn"] = timeline.remote_consistent_lsn.to_string();
  put_origin(json, timeline.metadata);
  json["created_at"] = timeline.created_at.to_string();
  json["layers"] = timeline.layer_count;
  json["layer_bytes"] = timeline.layer_bytes;
  return json;
}

Json to_json(const RequestCounts& counts) {
  Json json = Json::object();
  for (size_t i = 0; i < kOperationCount; ++i) {
    const auto operation = static_cast<Operation>(i);
    json[std::string(name(operation))] = counts.total(operation);
  }
  return json;
}

Json to_json(const FollowStatus& status) {
  const auto lsn_or_null = [](Lsn lsn) { return lsn == Lsn{} ? Json() : Json(lsn.to_string()); };
  const uint64_t behind =
      status.server_end.value - std::min(status.server_end.value, status.ingested.value);
  return {{"state", name(status.state)},
          {"peer", text_or_null(status.peer)},
          {"slot", status.slot},
          {"server_lsn", lsn_or_null(status.server_end)},
          {"received_lsn", lsn_or_null(status.received)},
          {"ingested_lsn", lsn_or_null(status.ingested)},
          {"confirmed_lsn", lsn_or_null(status.confirmed)},
          {"lag_bytes", behind},
          {"error", status.failure ? Json(status.failure->message()) : Json()},
          {"error_at", status.failed_at ? Json(status.failed_at->to_string()) : Json()}};
}

Json to_json(const MetricSample& sample) {
  return {{"name", sample.name}, {"labels", sample.labels}, {"value", sample.value}};
}

Json to_json(const StatusReport& status) {
  return {{"queue_length", status.queue_length},
          {"requests", to_json(status.requests)},
          {kBytesSent, status.requests.bytes_sent},
          {kBytesReceived, status.requests.bytes_received},
          {"stored_bytes", status.stored_bytes},
          {"cost_usd", status.cost_usd},
          {"timelines", to_json_array(status.timelines)},
          {"metrics", to_json_array(status.metrics)}};
}

Json to_json(const ListedObject& object) {
  return {{"key", object.name.key()},
          {"kind", name(object.name.kind)},
          {"size", object.size},
          {"last_modified", object.last_modified.to_string()}};
}

Json to_json(const LayerEntry& layer) {
  return {{"name", layer.name.to_string()},
          {"size", layer.size},
          {"checksum", layer.checksum.to_string()},
          {"object", layer.stored.object}};
}

Json to_json(const ShownObject& object) {
  Json json{{"key", object.name.key()},
            {"kind", name(object.name.kind)},
            {"size", object.tail.info.size},
            {"last_modified", object.tail.info.last_modified.to_string()},
            {"tenant_id", object.name.log.tenant.to_string()}};
  if (!object.name.log.is_tenant_log()) {
    json["timeline_id"] = object.name.log.timeline.to_string();
  }
  if (object.tenant) {
    json.update(stamp_to_json(object.tenant->stamp));
    json["name"] = text_or_null(object.tenant->name);
    json["deleted"] = object.tenant->deleted;
    Json timelines = Json::array();
    for (const TimelineRegistration& timeline : object.tenant->timelines) {
      timelines.push_back({{"timeline_id", timeline.id.to_string()},
                           {"name", text_or_null(timeline.name)},
                           {"ancestor_timeline_id", id_or_null(timeline.ancestor)},
                           {"created_at", timeline.created_at.to_string()},
                           {"deleted", timeline.deleted}});
    }
    json["timelines"] = std::move(timelines);
    Json pins = Json::array();
    for (const TimelinePin& pin : object.tenant->pins) {
      pins.push_back(to_json(object.tenant->id, pin));
    }
    json["pins"] = std::move(pins);
  }
  if (object.timeline) {
    json.update(stamp_to_json(object.timeline->stamp));
    json["deleted"] = object.timeline->deleted;
    put_metadata(json, object.timeline->metadata);
    put_origin(json, object.timeline->metadata);
    json["layers"] = to_json_array(object.timeline->layers);
    json["manifest"] = "full";
    json["retired"] = retired_to_json(object.timeline->retired);
  }
  if (object.timeline_delta) {
    const TimelineManifestDelta& delta = *object.timeline_delta;
    json.update(stamp_to_json(delta.stamp));
    json["deleted"] = false;
    put_metadata(json, delta.metadata);
    put_origin(json, delta.metadata);
    json["manifest"] = "delta";
    json["base"] = delta.base.object;
    json["layers_added"] = to_json_array(delta.added_layers);
    Json removed = Json::array();
    for (const LayerName& layer : delta.removed_layers) removed.push_back(layer.to_string());
    json["layers_removed"] = std::move(removed);
    json["retired_added"] = retired_to_json(delta.added_retired);
    json["retired_removed"] = delta.removed_retired;
  }
  if (object.pack) {
    json["nonce"] = object.pack->nonce.to_string();
    json["part"] = object.pack->part;
    json["created_at"] = object.pack->created_at.to_string();
    json["writer_version"] = object.pack->writer_version;
  }
  json["members"] = to_json_array(object.members());
  return json;
}

Json to_json(const Finding& finding) {
  Json frames;
  if (finding.frames) {
    frames = {{"first", finding.frames->first},
              {"last", finding.frames->last},
              {"layer_start", finding.frames->layer_start},
              {"layer_end", finding.frames->layer_end}};
  }
  return {{"kind", name(finding.kind)},  {"severity", name(finding.severity)},
          {"object", finding.object},    {"member", text_or_null(finding.member)},
          {"frames", std::move(frames)}, {"detail", finding.detail},
          {"remedy", finding.remedy}};
}

Json to_json(const VerifyReport& report) {
  return {{"ok", !report.damaged()},
          {"objects", report.objects},
          {"stored_bytes", report.bytes_stored},
          {"checked_bytes", report.bytes_read},
          {"findings", to_json_array(report.findings)}};
}

Json to_json(const LayerReport& report) {
  Json groups = Json::array();
  for (const auto& group : report.groups) {
    groups.push_back(
        {{"what", group.what}, {"versions", group.versions}, {"value_bytes", group.value_bytes}});
  }
  return {{"name", report.name.to_string()},
          {"kind", report.name.is_image ? "image" : "delta"},
          {"key_start", report.name.keys.start.to_string()},
          {"key_end", report.name.keys.end.to_string()},
          {"lsn_start", report.name.lsn_start.to_string()},
          {"lsn_end", report.name.lsn_end.to_string()},
          {"size", report.file_size},
          {"versions", report.versions},
          {"value_bytes", report.value_bytes},
          {"groups", std::move(groups)}};
}

std::string request_counts_to_json(const RequestCounts& counts) {
  Json json = Json::object();
  for (size_t i = 0; i < kOperationCount; ++i) {
    Json& operation = json[std::string(name(static_cast<Operation>(i)))];
    operation = Json::object();
    for (size_t outcome = 0; outcome < RequestCounts::kOutcomeCount; ++outcome) {
      const uint64_t count = counts.requests[i][outcome];
      if (count > 0) operation[outcome_name(outcome)] = count;
    }
  }
  json[kBytesSent] = counts.bytes_sent;
  json[kBytesReceived] = counts.bytes_received;
  return json.dump(2) + "\n";
}

Result<RequestCounts> request_counts_from_json(std::string_view text) {
  constexpr bool kWithExceptions = false;
  const Json json = Json::parse(text, nullptr, kWithExceptions);
  if (!json.is_object()) return make_error(ErrorCode::kCorrupted, "it is not a JSON object");
  const auto count = [](const Json& object, const std::string& key) -> uint64_t {
    const auto found = object.find(key);
    return found != object.end() && found->is_number_unsigned() ? found->get<uint64_t>() : 0;
  };
  RequestCounts counts;
  for (size_t i = 0; i < kOperationCount; ++i) {
    const auto operation = json.find(std::string(name(static_cast<Operation>(i))));
    if (operation == json.end() || !operation->is_object()) continue;
    for (size_t outcome = 0; outcome < RequestCounts::kOutcomeCount; ++outcome) {
      counts.requests[i][outcome] = count(*operation, outcome_name(outcome));
    }
  }
  counts.bytes_sent = count(json, kBytesSent);
  counts.bytes_received = count(json, kBytesReceived);
  return counts;
}

}  // namespace varve
