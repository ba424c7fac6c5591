// What of a timeline one can wait for.
#pragma once

#include <string_view>

#include "base/result.h"

namespace varve {

// What has reached an LSN.
enum class WaitGoal { kIngested, kCheckpointed, kRemote };

// "ingested", "checkpointed" or "remote"; InvalidArgument for anything else.
Result<WaitGoal> parse_wait_goal(std::string_view name);
std::string_view name(WaitGoal goal);

}  // namespace varve
