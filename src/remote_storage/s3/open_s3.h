// A bucket with what the environment says of how to reach it.
#pragma once

#include <memory>

#include "remote_storage/remote_storage.h"
#include "remote_storage/s3/environment.h"
#include "remote_storage/url.h"

namespace varve::s3 {

// The URL goes before the environment. Sends nothing: credentials are looked for at the first
// request. InvalidArgument for a bad variable, a file that cannot be read, or an endpoint that is
// none. The clock outlives the storage.
Result<std::unique_ptr<RemoteStorage>> open_s3(S3Location location,
                                               const EnvironmentVariables& environment,
                                               Clock& clock);

}  // namespace varve::s3
