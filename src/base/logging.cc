#include "base/logging.h"

#include <spdlog/sinks/stdout_color_sinks.h>

#include <memory>

namespace varve {
namespace {

Result<spdlog::level::level_enum> parse_level(std::string_view level_name) {
  const auto level = spdlog::level::from_str(std::string(level_name));
  // from_str answers "off" to everything it does not know.
  if (level == spdlog::level::off && level_name != "off") {
    return make_error(ErrorCode::kInvalidArgument,
                      "'{}' is not a log level: expected trace, debug, info, warning, error or off",
                      level_name);
  }
  return level;
}

}  // namespace

Result<> set_up_logging(std::string_view level_name) {
  VARVE_ASSIGN(const auto level, parse_level(level_name));
  auto logger = std::make_shared<spdlog::logger>(
      "varve", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  logger->set_level(level);
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %^%l%$ %v", spdlog::pattern_time_type::utc);
  spdlog::set_default_logger(std::move(logger));
  return {};
}

Result<> set_log_level(std::string_view level_name) {
  VARVE_ASSIGN(const auto level, parse_level(level_name));
  spdlog::default_logger_raw()->set_level(level);
  return {};
}

}  // namespace varve
