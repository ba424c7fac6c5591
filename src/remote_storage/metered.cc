#include "remote_storage/metered.h"

namespace varve {

// The counts as metrics.
class Metered::Exporter {
 public:
  Exporter(Metrics& metrics, const Prices& prices)
      : metrics_(metrics),
        prices_(prices),
        sent_(bytes(metrics, "sent")),
        received_(bytes(metrics, "received")),
        cost_(metrics.counter("varve_remote_storage_cost_usd_total",
                              "What the requests to the remote storage cost at S3's list prices, "
                              "in US dollars.")) {
    seconds_.reserve(kOperationCount);
    for (size_t at = 0; at < kOperationCount; ++at) {
      seconds_.push_back(
          metrics.histogram("varve_remote_storage_request_seconds",
                            "How long requests to the remote storage took, failed ones included.",
                            {{"operation", std::string(name(static_cast<Operation>(at)))}}));
    }
  }

  void count(Operation operation, std::optional<ErrorCode> code, uint64_t sent, Duration taken) {
    metrics_
        .counter("varve_remote_storage_requests_total", "Requests to the remote storage.",
                 {{"operation", std::string(name(operation))},
                  {"result", code ? std::string(name(*code)) : "ok"}})
        .add();
    seconds_[static_cast<size_t>(operation)].observe(std::chrono::duration<double>(taken).count());
    sent_.add(static_cast<double>(sent));
    cost_.add(price_usd(operation, prices_));
  }

  void count_received(uint64_t bytes) { received_.add(static_cast<double>(bytes)); }

 private:
  static Counter bytes(Metrics& metrics, const std::string& direction) {
    return metrics.counter("varve_remote_storage_bytes_total",
                           "Bytes of objects sent to and received from the remote storage.",
                           {{"direction", direction}});
  }

  Metrics& metrics_;
  const Prices prices_;
  std::vector<Histogram> seconds_;
  Counter sent_;
  Counter received_;
  Counter cost_;
};

class Metered::Upload : public MultipartUpload {
 public:
  Upload(Metered& meter, std::unique_ptr<MultipartUpload> inner)
      : meter_(meter), inner_(std::move(inner)) {}

  // Done here rather than left to the inner upload, whose request would not be counted.
  ~Upload() override {
    constexpr auto kPatience = std::chrono::seconds(30);
    if (!ended_) (void)abort({.deadline = Deadline::after(kPatience, meter_.clock_)});
  }

  Result<> upload_part(uint32_t number, ByteView body, const CallOptions& options) override {
    return meter_.measure(Operation::kMultipartPart, body.size(),
                          [&] { return inner_->upload_part(number, body, options); });
  }

  Result<> complete(uint32_t parts, const CallOptions& options) override {
    auto completed = meter_.measure(Operation::kMultipartComplete, 0,
                                    [&] { return inner_->complete(parts, options); });
    ended_ = ended_ || completed.ok();
    return completed;
  }

  Result<> abort(const CallOptions& options) override {
    auto aborted =
        meter_.measure(Operation::kMultipartAbort, 0, [&] { return inner_->abort(options); });
    ended_ = ended_ || aborted.ok();
    return aborted;
  }

 private:
  Metered& meter_;
  const std::unique_ptr<MultipartUpload> inner_;
  bool ended_ = false;
};

Metered::Metered(std::unique_ptr<RemoteStorage> inner, const Options& options)
    : inner_(std::move(inner)),
      clock_(*options.clock),
      exporter_(options.metrics == nullptr
                    ? nullptr
                    : std::make_unique<Exporter>(*options.metrics, options.prices)),
      counts_(options.initial) {}

Metered::~Metered() = default;

RequestCounts Metered::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

template <typename Call>
auto Metered::measure(Operation operation, uint64_t sent, Call call) -> decltype(call()) {
  const BootTime start = clock_.boot_time();
  auto result = call();
  const Duration taken = clock_.boot_time() - start;
  if (result.ok()) {
    count(operation, std::nullopt, sent, taken);
  } else {
    count(operation, result.code(), 0, taken);
  }
  return result;
}

void Metered::count(Operation operation, std::optional<ErrorCode> code, uint64_t sent,
                    Duration taken) {
  if (exporter_ != nullptr) exporter_->count(operation, code, sent, taken);
  const std::lock_guard lock(mutex_);
  ++counts_.requests[static_cast<size_t>(operation)][RequestCounts::outcome(code)];
  counts_.bytes_sent += sent;
}

void Metered::count_received(uint64_t bytes) {
  if (exporter_ != nullptr) exporter_->count_received(bytes);
  const std::lock_guard lock(mutex_);
  counts_.bytes_received += bytes;
}

Result<ListPage> Metered::list(std::string_view prefix, std::string_view after,
                               const CallOptions& options) {
  return measure(Operation::kList, 0, [&] { return inner_->list(prefix, after, options); });
}

Result<> Metered::put(std::string_view key, ByteView body, PutCondition condition,
                      const CallOptions& options) {
  return measure(Operation::kPut, body.size(),
                 [&] { return inner_->put(key, body, condition, options); });
}

Result<std::unique_ptr<MultipartUpload>> Metered::start_multipart(std::string_view key,
                                                                  uint64_t part_size,
                                                                  const CallOptions& options) {
  VARVE_ASSIGN(auto upload, measure(Operation::kMultipartCreate, 0, [&] {
                 return inner_->start_multipart(key, part_size, options);
               }));
  return std::make_unique<Upload>(*this, std::move(upload));
}

Result<UploadPage> Metered::list_uploads(std::string_view prefix, std::string_view continuation,
                                         const CallOptions& options) {
  return measure(Operation::kMultipartList, 0,
                 [&] { return inner_->list_uploads(prefix, continuation, options); });
}

Result<> Metered::abort_upload(std::string_view key, std::string_view upload_id,
                               const CallOptions& options) {
  return measure(Operation::kMultipartAbort, 0,
                 [&] { return inner_->abort_upload(key, upload_id, options); });
}

Result<ObjectInfo> Metered::get(std::string_view key, const ByteRange& range, const ByteSink& sink,
                                const CallOptions& options) {
  const ByteSink counting([&](const ObjectInfo& info) { return sink.start(info); },
                          [&](ByteView bytes) {
                            count_received(bytes.size());
                            return sink(bytes);
                          });
  return measure(Operation::kGet, 0, [&] { return inner_->get(key, range, counting, options); });
}

Result<ObjectInfo> Metered::head(std::string_view key, const CallOptions& options) {
  return measure(Operation::kHead, 0, [&] { return inner_->head(key, options); });
}

Result<std::vector<FailedRemoval>> Metered::remove(const std::vector<std::string>& keys,
                                                   const CallOptions& options) {
  return measure(Operation::kDelete, 0, [&] { return inner_->remove(keys, options); });
}

}  // namespace varve
