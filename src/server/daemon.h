// `varve serve`: a work directory that is served over HTTP and synchronised in the background.
#pragma once

#include <memory>

#include "server/housekeeping.h"
#include "server/http/http_server.h"
#include "server/http/routes.h"
#include "server/local_page_service.h"
#include "server/settings.h"
#include "server/warm_layers.h"

namespace varve {

class Daemon {
 public:
  struct Options {
    std::filesystem::path work_directory;
    // In place of the work directory's varve.toml; empty: that one.
    std::filesystem::path settings_file = {};
    SettingOverrides overrides;
    // Null: by PostgreSQL, as the settings say.
    std::shared_ptr<Redo> redo = {};
    // Requested before it is ready, it ends the start; afterwards see run().
    std::stop_token stop;
  };
  // Gives it once it answers. Conflict when the work directory or the address is in use;
  // InvalidArgument when it would listen to others than this machine without a token.
  static Result<std::unique_ptr<Daemon>> start(const Options& options);
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  LocalPageService& service() { return *service_; }
  // For feeds, which end before run() does.
  PageServer& page_server() { return service_->page_server(); }

  // Until a stop is requested. Then nothing new is taken, and what runs may finish within
  // `stop_timeout`; what does not is interrupted, and is done again at the next start.
  Result<> run(std::stop_token stop);

  // Reads the settings and the certificate anew, from any thread. Takes the log level; what else
  // has changed and is in force only after a restart is logged. A file with mistakes changes
  // nothing.
  void reload();

 private:
  explicit Daemon(const Options& options) : options_(options) {}

  std::filesystem::path settings_file() const;
  Result<Settings> read_settings() const;
  Result<> write_pid_file() const;
  void stop();

  const Options options_;
  Settings settings_;
  // Null: plain HTTP.
  std::shared_ptr<http::TlsIdentity> tls_;
  // Interrupts requests that are being handled.
  std::stop_source interrupted_;
  std::unique_ptr<LocalPageService> service_;
  std::unique_ptr<Housekeeping> housekeeping_;
  std::unique_ptr<WarmLayers> warm_layers_;
  // Of the requests: it refers to the service.
  std::unique_ptr<http::ApiState> api_;
  std::unique_ptr<http::HttpServer> http_;
};

}  // namespace varve
