#include "cli/options.h"

namespace varve {

Command Command::group(const std::string& name, const std::string& description) const {
  CLI::App* added = app->add_subcommand(name, description);
  added->require_subcommand(1);
  return {added, common, chosen};
}

Command Command::leaf(const std::string& name, const std::string& description) const {
  return {app->add_subcommand(name, description), common, chosen};
}

void Command::run(Action action) const {
  app->callback([action = std::move(action), chosen = chosen] { *chosen = action; });
}

const Command& Command::with_work_directory() const {
  app->add_option("--workdir", common->work_directory, "The work directory, made by 'varve init'")
      ->envname("VARVE_WORKDIR")
      ->required();
  app->add_option("--remote", common->overrides.remote,
                  "The remote storage: file:///absolute/path or s3://bucket/prefix (default: as in "
                  "varve.toml)")
      ->envname("VARVE_REMOTE");
  return with_log_level().with_compression_level().with_pg_user();
}

const Command& Command::with_remote() const {
  app->add_option("--remote", common->remote,
                  "The remote storage: file:///absolute/path or s3://bucket/prefix")
      ->envname("VARVE_REMOTE")
      ->required();
  return with_log_level();
}

const Command& Command::with_log_level() const {
  app->add_option("--log-level", common->overrides.log_level,
                  "trace, debug, info, warning, error or off (default: info)")
      ->envname("VARVE_LOG_LEVEL");
  return *this;
}

const Command& Command::with_compression_level() const {
  app->add_option("--compression-level", common->overrides.compression_level,
                  "Of zstd, 1 to 19 (default: 3)")
      ->envname("VARVE_COMPRESSION_LEVEL");
  return *this;
}

const Command& Command::with_pg_user() const {
  app->add_option("--pg-user", common->overrides.pg_user,
                  "As root: who owns restored data directories (default: postgres)")
      ->envname("VARVE_PG_USER");
  return *this;
}

const Command& Command::with_serve_settings() const {
  app->add_option("--listen", common->overrides.listen,
                  "Where the server listens; port 0 picks a free one (default: 127.0.0.1:9898)")
      ->envname("VARVE_LISTEN");
  app->add_option("--token-file", common->overrides.token_file,
                  "A file with the bearer token that requests must have, readable by its owner "
                  "alone (default: none is asked for)")
      ->transform([](const std::string& path) {
        return path.empty() ? path : std::filesystem::absolute(path).string();
      })
      ->envname("VARVE_TOKEN_FILE");
  app->add_option("--stop-timeout", common->overrides.stop_timeout,
                  "How many seconds what runs may still take when the server is stopped (default: "
                  "10)")
      ->envname("VARVE_STOP_TIMEOUT");
  return *this;
}

const Command& Command::with_json() const {
  app->add_flag("--json", common->json, "Print the result as one JSON document");
  return *this;
}

std::string check_lsn(const std::string& text) {
  const auto parsed = Lsn::parse(text);
  return parsed.ok() ? std::string() : parsed.error().message();
}

}  // namespace varve
