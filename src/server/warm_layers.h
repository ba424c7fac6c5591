// Has what is read in the work directory, as far as there is room, also after a restart.
#pragma once

#include <filesystem>
#include <optional>
#include <thread>

#include "server/page_server.h"
#include "storage_sync/warm_list.h"

namespace varve {

// One thread, which ends at once where disk_high_mib sets no budget: it brings layers here that are
// only remote and read, one at a time, and keeps the warm list. What fails is logged, and tried
// again the next time.
class WarmLayers {
 public:
  // It outlives it.
  explicit WarmLayers(PageServer& server);
  // Ends what it is about, soon; the list then has what was read until now.
  ~WarmLayers() = default;

 private:
  void run(const std::stop_token& stop);
  void read_list();
  void promote(const CallOptions& call);
  void write_list();

  PageServer& server_;
  const std::filesystem::path path_;
  // None: what is in the file is not known.
  std::optional<WarmList> written_;
  std::jthread thread_;
};

}  // namespace varve
