#include "remote_storage/s3/curl_transport.h"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstring>

namespace varve::s3 {
namespace {

// Bodies from here on are announced with "Expect: 100-continue", so that a refusal or a redirect
// comes before they are sent; for smaller ones the extra round trip costs more.
constexpr size_t kExpectContinueSize = 1U << 20;
// What libcurl reads and writes at once; CURLOPT_BUFFERSIZE(3), CURLOPT_UPLOAD_BUFFERSIZE(3).
constexpr long kReceiveBufferSize = 256L << 10;
constexpr long kSendBufferSize = 512L << 10;
// How often a call looks at its time limits; a stop request wakes it up earlier.
constexpr Duration kTick = std::chrono::milliseconds(500);

using SteadyTime = std::chrono::steady_clock::time_point;

long milliseconds(Duration duration) {
  return static_cast<long>(std::chrono::ceil<std::chrono::milliseconds>(duration).count());
}

CURLcode initialise_once() {
  static const CURLcode result = curl_global_init(CURL_GLOBAL_DEFAULT);
  return result;
}

// "https://host:port" alone: a path or a query may hold what must not be shown.
std::string shown_host(std::string_view url) {
  const size_t scheme = url.find("://");
  const size_t begin = scheme == std::string_view::npos ? 0 : scheme + 3;
  return std::string(url.substr(0, url.find_first_of("/?#", begin)));
}

std::string_view trim(std::string_view text) {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), [](unsigned char c) { return std::tolower(c); });
  return result;
}

struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using List = std::unique_ptr<curl_slist, ListDeleter>;

void append(List& list, const std::string& line) {
  list.reset(curl_slist_append(list.release(), line.c_str()));
}

ErrorCode code_of(CURLcode result) {
  switch (result) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
      return ErrorCode::kDenied;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_SSL_CACERT_BADFILE:
      return ErrorCode::kInvalidArgument;
    case CURLE_OUT_OF_MEMORY:
      return ErrorCode::kExhausted;
    default:
      return ErrorCode::kUnavailable;
  }
}

std::string_view remedy_of(CURLcode result) {
  switch (result) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
      return ": if its certificate is signed by a CA of your own, name that CA's PEM file in "
             "VARVE_S3_CA_FILE or AWS_CA_BUNDLE";
    case CURLE_SSL_CACERT_BADFILE:
      return ": check VARVE_S3_CA_FILE or AWS_CA_BUNDLE";
    case CURLE_COULDNT_RESOLVE_HOST:
      return ": check the host name of the endpoint";
    default:
      return "";
  }
}

}  // namespace

struct CurlTransport::Handle {
  CURL* easy = nullptr;
  CURLM* multi = nullptr;

  Handle() : easy(curl_easy_init()), multi(curl_multi_init()) {}
  ~Handle() {
    if (easy != nullptr) curl_easy_cleanup(easy);
    if (multi != nullptr) curl_multi_cleanup(multi);
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
};

// One request and its answer.
class CurlTransport::Transfer {
 public:
  Transfer(Handle& handle, const Options& limits, const HttpRequest& request, const HttpSink* sink,
           const CallOptions& options)
      : handle_(handle),
        limits_(limits),
        request_(request),
        sink_(sink),
        options_(options),
        host_(shown_host(request.url)) {}

  Result<HttpResponse> run() {
    VARVE_TRY(check());
    configure();
    if (curl_multi_add_handle(handle_.multi, handle_.easy) != CURLM_OK) {
      return make_error(ErrorCode::kExhausted, "{}: libcurl cannot start a transfer", host_);
    }
    const Result<CURLcode> result = drive();
    // Closes the connection of a transfer that has not ended.
    curl_multi_remove_handle(handle_.multi, handle_.easy);
    // Forgets what belongs to this object; keeps connections, TLS sessions and the DNS cache.
    curl_easy_reset(handle_.easy);
    VARVE_TRY(result);
    return conclude(*result);
  }

 private:
  Result<> check() const { return options_.check(fmt::format("{} {}", request_.method, host_)); }

  template <typename Value>
  void set(CURLoption option, Value value) {
    curl_easy_setopt(handle_.easy, option, value);
  }

