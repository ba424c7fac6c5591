#include <memory>
#include <semaphore>

#include "server/http/json_body.h"
#include "server/http/parameters.h"
#include "server/http/routes.h"
#include "server/wait_goal.h"

namespace varve::http {
namespace {

// Bounds how many requests wait.
class WaitingRoom {
 public:
  explicit WaitingRoom(const WaitLimits& limits)
      : longest_(limits.longest), free_(limits.concurrent) {}

  Duration longest() const { return longest_; }

  class Place {
   public:
    explicit Place(WaitingRoom& room) : room_(&room) {}
    Place(Place&& other) noexcept : room_(std::exchange(other.room_, nullptr)) {}
    Place& operator=(Place&&) = delete;
    ~Place() {
      if (room_ != nullptr) room_->free_.release();
    }

   private:
    WaitingRoom* room_;
  };
  // Throttled when there is none.
  Result<Place> enter() {
    if (free_.try_acquire()) return Place(*this);
    return make_error(ErrorCode::kThrottled, "too many requests wait already: repeat it later");
  }

 private:
  const Duration longest_;
  std::counting_semaphore<> free_;
};

Result<Answer> wait_for_lsn(PageService& service, const Request& request, WaitingRoom& room) {
  VARVE_ASSIGN(const JsonBody body,
               JsonBody::parse(request.body, {"lsn", "for", "timeout_seconds"}));
  WaitRequest wanted{.timeline = timeline_address(request)};
  VARVE_ASSIGN(const std::string lsn, body.required_text("lsn"));
  VARVE_ASSIGN(wanted.lsn, Lsn::parse(lsn));
  VARVE_ASSIGN(const std::string goal, body.required_text("for"));
  VARVE_ASSIGN(wanted.goal, parse_wait_goal(goal));
  const double longest_seconds = std::chrono::duration<double>(room.longest()).count();
  VARVE_ASSIGN(const auto timeout, body.number("timeout_seconds"));
  const double seconds = timeout.value_or(longest_seconds);
  if (!(seconds >= 0 && seconds <= longest_seconds)) {
    return make_error(ErrorCode::kInvalidArgument,
                      "'timeout_seconds' must be from 0 to {}: repeat the request to wait longer",
                      longest_seconds);
  }

  VARVE_ASSIGN(const WaitingRoom::Place place, room.enter());
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

Result<Answer> wait_for_operation(Operations& operations, const Request& request,
                                  WaitingRoom& room) {
  VARVE_ASSIGN(const Duration time, seconds_parameter(request, "wait_seconds", room.longest()));
  VARVE_ASSIGN(const WaitingRoom::Place place, room.enter());
  VARVE_ASSIGN(const Json operation,
               operations.wait(request.parameters.at("operation"), time, request.stop));
  return Answer::json(operation);
}

}  // namespace

void add_wait_routes(Routes& routes, PageService& service, ApiState& state,
                     const WaitLimits& limits) {
  const auto room = std::make_shared<WaitingRoom>(limits);
  routes.push_back(
      {"POST", "/v1/tenants/{tenant}/timelines/{timeline}/wait",
       [&service, room](const Request& request) { return wait_for_lsn(service, request, *room); }});
  routes.push_back({"GET", "/v1/operations/{operation}", [&state, room](const Request& request) {
                      return wait_for_operation(state.operations, request, *room);
                    }});
}

}  // namespace varve::http
