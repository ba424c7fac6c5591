// What a server does by itself every now and then.
#pragma once

#include <thread>

#include "server/page_server.h"

namespace varve {

// One thread: it frees local copies of layers where they take too much of the disk, and gives up
// what is not to be kept any longer. What fails is logged, and tried again the next time.
class Housekeeping {
 public:
  // It outlives it.
  explicit Housekeeping(PageServer& server);
  // Ends what it is about, soon.
  ~Housekeeping() = default;

 private:
  void run(const std::stop_token& stop);
  void collect_garbage(const CallOptions& call);
  void collect_tenant_garbage(const TenantId& id, const CallOptions& call);

  PageServer& server_;
  std::jthread thread_;
};

}  // namespace varve