  void configure() {
    set(CURLOPT_URL, request_.url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    set(CURLOPT_PATH_AS_IS, 1L);
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_TCP_NODELAY, 1L);
    set(CURLOPT_TCP_KEEPALIVE, 1L);
    // Otherwise a stop would wait for a name server that does not answer.
    set(CURLOPT_QUICK_EXIT, 1L);
    set(CURLOPT_BUFFERSIZE, kReceiveBufferSize);
    set(CURLOPT_UPLOAD_BUFFERSIZE, kSendBufferSize);
    set(CURLOPT_CONNECTTIMEOUT_MS, milliseconds(limits_.connect_timeout));
    set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    set(CURLOPT_USERAGENT, limits_.user_agent.c_str());
    set(CURLOPT_ERRORBUFFER, message_.data());
    // CURLOPT_PROXY(3): the empty string overrides the environment.
    if (request_.bypass_proxy) set(CURLOPT_PROXY, "");
    if (!limits_.ca_file.empty()) set(CURLOPT_CAINFO, limits_.ca_file.c_str());

    configure_method();
    for (const auto& [name, value] : request_.headers) {
      // "name;" is how libcurl spells a header without a value.
      append(headers_, value.empty() ? name + ";" : fmt::format("{}: {}", name, value));
    }
    set(CURLOPT_HTTPHEADER, headers_.get());
    set(CURLOPT_HEADERFUNCTION, &Transfer::on_header);
    set(CURLOPT_HEADERDATA, this);
    set(CURLOPT_WRITEFUNCTION, &Transfer::on_body);
    set(CURLOPT_WRITEDATA, this);
  }

  void configure_method() {
    set(CURLOPT_CUSTOMREQUEST, request_.method.c_str());
    if (request_.method == "HEAD") {
      set(CURLOPT_NOBODY, 1L);
      return;
    }
    const bool sends = request_.method == "PUT" || request_.method == "POST";
    if (!sends && request_.body.empty()) return;
    set(CURLOPT_UPLOAD, 1L);
    set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
    // Without a function that seeks, so that libcurl cannot send a body twice.
    set(CURLOPT_READFUNCTION, &Transfer::on_read);
    set(CURLOPT_READDATA, this);
    append(headers_,
           request_.body.size() >= kExpectContinueSize ? "Expect: 100-continue" : "Expect:");
  }

  // Until libcurl says how it ended, or a limit has passed.
  Result<CURLcode> drive() {
    const std::stop_callback wake(options_.stop, [this] { curl_multi_wakeup(handle_.multi); });
    last_progress_ = std::chrono::steady_clock::now();
    for (;;) {
      int running = 0;
      const CURLMcode performed = curl_multi_perform(handle_.multi, &running);
      if (performed != CURLM_OK) {
        return make_error(ErrorCode::kInternal, "{}: libcurl: {}", host_,
                          curl_multi_strerror(performed));
      }
      if (refusal_) return CURLE_WRITE_ERROR;
      if (running == 0) return finished_with();
      VARVE_TRY(check());
      VARVE_TRY(check_progress());
      const Duration wait = std::min(kTick, options_.deadline.remaining());
      curl_multi_poll(handle_.multi, nullptr, 0, static_cast<int>(milliseconds(wait)), nullptr);
    }
  }

  CURLcode finished_with() {
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(handle_.multi, &left)) {
      if (message->msg == CURLMSG_DONE) return message->data.result;
    }
    return CURLE_RECV_ERROR;
  }

  Result<> check_progress() const {
    const bool waits_for_answer = response_.status < 200 && sent_ == request_.body.size();
    const Duration limit = waits_for_answer ? limits_.first_byte_timeout : limits_.stall_timeout;
    if (std::chrono::steady_clock::now() - last_progress_ < limit) return {};
    return make_error(
        ErrorCode::kUnavailable, "{} {}: {} within {} s", request_.method, host_,
        waits_for_answer ? "the server did not begin to answer" : "not a byte was sent or received",
        std::chrono::duration<double>(limit).count());
  }

  Result<HttpResponse> conclude(CURLcode result) {
    if (refusal_) return *refusal_;
    if (result == CURLE_OK && takes_body() && !started_) {
      VARVE_TRY(start());
    }
    if (result == CURLE_OK) return std::move(response_);
    const char* detail = message_[0] != '\0' ? message_.data() : curl_easy_strerror(result);
    return make_error(code_of(result), "{} {}: {}{}", request_.method, host_, detail,
                      remedy_of(result));
  }

