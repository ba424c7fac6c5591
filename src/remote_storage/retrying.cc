#include "remote_storage/retrying.h"

#include <spdlog/spdlog.h>

#include "remote_storage/checks.h"

namespace varve {
namespace {

// A server that asks for more is not believed: what waits here holds up others.
constexpr Duration kLongestRetryAfter = std::chrono::minutes(1);

}  // namespace

Retrying::Retrying(std::unique_ptr<RemoteStorage> inner, const Options& options)
    : inner_(std::move(inner)), options_(options) {}

template <typename Attempt, typename IsFinal>
auto Retrying::repeat(const Call& call, Attempt attempt, IsFinal is_final) -> decltype(attempt()) {
  for (int failures = 1;; ++failures) {
    auto result = attempt();
    if (result.ok() || !retryable(result.code()) || is_final()) return result;
    VARVE_TRY(wait(call, failures, result.error()));
  }
}

template <typename Attempt>
auto Retrying::repeat(const Call& call, Attempt attempt) -> decltype(attempt()) {
  return repeat(call, std::move(attempt), [] { return false; });
}

Result<> Retrying::wait(const Call& call, int failures, const Error& error) {
  if (failures >= options_.attempts) {
    if (failures == 1) return error;
    return error.context(
        fmt::format("{} {} failed {} times, at last", name(call.operation), call.key, failures));
  }
  const Duration delay =
      std::max(backoff_delay(options_.backoff, failures, *options_.random),
               std::min(error.retry_after().value_or(Duration::zero()), kLongestRetryAfter));
  if (call.options.deadline.remaining(*options_.clock) <= delay) {
    return error.context(fmt::format("{} {}: the deadline leaves no time to try again",
                                     name(call.operation), call.key));
  }
  if (options_.metrics != nullptr) {
    options_.metrics
        ->counter("varve_remote_storage_retries_total",
                  "Requests to the remote storage that were repeated after a failure.",
                  {{"operation", std::string(name(call.operation))}})
        .add();
  }
  spdlog::debug("{} {}: attempt {} of {} failed, the next one is in {} ms: {} ({})",
                name(call.operation), call.key, failures, options_.attempts,
                std::chrono::duration_cast<std::chrono::milliseconds>(delay).count(),
                error.message(), name(error.code()));
  if (options_.clock->sleep(delay, call.options.stop)) return {};
  return make_error(ErrorCode::kCancelled,
                    "{} {}: stopped on request while waiting to try again after: {}",
                    name(call.operation), call.key, error.message());
}

// What one get() has passed on so far.
class Retrying::Download {
 public:
  Download(RemoteStorage& storage, std::string_view key, const ByteRange& range,
           const ByteSink& sink)
      : storage_(storage), key_(key), range_(range), sink_(sink) {}

  Result<ObjectInfo> attempt(const CallOptions& options) {
    if (info_ && delivered_ == wanted_.size) return *info_;
    ByteRange range = range_;
    if (info_) {
      range = ByteRange::between(wanted_.start + delivered_, wanted_.start + wanted_.size);
    }
    return storage_.get(key_, range,
                        ByteSink([this](const ObjectInfo& info) { return start(info); },
                                 [this](ByteView bytes) { return write(bytes); }),
                        options);
  }

  // An error that came from here or from the sink, and not from the storage.
  bool refused() const { return refused_; }

 private:
  Result<> start(const ObjectInfo& info) {
    if (!info_) {
      VARVE_ASSIGN(wanted_, resolve_range(range_, info.size, key_));
      info_ = info;
      return refuse_if_error(sink_.start(info));
    }
    if (info.size == info_->size && info.last_modified == info_->last_modified) return {};
    return refuse_if_error(make_error(ErrorCode::kUnavailable,
                                      "{} was replaced while it was read: read it again", key_));
  }

  Result<> write(ByteView bytes) {
    delivered_ += bytes.size();
    return refuse_if_error(sink_(bytes));
  }

  Result<> refuse_if_error(Result<> result) {
    refused_ = !result.ok();
    return result;
  }

  RemoteStorage& storage_;
  const std::string_view key_;
  const ByteRange& range_;
  const ByteSink& sink_;
  std::optional<ObjectInfo> info_;
  ByteInterval wanted_;
  uint64_t delivered_ = 0;
  bool refused_ = false;
};

class Retrying::Upload : public MultipartUpload {
 public:
  Upload(Retrying& storage, std::unique_ptr<MultipartUpload> inner, std::string key)
      : storage_(storage), inner_(std::move(inner)), key_(std::move(key)) {}

