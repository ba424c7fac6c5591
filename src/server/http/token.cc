#include "server/http/token.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/bytes.h"
#include "fs/file.h"

namespace varve::http {
namespace {

constexpr size_t kShortest = 16;
constexpr size_t kLongest = 1024;

bool is_token_character(char c) {
  return c > ' ' && c <= '~';
}

}  // namespace

Result<std::string> read_token_file(const std::filesystem::path& path) {
  VARVE_ASSIGN(const File file, File::open(path, O_RDONLY));
  struct stat status{};
  if (fstat(file.descriptor(), &status) != 0) {
    return system_error(errno, fmt::format("cannot look at {}", path.string()));
  }
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return make_error(ErrorCode::kDenied,
                      "the token file {} can be read by others than its owner: 'chmod 600' it, and "
                      "put a new token into it",
                      path.string());
  }
  std::array<uint8_t, kLongest + 2> content{};
  VARVE_ASSIGN(const size_t length, file.read_at(0, content));
  std::string_view token = as_text(std::span(content).first(length));
  token = token.substr(0, token.find_last_not_of("\r\n") + 1);
  if (token.size() < kShortest || token.size() > kLongest ||
      !std::ranges::all_of(token, is_token_character)) {
    return make_error(ErrorCode::kInvalidArgument,
                      "the token file {} does not hold a token of {} to {} visible ASCII "
                      "characters: make one with 'openssl rand -hex 32'",
                      path.string(), kShortest, kLongest);
  }
  return std::string(token);
}

bool authorizes(std::string_view authorization, std::string_view token) {
  constexpr std::string_view kScheme = "Bearer ";
  const bool has_scheme =
      authorization.size() > kScheme.size() &&
      std::ranges::equal(authorization.substr(0, kScheme.size()), kScheme, [](char a, char b) {
        return std::tolower(static_cast<unsigned char>(a)) ==
               std::tolower(static_cast<unsigned char>(b));
      });
  if (!has_scheme) return false;
  const std::string_view given = authorization.substr(kScheme.size());
  return given.size() == token.size() &&
         CRYPTO_memcmp(given.data(), token.data(), token.size()) == 0;
}

}  // namespace varve::http
