#include "server/wait_goal.h"

#include <array>

namespace varve {

std::string_view name(WaitGoal goal) {
  switch (goal) {
    case WaitGoal::kIngested:
      return "ingested";
    case WaitGoal::kCheckpointed:
      return "checkpointed";
    case WaitGoal::kRemote:
      break;
  }
  return "remote";
}

Result<WaitGoal> parse_wait_goal(std::string_view text) {
  for (const WaitGoal goal : {WaitGoal::kIngested, WaitGoal::kCheckpointed, WaitGoal::kRemote}) {
    if (name(goal) == text) return goal;
  }
  return make_error(ErrorCode::kInvalidArgument,
                    "'{}' cannot be waited for: expected ingested, checkpointed or remote", text);
}

}  // namespace varve
