// HTTP without a network: a function answers.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "remote_storage/s3/http.h"

namespace varve::s3 {

struct SentRequest {
  std::string method;
  std::string url;
  Headers headers;
  std::string body;
  // How long the caller would have waited; Duration::max() without a limit.
  Duration limit;
  bool bypass_proxy;
};

class FakeTransport : public HttpTransport {
 public:
  using Answer = std::function<Result<HttpResponse>(const SentRequest&)>;

  explicit FakeTransport(Answer answer, const Clock& clock = system_clock())
      : answer_(std::move(answer)), clock_(clock) {}

  Result<HttpResponse> send(const HttpRequest& request, const HttpSink* /*sink*/,
                            const CallOptions& options) override {
    const SentRequest sent{.method = request.method,
                           .url = request.url,
                           .headers = request.headers,
                           .body = std::string(as_text(request.body)),
                           .limit = options.deadline.remaining(clock_),
                           .bypass_proxy = request.bypass_proxy};
    {
      const std::lock_guard lock(mutex_);
      sent_.push_back(sent);
    }
    return answer_(sent);
  }

  std::vector<SentRequest> sent() const {
    const std::lock_guard lock(mutex_);
    return sent_;
  }

 private:
  const Answer answer_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::vector<SentRequest> sent_;
};

inline HttpResponse response(int status, std::string_view body) {
  return {.status = status, .body = Bytes(body.begin(), body.end())};
}

}  // namespace varve::s3
