#include "remote_storage/s3/s3_client.h"

#include <spdlog/spdlog.h>

#include "remote_storage/s3/sigv4.h"

namespace varve::s3 {
namespace {

bool is_success(const HttpResponse& response) {
  return response.status >= 200 && response.status < 300;
}

}  // namespace

// One call of exchange(): up to one request, and one more for each repair.
class S3Client::Exchange {
 public:
  Exchange(S3Client& client, const S3Request& request, const HttpSink* sink,
           const CallOptions& options)
      : client_(client),
        request_(request),
        sink_(sink),
        options_(options),
        endpoint_(client.endpoint()) {}

  Result<S3Answer> run() {
    for (;;) {
      VARVE_ASSIGN(credentials_, client_.credentials_.get(options_));
      // The source has nothing better than what was refused.
      if (refused_ && (!credentials_ || *credentials_ == refused_->first)) {
        return S3Answer(std::move(refused_->second));
      }
      VARVE_ASSIGN(HttpResponse response, attempt());
      if (is_success(response)) {
        client_.bucket_was_seen_ = true;
        return S3Answer(std::move(response));
      }
      Failure failure = describe_failure(client_.describe(request_), response);
      if (failure.code == "NoSuchKey") client_.bucket_was_seen_ = true;
      if (!repair(failure)) return S3Answer(std::move(failure));
      spdlog::debug("sent once more: {}", failure.error.message());
    }
  }

 private:
  Result<HttpResponse> attempt() {
    HttpRequest http{.method = request_.method,
                     .url = request_url(endpoint_, request_.key, request_.query),
                     .headers = request_.headers,
                     .body = request_.body};
    VARVE_TRY(client_.sending_.take(request_.body.size(), options_));
    VARVE_ASSIGN(auto permit, client_.limit(request_.kind).acquire(options_));
    // After the waiting, since a signature is valid for minutes only.
    VARVE_TRY(sign(http));
    auto response = transfer(http);
    if (response.ok() && is_success(*response)) permit.succeeded();
    if (response.ok() && (response->status == 503 || response->status == 429)) permit.throttled();
    return response;
  }

  Result<> sign(HttpRequest& http) {
    if (!credentials_) return {};
    if (payload_hash_.empty()) {
      payload_hash_ = client_.signs_bodies_to(endpoint_) ? sha256_hex(request_.body)
                                                         : std::string(kUnsignedPayload);
    }
    const Timestamp now{client_.clock_.now().micros + client_.clock_offset_};
    return sign_request(http, *credentials_, {.region = endpoint_.region}, payload_hash_, now);
  }

  Result<HttpResponse> transfer(const HttpRequest& http) {
    bool refused_by_sink = false;
    HttpSink counted;
    if (sink_ != nullptr) {
      counted.start = [&](const HttpResponse& response) {
        auto started = sink_->start(response);
        refused_by_sink = !started.ok();
        return started;
      };
      counted.write = [&](ByteView bytes) -> Result<> {
        VARVE_TRY(client_.receiving_.take(bytes.size(), options_));
        auto written = sink_->write(bytes);
        refused_by_sink = !written.ok();
        return written;
      };
    }
    auto response = client_.transport_.send(http, sink_ == nullptr ? nullptr : &counted, options_);
    if (response.ok() || refused_by_sink) return response;
    return std::move(response).context(fmt::format("{} s3://{}{}{}", request_.method,
                                                   endpoint_.bucket,
                                                   request_.key.empty() ? "" : "/", request_.key));
  }

  // Whether the request is worth another attempt.
  bool repair(const Failure& failure) {
    switch (failure.repair) {
      case Repair::kNone:
        return false;
      case Repair::kCredentials:
        if (refused_ || !credentials_) return false;
        client_.credentials_.reject(*credentials_);
        refused_.emplace(*credentials_, failure);
        return true;
      case Repair::kClock:
        if (std::exchange(clock_was_set_, true)) return false;
        client_.clock_offset_ = failure.server_time->micros - client_.clock_.now().micros;
        spdlog::warn(
            "the clock of this machine and that of s3://{} differ by {:.0f} s: requests are signed "
            "with the latter; set the clock",
            endpoint_.bucket, static_cast<double>(client_.clock_offset_) / 1e6);
        return true;
      case Repair::kPlace:
        return move(failure);
    }
    return false;
  }

  bool move(const Failure& failure) {
    if (std::exchange(was_moved_, true)) return false;
    Endpoint moved = endpoint_;
    if (!failure.region.empty()) moved = in_region(moved, failure.region);
    // The default host of the region is the better one: it takes every request.
    if (!failure.host.empty() && (failure.region.empty() || !moved.is_aws_default)) {
      moved = at_host(moved, failure.host);
    }
    if (moved == endpoint_) return false;
    endpoint_ = moved;
    if (failure.permanent) client_.move_to(moved);
    return true;
  }

  S3Client& client_;
  const S3Request& request_;
  const HttpSink* const sink_;
  const CallOptions& options_;
  Endpoint endpoint_;
  std::optional<Credentials> credentials_;
  std::string payload_hash_;
  // The credentials that the server did not take, and how it said so.
  std::optional<std::pair<Credentials, Failure>> refused_;
  bool clock_was_set_ = false;
  bool was_moved_ = false;
};

S3Client::S3Client(const Settings& settings)
    : options_(settings.options),
      transport_(settings.transport),
      credentials_(settings.credentials),
      clock_(settings.clock),
      sending_(options_.bandwidth, clock_),
      receiving_(options_.bandwidth, clock_),
      limits_{
          ConcurrencyLimit(options_.maximum_requests), ConcurrencyLimit(options_.maximum_requests),
          ConcurrencyLimit(options_.maximum_requests), ConcurrencyLimit(options_.maximum_requests)},
      endpoint_(settings.endpoint) {}

Result<S3Answer> S3Client::exchange(const S3Request& request, const HttpSink* sink,
                                    const CallOptions& options) {
  VARVE_TRY(options.check(request.key.empty() ? endpoint().bucket : request.key));
  return Exchange(*this, request, sink, options).run();
}

Result<HttpResponse> S3Client::send(const S3Request& request, const HttpSink* sink,
                                    const CallOptions& options) {
  VARVE_ASSIGN(S3Answer answer, exchange(request, sink, options));
  if (auto* failure = std::get_if<Failure>(&answer)) return std::move(failure->error);
  return std::get<HttpResponse>(std::move(answer));
}

Result<bool> S3Client::signs_bodies(const CallOptions& options) const {
  VARVE_ASSIGN(const auto credentials, credentials_.get(options));
  return credentials && signs_bodies_to(endpoint());
}

bool S3Client::signs_bodies_to(const Endpoint& endpoint) const {
  return options_.sign_payload.value_or(endpoint.scheme != "https");
}

FailedRequest S3Client::describe(const S3Request& request) const {
  const Endpoint place = endpoint();
  return {.method = request.method,
          .bucket = place.bucket,
          .key = request.key,
          .region = place.region,
          .credentials = credentials_.source(),
          .conditional = find_header(request.headers, "if-none-match").has_value()};
}

Endpoint S3Client::endpoint() const {
  const std::lock_guard lock(mutex_);
  return endpoint_;
}

void S3Client::move_to(const Endpoint& endpoint) {
  const std::lock_guard lock(mutex_);
  endpoint_ = endpoint;
}

}  // namespace varve::s3
