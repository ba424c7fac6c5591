#include "remote_storage/s3/text_file.h"

#include <fcntl.h>

#include <algorithm>

#include "fs/file.h"

namespace varve::s3 {
namespace {

constexpr uint64_t kMaximumSize = 1U << 20;

}  // namespace

Result<std::string> read_text_file(const std::filesystem::path& path) {
  std::error_code ignored;
  if (const auto status = std::filesystem::status(path, ignored);
      std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    return make_error(ErrorCode::kInvalidArgument, "{} is not a regular file", path.string());
  }
  VARVE_ASSIGN(const File file, File::open(path, O_RDONLY));
  VARVE_ASSIGN(const uint64_t size, file.size());
  if (size > kMaximumSize) {
    return make_error(ErrorCode::kInvalidArgument, "{} is longer than {} bytes", path.string(),
                      kMaximumSize);
  }
  Bytes content(size);
  // It may have been replaced by a shorter one.
  VARVE_ASSIGN(const size_t count, file.read_at(0, content));
  return std::string(as_text(ByteView(content).first(count)));
}

Result<std::string> read_token_file(const std::filesystem::path& path) {
  VARVE_ASSIGN(std::string token, read_text_file(path));
  constexpr std::string_view kBlanks = " \t\r\n";
  token.erase(token.find_last_not_of(kBlanks) + 1);
  token.erase(0, token.find_first_not_of(kBlanks));
  if (token.empty()) {
    return make_error(ErrorCode::kInvalidArgument, "{} holds no token", path.string());
  }
  if (std::ranges::any_of(token, [](unsigned char c) { return c < 0x20 || c >= 0x7f; })) {
    return make_error(ErrorCode::kInvalidArgument,
                      "{} holds more than a token: it must be one line of printable ASCII",
                      path.string());
  }
  return token;
}

}  // namespace varve::s3