  Result<> upload_part(uint32_t number, ByteView body, const CallOptions& options) override {
    return storage_.repeat({Operation::kMultipartPart, key_, options},
                           [&] { return inner_->upload_part(number, body, options); });
  }

  Result<> complete(uint32_t parts, const CallOptions& options) override {
    std::optional<Error> earlier;
    bool refused = false;
    const auto attempt = [&]() -> Result<> {
      auto completed = inner_->complete(parts, options);
      if (completed.ok() || completed.failed_with(ErrorCode::kCancelled)) return completed;
      if (retryable(completed.code())) {
        earlier = completed.error();
        return completed;
      }
      if (!earlier) return completed;
      // Most likely the upload is gone because the attempt that broke off had completed it.
      refused = true;
      return *earlier;
    };
    return storage_.repeat({Operation::kMultipartComplete, key_, options}, attempt,
                           [&] { return refused; });
  }

  Result<> abort(const CallOptions& options) override {
    return storage_.repeat({Operation::kMultipartAbort, key_, options},
                           [&] { return inner_->abort(options); });
  }

 private:
  Retrying& storage_;
  const std::unique_ptr<MultipartUpload> inner_;
  const std::string key_;
};

Result<ListPage> Retrying::list(std::string_view prefix, std::string_view after,
                                const CallOptions& options) {
  return repeat({Operation::kList, prefix, options},
                [&] { return inner_->list(prefix, after, options); });
}

Result<> Retrying::put(std::string_view key, ByteView body, PutCondition condition,
                       const CallOptions& options) {
  return repeat({Operation::kPut, key, options},
                [&] { return inner_->put(key, body, condition, options); });
}

Result<std::unique_ptr<MultipartUpload>> Retrying::start_multipart(std::string_view key,
                                                                   uint64_t part_size,
                                                                   const CallOptions& options) {
  VARVE_ASSIGN(auto upload, repeat({Operation::kMultipartCreate, key, options}, [&] {
                 return inner_->start_multipart(key, part_size, options);
               }));
  return std::make_unique<Upload>(*this, std::move(upload), std::string(key));
}

Result<UploadPage> Retrying::list_uploads(std::string_view prefix, std::string_view continuation,
                                          const CallOptions& options) {
  return repeat({Operation::kMultipartList, prefix, options},
                [&] { return inner_->list_uploads(prefix, continuation, options); });
}

Result<> Retrying::abort_upload(std::string_view key, std::string_view upload_id,
                                const CallOptions& options) {
  return repeat({Operation::kMultipartAbort, key, options},
                [&] { return inner_->abort_upload(key, upload_id, options); });
}

Result<ObjectInfo> Retrying::get(std::string_view key, const ByteRange& range, const ByteSink& sink,
                                 const CallOptions& options) {
  Download download(*inner_, key, range, sink);
  return repeat(
      {Operation::kGet, key, options}, [&] { return download.attempt(options); },
      [&] { return download.refused(); });
}

Result<ObjectInfo> Retrying::head(std::string_view key, const CallOptions& options) {
  return repeat({Operation::kHead, key, options}, [&] { return inner_->head(key, options); });
}

Result<std::vector<FailedRemoval>> Retrying::remove(const std::vector<std::string>& keys,
                                                    const CallOptions& options) {
  std::vector<std::string> left = keys;
  std::vector<FailedRemoval> failed;
  std::vector<FailedRemoval> undecided;
  const auto attempt = [&]() -> Result<> {
    undecided.clear();
    VARVE_ASSIGN(auto answers, inner_->remove(left, options));
    left.clear();
    for (FailedRemoval& answer : answers) {
      const bool again = retryable(answer.error.code());
      if (again) left.push_back(answer.key);
      (again ? undecided : failed).push_back(std::move(answer));
    }
    if (undecided.empty()) return {};
    return undecided.front().error;
  };
  const std::string what = fmt::format("of {} objects", keys.size());
  const auto done = repeat({Operation::kDelete, what, options}, attempt);
  // Without undecided keys it was the last request as a whole that failed.
  if (!done.ok() && (undecided.empty() || done.failed_with(ErrorCode::kCancelled))) {
    return done.error();
  }
  std::ranges::move(undecided, std::back_inserter(failed));
  return failed;
}

}  // namespace varve
