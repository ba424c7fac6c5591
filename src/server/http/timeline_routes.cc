#include "server/http/json_body.h"
#include "server/http/parameters.h"
#include "server/http/routes.h"

namespace varve::http {
namespace {

constexpr char kTimeline[] = "/v1/tenants/{tenant}/timelines/{timeline}";

// Of what belongs to a timeline.
std::string path_of(std::string_view name) {
  return fmt::format("{}/{}", kTimeline, name);
}

Result<Answer> branch(PageService& service, const Request& request) {
  VARVE_ASSIGN(const JsonBody body, JsonBody::parse(request.body, {"lsn", "time", "name"}));
  VARVE_ASSIGN(const auto name, body.text("name"));
  NewBranch wanted{.parent = timeline_address(request), .name = name.value_or("")};
  VARVE_ASSIGN(wanted.at, body.point());
  VARVE_ASSIGN(const Json made, service.branch(wanted));
  Answer answer = Answer::json(made, 201);
  answer.headers["Location"] =
      fmt::format("/v1/tenants/{}/timelines/{}", made.at("tenant_id").get<std::string>(),
                  made.at("timeline_id").get<std::string>());
  return answer;
}

Result<Answer> lsn_at(PageService& service, const Request& request) {
  VARVE_ASSIGN(const std::string text, required_parameter(request, "time"));
  VARVE_ASSIGN(const Timestamp time, Timestamp::parse(text));
  VARVE_ASSIGN(const Json found, service.lsn_at(timeline_address(request), time));
  return Answer::json(found);
}

Result<Answer> pin(PageService& service, const Request& request) {
  VARVE_ASSIGN(const JsonBody body, JsonBody::parse(request.body, {"lsn", "time"}));
  PinRequest wanted{.timeline = timeline_address(request)};
  VARVE_ASSIGN(wanted.at, body.point());
  VARVE_ASSIGN(const Json made, service.pin(wanted));
  return Answer::json(made, 201);
}

Result<Answer> unpin(PageService& service, const Request& request) {
  VARVE_ASSIGN(const std::string text, required_parameter(request, "lsn"));
  VARVE_ASSIGN(const Lsn lsn, Lsn::parse(text));
  VARVE_ASSIGN(const Json gone, service.unpin(timeline_address(request), lsn));
  return Answer::json(gone);
}

// What is answered at once.
using Call = std::function<Result<Json>(const std::string& timeline)>;
void add(Routes& routes, const std::string& method, const std::string& path, Call call) {
  routes.push_back(
      {method, path, [call = std::move(call)](const Request& request) -> Result<Answer> {
         if (request.method == "POST") VARVE_TRY(JsonBody::parse(request.body, {}));
         VARVE_ASSIGN(const Json answer, call(timeline_address(request)));
         return Answer::json(answer);
       }});
}

// What goes on behind the answer. A timeline that is not there is told at once.
using LongCall = std::function<Result<Json>(const std::string& timeline, const CallOptions&,
                                            const ByteProgress&)>;
void add_operation(Routes& routes, PageService& service, ApiState& state, const std::string& name,
                   LongCall call) {
  routes.push_back(
      {"POST", path_of(name),
       [&service, &state, call = std::move(call)](const Request& request) -> Result<Answer> {
         VARVE_TRY(JsonBody::parse(request.body, {}));
         const std::string timeline = timeline_address(request);
         VARVE_TRY(service.timeline(timeline));
         return state.operations.start(
             [call, timeline](const CallOptions& options, const ByteProgress& progress) {
               return call(timeline, options, progress);
             });
       }});
}

}  // namespace

void add_timeline_routes(Routes& routes, PageService& service, ApiState& state) {
  routes.push_back({"GET", "/v1/tenants/{tenant}/timelines",
                    [&service](const Request& request) -> Result<Answer> {
                      VARVE_ASSIGN(const Json timelines,
                                   service.timelines(request.parameters.at("tenant")));
                      return Answer::json(timelines);
                    }});
  add(routes, "GET", kTimeline,
      [&service](const std::string& timeline) { return service.timeline(timeline); });
  add(routes, "DELETE", kTimeline,
      [&service](const std::string& timeline) { return service.delete_timeline(timeline); });
  add(routes, "POST", path_of("drop_local"),
      [&service](const std::string& timeline) { return service.drop_local(timeline); });
  routes.push_back({"POST", path_of("branches"),
                    [&service](const Request& request) { return branch(service, request); }});
  routes.push_back({"GET", path_of("lsn"),
                    [&service](const Request& request) { return lsn_at(service, request); }});
  routes.push_back({"POST", path_of("pins"),
                    [&service](const Request& request) { return pin(service, request); }});
  add(routes, "GET", path_of("pins"),
      [&service](const std::string& timeline) { return service.pins(timeline); });
  routes.push_back({"DELETE", path_of("pins"),
                    [&service](const Request& request) { return unpin(service, request); }});
  add_operation(routes, service, state, "checkpoint",
                [&service](const std::string& timeline, const CallOptions& call,
                           const ByteProgress& progress) {
                  return service.checkpoint(timeline, call, progress);
                });
  add_operation(routes, service, state, "prefetch",
                [&service](const std::string& timeline, const CallOptions& call,
                           const ByteProgress& progress) {
                  return service.prefetch(timeline, call, progress);
                });
  add_operation(
      routes, service, state, "gc",
      [&service](const std::string& timeline, const CallOptions& call, const ByteProgress&) {
        return service.collect_garbage(timeline, call);
      });
}

}  // namespace varve::http
