// Requests to the HTTP API, from the method to the answer: whatever is asked, the answer is one
// that HTTP has, and what it says is JSON.
#include "expect.h"
#include "server/http/problem.h"
#include "server/http/request_checks.h"
#include "server/http/routes.h"
#include "server/http/test_support/fake_page_service.h"

namespace varve::http {
namespace {

// Parts of a request, each up to the next line feed; the body is the rest.
class Parts {
 public:
  explicit Parts(std::string_view text) : text_(text) {}
  std::string next() {
    const size_t end = std::min(text_.find('\n'), text_.size());
    std::string part(text_.substr(0, end));
    text_.remove_prefix(std::min(end + 1, text_.size()));
    return part;
  }
  std::string rest() { return std::string(text_); }

 private:
  std::string_view text_;
};

Answer answer_to(const Router& router, Request& request, const RequestHead& head,
                 const Security& security) {
  const auto found = router.find(request);
  if (const auto* refused = std::get_if<Answer>(&found)) return *refused;
  const Route& route = *std::get<const Route*>(found);
  if (const auto refused = refuse(route, head, security)) return *refused;
  const auto answer = route.handler(request);
  return answer.ok() ? *answer : problem(answer.error());
}

}  // namespace
}  // namespace varve::http

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace varve;
  using namespace varve::http;
  Parts parts(as_text({data, size}));
  Request request{.method = parts.next(), .path = parts.next()};
  const std::string query_key = parts.next();
  request.query[query_key] = parts.next();
  const RequestHead head{.authorization = parts.next(),
                         .host = parts.next(),
                         .content_type = parts.next(),
                         .content_encoding = parts.next()};
  const Security security{.token = parts.next()};
  request.body = parts.rest();
  // Waits end at once.
  std::stop_source stop;
  stop.request_stop();
  request.stop = stop.get_token();

  FakePageService service;
  ApiState state;
  const Router router(all_routes(service, state, "/scratch", [] { return ""; }));
  const Answer answer = answer_to(router, request, head, security);
  expect(answer.status >= 200 && answer.status < 600);
  const bool is_json = answer.content_type == kJsonType || answer.content_type == kProblemType;
  if (is_json) expect(Json::accept(answer.body));
  return 0;
}
