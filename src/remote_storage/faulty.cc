#include "remote_storage/faulty.h"

#include "base/checksum.h"
#include "base/random.h"

namespace varve {
namespace {

Error injected(ErrorCode code, Operation operation, std::string_view key, std::string_view what) {
  return make_error(code, "{} {}: injected fault, {}", name(operation), key, what);
}

// Passes on a stream until it is to break off, or with one byte inverted.
class DisturbedSink {
 public:
  DisturbedSink(const Fault& fault, std::string_view key, const ByteSink& sink)
      : fault_(fault), key_(key), sink_(sink) {}

  Result<> write(ByteView bytes) {
    const uint64_t start = std::exchange(passed_, passed_ + bytes.size());
    const bool here = fault_.bytes >= start && fault_.bytes < passed_;
    if (!here) return sink_(bytes);
    const uint64_t at = fault_.bytes - start;
    if (fault_.kind == Fault::Kind::kTearStream) {
      if (at > 0) VARVE_TRY(sink_(bytes.first(at)));
      return injected(fault_.code, Operation::kGet, key_,
                      fmt::format("the stream breaks off after {} bytes", fault_.bytes));
    }
    Bytes changed(bytes.begin(), bytes.end());
    changed[at] = static_cast<uint8_t>(~changed[at]);
    return sink_(changed);
  }

 private:
  const Fault fault_;
  const std::string_view key_;
  const ByteSink& sink_;
  uint64_t passed_ = 0;
};

}  // namespace

FaultScript fault_rules(std::vector<FaultRule> rules) {
  std::vector<uint64_t> matched(rules.size(), 0);
  return [rules = std::move(rules),
          matched = std::move(matched)](const FaultyCall& call) mutable -> std::optional<Fault> {
    std::optional<Fault> fault;
    for (size_t at = 0; at < rules.size(); ++at) {
      const FaultRule& rule = rules[at];
      if (rule.operation != call.operation || call.key.find(rule.key) == std::string_view::npos) {
        continue;
      }
      const uint64_t number = matched[at]++;
      const bool applies = number >= rule.skip && number - rule.skip < rule.times;
      if (applies && !fault) fault = rule.fault;
    }
    return fault;
  };
}

FaultScript random_faults(uint64_t seed, double probability, std::vector<Fault> faults) {
  return [=](const FaultyCall& call) -> std::optional<Fault> {
    SeededRandom random(seed ^ checksum64(as_bytes(fmt::format("{} {} {}", name(call.operation),
                                                               call.number, call.key))));
    if (faults.empty() || random.next_fraction() >= probability) return std::nullopt;
    return faults[random.next() % faults.size()];
  };
}

class Faulty::Upload : public MultipartUpload {
 public:
  Upload(Faulty& storage, std::unique_ptr<MultipartUpload> inner, std::string key)
      : storage_(storage), inner_(std::move(inner)), key_(std::move(key)) {}

  Result<> upload_part(uint32_t number, ByteView body, const CallOptions& options) override {
    return storage_.disturb(Operation::kMultipartPart, key_, options,
                            [&] { return inner_->upload_part(number, body, options); });
  }
  Result<> complete(uint32_t parts, const CallOptions& options) override {
    return storage_.disturb(Operation::kMultipartComplete, key_, options,
                            [&] { return inner_->complete(parts, options); });
  }
  Result<> abort(const CallOptions& options) override {
    return storage_.disturb(Operation::kMultipartAbort, key_, options,
                            [&] { return inner_->abort(options); });
  }

