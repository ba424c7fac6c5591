#include "server/http/routes.h"
#include "server/http/timeline_address.h"

namespace varve::http {

void add_timeline_routes(Routes& routes, PageService& service) {
  routes.push_back({"GET", "/v1/tenants/{tenant}/timelines",
                    [&service](const Request& request) -> Result<Answer> {
                      VARVE_ASSIGN(const Json timelines,
                                   service.timelines(request.parameters.at("tenant")));
                      return Answer::json(timelines);
                    }});
  routes.push_back({"GET", "/v1/tenants/{tenant}/timelines/{timeline}",
                    [&service](const Request& request) -> Result<Answer> {
                      VARVE_ASSIGN(const Json timeline,
                                   service.timeline(timeline_address(request)));
                      return Answer::json(timeline);
                    }});
  routes.push_back({"DELETE", "/v1/tenants/{tenant}/timelines/{timeline}",
                    [&service](const Request& request) -> Result<Answer> {
                      VARVE_ASSIGN(const Json deleted,
                                   service.delete_timeline(timeline_address(request)));
                      return Answer::json(deleted);
                    }});
}

}  // namespace varve::http