  bool takes_body() const {
    return sink_ != nullptr && response_.status >= 200 && response_.status < 300;
  }

  Result<> start() {
    started_ = true;
    return sink_->start ? sink_->start(response_) : Result<>();
  }

  Result<> receive(ByteView bytes) {
    VARVE_TRY(check());
    if (takes_body()) {
      if (!started_) VARVE_TRY(start());
      return sink_->write(bytes);
    }
    if (response_.body.size() + bytes.size() > kMaximumBody) {
      return make_error(ErrorCode::kCorrupted, "{} {}: the answer is longer than {} bytes",
                        request_.method, host_, kMaximumBody);
    }
    response_.body.insert(response_.body.end(), bytes.begin(), bytes.end());
    return {};
  }

  void take_header(std::string_view line) {
    if (line.starts_with("HTTP/")) {
      // What came before was an interim answer, such as 100 Continue.
      response_.headers.clear();
      const size_t space = line.find(' ');
      response_.status =
          space == std::string_view::npos ? 0 : std::atoi(std::string(line.substr(space)).c_str());
      return;
    }
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) return;
    response_.headers.emplace_back(lower(trim(line.substr(0, colon))),
                                   std::string(trim(line.substr(colon + 1))));
  }

  void progressed() { last_progress_ = std::chrono::steady_clock::now(); }

  static size_t on_header(char* data, size_t, size_t size, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    transfer.progressed();
    transfer.take_header({data, size});
    return size;
  }

  static size_t on_body(char* data, size_t, size_t size, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    auto received = transfer.receive(as_bytes({data, size}));
    // After the sink, whose time is not the server's.
    transfer.progressed();
    if (received.ok()) return size;
    transfer.refusal_ = std::move(received).error();
    return size + 1;  // CURLOPT_WRITEFUNCTION(3): another count than was given is an error.
  }

  static size_t on_read(char* buffer, size_t, size_t size, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    transfer.progressed();
    const ByteView chunk = transfer.request_.body.subspan(transfer.sent_);
    const size_t count = std::min(size, chunk.size());
    std::memcpy(buffer, chunk.data(), count);
    transfer.sent_ += count;
    return count;
  }

  Handle& handle_;
  const Options& limits_;
  const HttpRequest& request_;
  const HttpSink* const sink_;
  const CallOptions& options_;
  const std::string host_;
  List headers_;
  std::array<char, CURL_ERROR_SIZE> message_{};
  HttpResponse response_;
  std::optional<Error> refusal_;
  size_t sent_ = 0;
  bool started_ = false;
  SteadyTime last_progress_;
};

Result<std::unique_ptr<CurlTransport>> CurlTransport::create(const Options& options) {
  if (initialise_once() != CURLE_OK) {
    return make_error(ErrorCode::kInternal, "libcurl cannot be initialised");
  }
  if (!options.ca_file.empty() && ::access(options.ca_file.c_str(), R_OK) != 0) {
    return make_error(ErrorCode::kInvalidArgument,
                      "CA file {} cannot be read: check VARVE_S3_CA_FILE or AWS_CA_BUNDLE",
                      options.ca_file);
  }
  return std::unique_ptr<CurlTransport>(new CurlTransport(options));
}

CurlTransport::CurlTransport(const Options& options) : options_(options) {}

CurlTransport::~CurlTransport() = default;

Result<HttpResponse> CurlTransport::send(const HttpRequest& request, const HttpSink* sink,
                                         const CallOptions& options) {
  VARVE_ASSIGN(auto handle, take_handle());
  auto response = Transfer(*handle, options_, request, sink, options).run();
  give_back(std::move(handle));
  return response;
}

Result<std::unique_ptr<CurlTransport::Handle>> CurlTransport::take_handle() {
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      // The last one used: its connection is the least likely to have been closed.
      auto handle = std::move(idle_.back());
      idle_.pop_back();
      return handle;
    }
  }
  auto handle = std::make_unique<Handle>();
  if (handle->easy != nullptr && handle->multi != nullptr) return handle;
  return make_error(ErrorCode::kExhausted, "libcurl has no memory for another connection");
}

void CurlTransport::give_back(std::unique_ptr<Handle> handle) {
  const std::lock_guard lock(mutex_);
  if (idle_.size() < options_.maximum_idle) idle_.push_back(std::move(handle));
}

}  // namespace varve::s3
