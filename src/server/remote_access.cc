#include "server/remote_access.h"

#include <algorithm>

#include "remote_storage/retrying.h"
#include "remote_storage/url.h"

namespace varve {

Result<std::unique_ptr<RemoteAccess>> RemoteAccess::open(const Options& options) {
  VARVE_ASSIGN(auto storage, open_remote_storage(options.url, {.access = options.access}));
  auto metered = std::make_unique<Metered>(
      std::move(storage),
      Metered::Options{.initial = options.initial_counts, .metrics = options.metrics});
  return std::unique_ptr<RemoteAccess>(new RemoteAccess(std::move(metered), options));
}

RemoteAccess::RemoteAccess(std::unique_ptr<Metered> metered, const Options& options)
    : metered_(metered.get()),
      storage_(std::make_unique<Retrying>(std::move(metered),
                                          Retrying::Options{.metrics = options.metrics})),
      codec_pool_({.name = "codec", .threads = std::max(1U, std::thread::hardware_concurrency())}),
      transfer_pool_({.name = "transfer", .threads = SyncOptions{}.parallel_parts}),
      context_{.storage = *storage_,
               .clock = system_clock(),
               .random = system_random(),
               .codec_pool = codec_pool_,
               .transfer_pool = transfer_pool_,
               .options = {.compression_level = options.compression_level}} {}

}  // namespace varve
