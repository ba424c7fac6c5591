#include <memory>
#include <semaphore>

#include "server/http/json_body.h"
#include "server/http/routes.h"
#include "server/http/timeline_address.h"
#include "server/wait_goal.h"

namespace varve::http {
namespace {

using Slots = std::counting_semaphore<>;

Result<Answer> wait(PageService& service, const Request& request, Slots& slots, Duration longest) {
  VARVE_ASSIGN(const JsonBody body,
               JsonBody::parse(request.body, {"lsn", "for", "timeout_seconds"}));
  WaitRequest wanted{.timeline = timeline_address(request)};
  VARVE_ASSIGN(const std::string lsn, body.required_text("lsn"));
  VARVE_ASSIGN(wanted.lsn, Lsn::parse(lsn));
  VARVE_ASSIGN(const std::string goal, body.required_text("for"));
  VARVE_ASSIGN(wanted.goal, parse_wait_goal(goal));
  const double longest_seconds = std::chrono::duration<double>(longest).count();
  VARVE_ASSIGN(const auto timeout, body.number("timeout_seconds"));
  const double seconds = timeout.value_or(longest_seconds);
  if (!(seconds >= 0 && seconds <= longest_seconds)) {
    return make_error(ErrorCode::kInvalidArgument,
                      "'timeout_seconds' must be from 0 to {}: repeat the request to wait longer",
                      longest_seconds);
  }

  if (!slots.try_acquire()) {
    return make_error(ErrorCode::kThrottled, "too many requests wait already: repeat it later");
  }
  const std::unique_ptr<Slots, void (*)(Slots*)> slot(&slots, [](Slots* used) { used->release(); });
  const CallOptions call{.deadline = Deadline::after(std::chrono::duration_cast<Duration>(
                             std::chrono::duration<double>(seconds))),
                         .stop = request.stop};
  auto reached = service.wait(wanted, call, {});
  if (reached.failed_with(ErrorCode::kCancelled) && request.stop.stop_requested()) {
    return make_error(ErrorCode::kUnavailable, "the server is being stopped");
  }
  if (!reached.ok()) return reached.error();
  return Answer::json(*reached);
}

}  // namespace

void add_wait_route(Routes& routes, PageService& service, const WaitLimits& limits) {
  const auto slots = std::make_shared<Slots>(limits.concurrent);
  routes.push_back({"POST", "/v1/tenants/{tenant}/timelines/{timeline}/wait",
                    [&service, slots, longest = limits.longest](const Request& request) {
                      return wait(service, request, *slots, longest);
                    }});
}

}  // namespace varve::http
