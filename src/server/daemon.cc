#include "server/daemon.h"

#include <unistd.h>

#include "base/bytes.h"
#include "base/logging.h"
#include "fs/directory.h"
#include "server/http/token.h"
#include "server/pid_file.h"

namespace varve {
namespace {

// What is lost of the counts of requests when the process is killed; and how long what clients have
// left alone may stay beyond its time.
constexpr Duration kTidyEvery = std::chrono::minutes(1);

Result<http::HttpServerOptions> http_options(const Settings& settings,
                                             std::shared_ptr<http::TlsIdentity> tls) {
  http::HttpServerOptions options;
  options.security.is_tls = tls != nullptr;
  options.tls = std::move(tls);
  VARVE_ASSIGN(options.address, ListenAddress::parse(settings.listen));
  if (!settings.token_file.empty()) {
    VARVE_ASSIGN(options.security.token, http::read_token_file(settings.token_file));
  } else if (!options.address.is_loopback()) {
    return make_error(ErrorCode::kInvalidArgument,
                      "whoever reaches {} could delete everything: give a token with --token-file, "
                      "or listen on 127.0.0.1",
                      options.address.to_string());
  }
  return options;
}

}  // namespace

Result<std::unique_ptr<Daemon>> Daemon::start(const Options& options) {
  std::unique_ptr<Daemon> daemon(new Daemon(options));
  VARVE_ASSIGN(WorkDirectory directory, WorkDirectory::open(options.work_directory));
  VARVE_ASSIGN(daemon->settings_, daemon->read_settings());
  if (!daemon->settings_.tls_certificate.empty()) {
    VARVE_ASSIGN(daemon->tls_, http::TlsIdentity::load(daemon->settings_.tls_certificate,
                                                       daemon->settings_.tls_key));
  }
  VARVE_ASSIGN(auto http, http_options(daemon->settings_, daemon->tls_));
  VARVE_ASSIGN(daemon->http_, http::HttpServer::bind(std::move(http)));

  const std::stop_callback interrupt(options.stop, [&] { daemon->interrupted_.request_stop(); });
  VARVE_ASSIGN(auto server, PageServer::open(std::move(directory),
                                             {.settings = daemon->settings_,
                                              .call = {.stop = daemon->interrupted_.get_token()},
                                              .redo = options.redo}));
  daemon->service_ = std::make_unique<LocalPageService>(std::move(server));
  daemon->service_->start_sync(std::chrono::seconds(daemon->settings_.stop_timeout));
  LocalPageService& service = *daemon->service_;
  service.page_server().start_redo();
  daemon->service_->start_following();
  daemon->housekeeping_ = std::make_unique<Housekeeping>(service.page_server());
  daemon->warm_layers_ = std::make_unique<WarmLayers>(service.page_server());
  daemon->api_ = std::make_unique<http::ApiState>();
  daemon->http_->start(
      http::Router(http::all_routes(service, *daemon->api_, service.scratch_directory(),
                                    [&service] { return service.metrics_text(); })),
      service.metrics());
  VARVE_TRY(daemon->write_pid_file());
  spdlog::info(
      "serving workdir={} address={} tls={} remote={} token={} pid={}",
      options.work_directory.string(), daemon->http_->address().to_string(),
      daemon->tls_ != nullptr, daemon->settings_.remote.empty() ? "none" : daemon->settings_.remote,
      daemon->settings_.token_file.empty() ? "none" : daemon->settings_.token_file, getpid());
  return daemon;
}

std::filesystem::path Daemon::settings_file() const {
  return options_.settings_file.empty() ? options_.work_directory / kSettingsFileName
                                        : options_.settings_file;
}

Result<Settings> Daemon::read_settings() const {
  VARVE_ASSIGN(const Bytes content, read_file(settings_file()));
  VARVE_ASSIGN(Settings settings, parse_settings(as_text(content), settings_file().string()));
  options_.overrides.apply(settings);
  VARVE_TRY(check_settings(settings));
  return settings;
}

Result<> Daemon::write_pid_file() const {
  ListenAddress address = http_->address().for_clients();
  const std::string host = address.host;
  if (tls_) address.host = tls_->name_for(host);
  const PidFile file{.pid = getpid(),
                     .url = (tls_ ? "https://" : "http://") + address.to_string(),
                     .address = address.host == host ? "" : host,
                     .certificate = settings_.tls_certificate,
                     .token_file = settings_.token_file,
                     .remote = settings_.remote};
  return file.write(options_.work_directory);
}

Daemon::~Daemon() {
  stop();
}

Result<> Daemon::run(std::stop_token stop_request) {
  while (system_clock().sleep(kTidyEvery, stop_request)) {
    api_->give_up_idle();
    auto kept = service_->keep_request_counts();
    if (!kept.ok()) log_error("the counts of requests were not kept", kept.error());
  }
  spdlog::info("stopping stop_timeout={}", settings_.stop_timeout);
  stop();
  spdlog::info("stopped");
  return {};
}

void Daemon::stop() {
  if (!http_) return;
  if (service_) service_->stop_following();
  {
    const std::jthread sync_end([this] {
      if (service_) service_->end_sync();
    });
    http_->stop();
    const Deadline deadline = Deadline::after(std::chrono::seconds(settings_.stop_timeout));
    const bool operations_ended = !api_ || api_->operations.finish_within(deadline.remaining());
    if (!operations_ended || !http_->finished_within(deadline.remaining())) {
      spdlog::warn("requests are interrupted: they took longer than stop_timeout");
      interrupted_.request_stop();
    }
    http_.reset();
    api_.reset();
    // What is still read is not for anybody who waits.
    if (service_) service_->page_server().stop_redo();
    housekeeping_.reset();
    // Once nobody reads any more.
    warm_layers_.reset();
  }
  if (service_) {
    auto removed = PidFile::remove(options_.work_directory);
    if (!removed.ok()) log_error("the pid file stays", removed.error());
    service_.reset();
  }
}

void Daemon::reload() {
  if (tls_) {
    auto reloaded = tls_->reload();
    if (!reloaded.ok()) log_error("the certificate stays as it was", reloaded.error());
  }
  const auto path = settings_file();
  const auto settings = read_settings();
  if (!settings.ok()) return log_error("the settings were not read anew", settings.error());
  auto level = set_log_level(settings->log_level);
  if (!level.ok()) return log_error("the settings were not read anew", level.error());
  spdlog::info("reloaded {} log_level={}", path.string(), settings->log_level);
  for (const std::string& key : differing_keys(*settings, settings_)) {
    if (key != "log_level") spdlog::warn("{} has changed: restart for it to take effect", key);
  }
}

}  // namespace varve
