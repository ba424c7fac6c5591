#include "server/http/image_batch.h"
#include "server/http/json_body.h"
#include "server/http/parameters.h"
#include "server/http/routes.h"

namespace varve::http {
namespace {

Json describe(const std::string& id, const TimelineSnapshot& snapshot,
              const LayerCache::Fetched& fetched) {
  return {{"snapshot_id", id},
          {"lsn", snapshot.lsn().to_string()},
          {"timeline", snapshot.timeline()},
          {"layers_fetched", fetched.layers},
          {"layer_bytes_fetched", fetched.bytes}};
}

Result<Answer> open(PageService& service, ApiState& state, const std::filesystem::path& scratch,
                    const Request& request) {
  VARVE_ASSIGN(const JsonBody body, JsonBody::parse(request.body, {"lsn", "time", "on_demand"}));
  SnapshotRequest wanted{.timeline = timeline_address(request), .scratch_parent = scratch};
  VARVE_ASSIGN(wanted.at, body.point());
  VARVE_ASSIGN(const auto on_demand, body.flag("on_demand"));
  if (on_demand.value_or(false)) wanted.pattern = ReadPattern::kPart;
  VARVE_ASSIGN(auto opened, service.open_snapshot(wanted));
  const std::shared_ptr<TimelineSnapshot> snapshot(std::move(opened));
  VARVE_ASSIGN(const std::string id, state.snapshots.add(snapshot));
  Answer answer = Answer::json(describe(id, *snapshot, {}), 201);
  answer.headers["Location"] = "/v1/snapshots/" + id;
  return answer;
}

Result<Answer> show(ApiState& state, const Request& request) {
  const std::string& id = request.parameters.at("snapshot");
  VARVE_ASSIGN(const auto snapshot, state.snapshots.find(id));
  VARVE_ASSIGN(const auto fetched, snapshot->fetched());
  return Answer::json(describe(id, *snapshot, fetched));
}

Result<Answer> images(ApiState& state, const Request& request) {
  VARVE_ASSIGN(const auto snapshot, state.snapshots.find(request.parameters.at("snapshot")));
  KeyRange range;
  VARVE_ASSIGN(range.start, key_parameter(request, "from", Key::min()));
  VARVE_ASSIGN(range.end, key_parameter(request, "to", Key::max()));
  ImageBatchWriter batch;
  std::optional<Key> next;
  const auto scanned =
      snapshot->scan(range, snapshot->lsn(), [&](const Key& key, ByteView image) -> Result<> {
        VARVE_TRY(CallOptions{.stop = request.stop}.check("read of images"));
        if (batch.is_full()) {
          next = key;
          return make_error(ErrorCode::kCancelled, "the batch is full");
        }
        batch.put(key, image);
        return {};
      });
  if (!scanned.ok() && !next) return scanned.error();
  Answer answer{.content_type = kImageBatchType, .body = batch.take()};
  if (next) answer.headers[kNextKeyHeader] = next->to_string();
  return answer;
}

Result<Answer> close(ApiState& state, const Request& request) {
  VARVE_TRY(state.snapshots.take(request.parameters.at("snapshot")));
  return Answer::json({{"snapshot_id", request.parameters.at("snapshot")}, {"deleted", true}});
}

}  // namespace

void add_snapshot_routes(Routes& routes, PageService& service, ApiState& state,
                         const std::filesystem::path& scratch) {
  routes.push_back({"POST", "/v1/tenants/{tenant}/timelines/{timeline}/snapshots",
                    [&service, &state, scratch](const Request& request) {
                      return open(service, state, scratch, request);
                    }});
  routes.push_back({"GET", "/v1/snapshots/{snapshot}",
                    [&state](const Request& request) { return show(state, request); }});
  routes.push_back({"GET", "/v1/snapshots/{snapshot}/images",
                    [&state](const Request& request) { return images(state, request); }});
  routes.push_back({"DELETE", "/v1/snapshots/{snapshot}",
                    [&state](const Request& request) { return close(state, request); }});
}

}  // namespace varve::http
