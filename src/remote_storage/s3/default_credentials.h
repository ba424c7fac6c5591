// The credentials that a user of the AWS tools expects.
#pragma once

#include <memory>

#include "remote_storage/s3/credentials_source.h"

namespace varve::s3 {

// In the order of the AWS SDKs: the environment, a web identity token, the profile in the shared
// files, the container's service, the instance's role; see their headers. Nothing is asked before
// the first get(). Anonymous with options.anonymous or VARVE_S3_ANONYMOUS=true; InvalidArgument
// when that variable is neither true nor false.
Result<std::unique_ptr<CredentialsProvider>> default_credentials(const CredentialsOptions& options);

}  // namespace varve::s3
