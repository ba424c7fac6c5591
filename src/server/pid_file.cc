#include "server/pid_file.h"

#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "fs/directory.h"

namespace varve {
namespace {

// Anybody may know where the server is; what it is asked is another matter.
constexpr mode_t kMode = 0644;

}  // namespace

std::filesystem::path PidFile::path(const std::filesystem::path& work_directory) {
  return work_directory / "varve.pid";
}

Result<PidFile> PidFile::read(const std::filesystem::path& work_directory) {
  const auto file = path(work_directory);
  VARVE_ASSIGN(const Bytes content, read_file(file));
  constexpr bool kWithExceptions = false;
  const auto json = nlohmann::json::parse(as_text(content), nullptr, kWithExceptions);
  const auto text = [&](const char* key) -> std::string {
    const auto found = json.find(key);
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  PidFile result;
  if (json.is_object() && json.contains("pid") && json["pid"].is_number_integer()) {
    result = {.pid = json["pid"].get<pid_t>(),
              .url = text("url"),
              .address = text("address"),
              .certificate = text("certificate"),
              .token_file = text("token_file"),
              .remote = text("remote")};
  }
  if (result.pid <= 0 || result.url.empty()) {
    return make_error(ErrorCode::kCorrupted, "{} does not say where a varve server is",
                      file.string());
  }
  return result;
}

Result<> PidFile::write(const std::filesystem::path& work_directory) const {
  const nlohmann::ordered_json json{{"pid", pid},
                                    {"url", url},
                                    {"address", address},
                                    {"certificate", certificate},
                                    {"token_file", token_file},
                                    {"remote", remote}};
  const std::string text = json.dump(2) + "\n";
  return write_file_atomically(path(work_directory), as_bytes(text), kMode);
}

Result<> PidFile::remove(const std::filesystem::path& work_directory) {
  return remove_file(path(work_directory));
}

}  // namespace varve
