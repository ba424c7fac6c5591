#include "server/http/operations.h"

#include "server/http/problem.h"

namespace varve::http {

Operations::Operations(Options options)
    : sessions_("operation", options.limits),
      pool_({.name = "operation",
             .threads = options.threads,
             .queue_capacity = options.limits.count}) {}

Operations::~Operations() {
  interrupt();
}

Json Operations::describe(const std::string& id, const Operation& operation) {
  const std::lock_guard lock(operation.mutex);
  Json json{{"operation_id", id},
            {"finished", operation.outcome.has_value()},
            {"bytes_done", operation.bytes_done},
            {"bytes_total", operation.bytes_total}};
  if (!operation.outcome) return json;
  if (operation.outcome->ok()) {
    json["result"] = **operation.outcome;
  } else {
    json["problem"] = Json::parse(problem(operation.outcome->error()).body);
  }
  return json;
}

Result<Answer> Operations::start(Work work) {
  const auto operation = std::make_shared<Operation>();
  std::string id;
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return make_error(ErrorCode::kUnavailable, "the server is being stopped");
    VARVE_ASSIGN(id, sessions_.add(operation));
    ++unfinished_;
  }
  pool_.submit([this, operation, work = std::move(work)] { run(*operation, work); });
  Answer answer = Answer::json(describe(id, *operation), 202);
  answer.headers["Location"] = "/v1/operations/" + id;
  return answer;
}

void Operations::run(Operation& operation, const Work& work) {
  const auto progress = [&operation](uint64_t done, uint64_t total) {
    const std::lock_guard lock(operation.mutex);
    operation.bytes_done = done;
    operation.bytes_total = total;
  };
  Result<Json> outcome = make_error(ErrorCode::kInternal, "the operation did not end");
  try {
    outcome = work({.stop = interrupted_.get_token()}, progress);
  } catch (const std::exception& exception) {
    outcome = make_error(ErrorCode::kInternal, "{}", exception.what());
  }
  {
    const std::lock_guard lock(operation.mutex);
    operation.outcome = std::move(outcome);
  }
  operation.changed.notify();
  {
    const std::lock_guard lock(mutex_);
    --unfinished_;
  }
  finished_.notify();
}

Result<Json> Operations::wait(const std::string& id, Duration time, const std::stop_token& stop) {
  VARVE_ASSIGN(const auto operation, sessions_.find(id));
  // It is notified once, at the end.
  operation->changed.wait(0, time, system_clock(), stop);
  return describe(id, *operation);
}

bool Operations::finish_within(Duration time) {
  const Deadline deadline = Deadline::after(time);
  for (;;) {
    const uint64_t seen = finished_.count();
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
      if (unfinished_ == 0) return true;
    }
    if (deadline.passed()) return false;
    finished_.wait(seen, deadline.remaining(), system_clock(), {});
  }
}

}  // namespace varve::http
