// The service of a work directory, wherever it runs.
#pragma once

#include <memory>

#include "server/page_service.h"
#include "server/settings.h"

namespace varve {

// That of the server which holds the work directory, where one runs; otherwise one in this process,
// which then holds it. Conflict when another command holds it, and InvalidArgument when the server
// works with another remote storage than the overrides name.
Result<std::unique_ptr<PageService>> open_page_service(const std::filesystem::path& work_directory,
                                                       const SettingOverrides& overrides,
                                                       const CallOptions& call);

// The same, of a server that runs; null where none does.
Result<std::unique_ptr<PageService>> find_running_service(
    const std::filesystem::path& work_directory, const SettingOverrides& overrides,
    const CallOptions& call);

}  // namespace varve