 private:
  Faulty& storage_;
  const std::unique_ptr<MultipartUpload> inner_;
  const std::string key_;
};

Faulty::Faulty(std::unique_ptr<RemoteStorage> inner, FaultScript script, Clock& clock)
    : inner_(std::move(inner)), clock_(clock), script_(std::move(script)) {}

void Faulty::set_script(FaultScript script) {
  const std::lock_guard lock(mutex_);
  script_ = std::move(script);
}

std::optional<Fault> Faulty::next_fault(Operation operation, std::string_view key) {
  const std::lock_guard lock(mutex_);
  const uint64_t number = calls_[{operation, std::string(key)}]++;
  if (!script_) return std::nullopt;
  return script_({.operation = operation, .key = key, .number = number});
}

Result<> Faulty::before(const std::optional<Fault>& fault, Operation operation,
                        std::string_view key, const CallOptions& options) {
  if (!fault) return {};
  if (fault->kind == Fault::Kind::kFailBefore) {
    return injected(fault->code, operation, key, "before anything was done");
  }
  if (fault->kind != Fault::Kind::kDelay) return {};
  clock_.sleep(std::min(fault->delay, options.deadline.remaining(clock_)), options.stop);
  return options.check(key, clock_);
}

template <typename Call>
auto Faulty::make(const std::optional<Fault>& fault, Operation operation, std::string_view key,
                  const CallOptions& options, Call call) -> decltype(call()) {
  VARVE_TRY(before(fault, operation, key, options));
  auto result = call();
  if (result.ok() && fault && fault->kind == Fault::Kind::kFailAfter) {
    return injected(fault->code, operation, key, "after it was done");
  }
  return result;
}

template <typename Call>
auto Faulty::disturb(Operation operation, std::string_view key, const CallOptions& options,
                     Call call) -> decltype(call()) {
  return make(next_fault(operation, key), operation, key, options, std::move(call));
}

Result<ListPage> Faulty::list(std::string_view prefix, std::string_view after,
                              const CallOptions& options) {
  return disturb(Operation::kList, prefix, options,
                 [&] { return inner_->list(prefix, after, options); });
}

Result<> Faulty::put(std::string_view key, ByteView body, PutCondition condition,
                     const CallOptions& options) {
  const auto fault = next_fault(Operation::kPut, key);
  if (fault && fault->kind == Fault::Kind::kIgnoreCondition) condition = PutCondition::kNone;
  return make(fault, Operation::kPut, key, options,
              [&] { return inner_->put(key, body, condition, options); });
}

Result<std::unique_ptr<MultipartUpload>> Faulty::start_multipart(std::string_view key,
                                                                 uint64_t part_size,
                                                                 const CallOptions& options) {
  VARVE_ASSIGN(auto upload, disturb(Operation::kMultipartCreate, key, options, [&] {
                 return inner_->start_multipart(key, part_size, options);
               }));
  return std::make_unique<Upload>(*this, std::move(upload), std::string(key));
}

Result<UploadPage> Faulty::list_uploads(std::string_view prefix, std::string_view continuation,
                                        const CallOptions& options) {
  return disturb(Operation::kMultipartList, prefix, options,
                 [&] { return inner_->list_uploads(prefix, continuation, options); });
}

Result<> Faulty::abort_upload(std::string_view key, std::string_view upload_id,
                              const CallOptions& options) {
  return disturb(Operation::kMultipartAbort, key, options,
                 [&] { return inner_->abort_upload(key, upload_id, options); });
}

Result<ObjectInfo> Faulty::get(std::string_view key, const ByteRange& range, const ByteSink& sink,
                               const CallOptions& options) {
  const auto fault = next_fault(Operation::kGet, key);
  VARVE_TRY(before(fault, Operation::kGet, key, options));
  const bool disturbs =
      fault && (fault->kind == Fault::Kind::kTearStream || fault->kind == Fault::Kind::kFlipByte);
  if (!disturbs) {
    auto result = inner_->get(key, range, sink, options);
    if (result.ok() && fault && fault->kind == Fault::Kind::kFailAfter) {
      return injected(fault->code, Operation::kGet, key, "after all bytes came");
    }
    return result;
  }
  DisturbedSink disturbed(*fault, key, sink);
  return inner_->get(key, range,
                     ByteSink([&](const ObjectInfo& info) { return sink.start(info); },
                              [&](ByteView bytes) { return disturbed.write(bytes); }),
                     options);
}

Result<ObjectInfo> Faulty::head(std::string_view key, const CallOptions& options) {
  return disturb(Operation::kHead, key, options, [&] { return inner_->head(key, options); });
}

Result<std::vector<FailedRemoval>> Faulty::remove(const std::vector<std::string>& keys,
                                                  const CallOptions& options) {
  const std::string_view first = keys.empty() ? std::string_view() : keys.front();
  return disturb(Operation::kDelete, first, options, [&] { return inner_->remove(keys, options); });
}

}  // namespace varve
