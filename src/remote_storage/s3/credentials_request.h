// Requests to the services that hand out credentials.
#pragma once

#include "remote_storage/s3/credentials_source.h"

namespace varve::s3 {

// Sends one request, unsigned, and waits for at most `limit`. A time limit that passes is
// Unavailable; Cancelled remains for what `options` ask for. Any answer is a success.
Result<HttpResponse> ask(const CredentialsOptions& credentials, const HttpRequest& request,
                         Duration limit, const CallOptions& options);

// The error of an answer whose status is not 2xx: Throttled for 429, Unavailable for a failure of
// the service, Denied else. The body is not shown, since it may hold anything.
Result<> check_status(const HttpResponse& response);

}  // namespace varve::s3
