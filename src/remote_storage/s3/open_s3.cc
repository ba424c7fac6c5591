#include "remote_storage/s3/open_s3.h"

#include "remote_storage/s3/aws_settings.h"
#include "remote_storage/s3/curl_transport.h"
#include "remote_storage/s3/default_credentials.h"
#include "remote_storage/s3/s3_storage.h"

namespace varve::s3 {

Result<std::unique_ptr<RemoteStorage>> open_s3(S3Location location,
                                               const EnvironmentVariables& environment,
                                               Clock& clock) {
  VARVE_ASSIGN(S3Options options, s3_options_from_environment(environment));
  VARVE_ASSIGN(const AwsSettings settings, aws_settings(environment));
  if (location.region.empty()) location.region = settings.region;
  if (location.endpoint.empty()) location.endpoint = settings.endpoint;
  VARVE_ASSIGN(std::unique_ptr<HttpTransport> transport,
               CurlTransport::create({.ca_file = options.ca_file,
                                      .user_agent = options.user_agent,
                                      .connect_timeout = options.connect_timeout,
                                      .first_byte_timeout = options.first_byte_timeout,
                                      .stall_timeout = options.stall_timeout,
                                      .maximum_idle = options.maximum_requests}));
  VARVE_ASSIGN(auto credentials,
               default_credentials(
                   {.environment = environment, .transport = transport.get(), .clock = &clock}));
  VARVE_ASSIGN(auto storage, S3Storage::open({.location = std::move(location),
                                              .options = std::move(options),
                                              .transport = std::move(transport),
                                              .credentials = std::move(credentials),
                                              .clock = &clock}));
  return std::unique_ptr<RemoteStorage>(std::move(storage));
}

}  // namespace varve::s3
