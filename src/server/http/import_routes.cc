#include "server/http/json_body.h"
#include "server/http/parameters.h"
#include "server/http/routes.h"

namespace varve::http {
namespace {

Result<Answer> start(PageService& service, ApiState& state, const Request& request) {
  VARVE_ASSIGN(const JsonBody body, JsonBody::parse(request.body, {"name", "image_lsn"}));
  VARVE_ASSIGN(const auto name, body.text("name"));
  VARVE_ASSIGN(const std::string lsn, body.required_text("image_lsn"));
  NewTimeline wanted{.tenant = request.parameters.at("tenant"), .name = name.value_or("")};
  VARVE_ASSIGN(wanted.image_lsn, Lsn::parse(lsn));
  VARVE_ASSIGN(auto timeline, service.start_import(wanted));
  VARVE_ASSIGN(const std::string id,
               state.imports.add(std::make_shared<ImageImport>(std::move(timeline))));
  Answer answer = Answer::json({{"import_id", id}}, 201);
  answer.headers["Location"] = "/v1/imports/" + id;
  return answer;
}

Result<Answer> put_images(ApiState& state, const Request& request) {
  VARVE_ASSIGN(const auto import, state.imports.find(request.parameters.at("import")));
  VARVE_ASSIGN(const uint64_t number, required_count(request, "batch"));
  VARVE_TRY(import->put(number, as_bytes(request.body)));
  return Answer::json({{"import_id", request.parameters.at("import")}, {"batches", number + 1}});
}

Result<Answer> commit(ApiState& state, const Request& request) {
  VARVE_ASSIGN(const JsonBody body,
               JsonBody::parse(request.body, {"batches", "last_record_lsn", "system_identifier"}));
  VARVE_ASSIGN(const uint64_t batches, body.required_count("batches"));
  VARVE_ASSIGN(const std::string lsn, body.required_text("last_record_lsn"));
  VARVE_ASSIGN(const std::string system_identifier, body.required_text("system_identifier"));
  ImportedCluster cluster;
  VARVE_ASSIGN(cluster.last_record_lsn, Lsn::parse(lsn));
  VARVE_ASSIGN(cluster.system_identifier, parse_count("system_identifier", system_identifier));
  VARVE_ASSIGN(const auto import, state.imports.take(request.parameters.at("import")));
  return state.operations.start(
      [import, batches, cluster](const CallOptions& call, const ByteProgress& progress) {
        return import->commit(batches, cluster, call, progress);
      });
}

Result<Answer> drop(ApiState& state, const Request& request) {
  VARVE_TRY(state.imports.take(request.parameters.at("import")));
  return Answer::json({{"import_id", request.parameters.at("import")}, {"deleted", true}});
}

}  // namespace

void add_import_routes(Routes& routes, PageService& service, ApiState& state) {
  routes.push_back(
      {"POST", "/v1/tenants/{tenant}/imports",
       [&service, &state](const Request& request) { return start(service, state, request); }});
  routes.push_back(
      {.method = "POST",
       .path = "/v1/imports/{import}/images",
       .handler = [&state](const Request& request) { return put_images(state, request); },
       .body = {.type = kImageBatchType, .size = kLargestImageBatch}});
  routes.push_back({"POST", "/v1/imports/{import}/commit",
                    [&state](const Request& request) { return commit(state, request); }});
  routes.push_back({"DELETE", "/v1/imports/{import}",
                    [&state](const Request& request) { return drop(state, request); }});
}

}  // namespace varve::http
