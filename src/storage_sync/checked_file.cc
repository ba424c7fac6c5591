#include "storage_sync/checked_file.h"

#include "base/checksum.h"
#include "fs/directory.h"

namespace varve {
namespace {

constexpr uint16_t kVersion = 1;
constexpr size_t kMagicSize = 8;
constexpr size_t kHeadSize = kMagicSize + sizeof(uint16_t);
constexpr size_t kChecksumSize = sizeof(uint64_t);
// A manifest of a million layers; anything larger is damage.
constexpr uint64_t kMaximumSize = 256ULL << 20;

}  // namespace

Result<> write_checked_file(const std::filesystem::path& path, std::string_view magic,
                            ByteView body) {
  ByteWriter out;
  out.put_raw(as_bytes(magic));
  out.put(kVersion);
  out.put_raw(body);
  out.put(checksum64(out.view()));
  return write_file_atomically(path, out.view());
}

Result<ByteView> check_file_content(ByteView content, std::string_view magic,
                                    std::string_view what) {
  if (content.size() < kHeadSize + kChecksumSize || as_text(content.first(kMagicSize)) != magic) {
    return make_error(ErrorCode::kCorrupted, "{} is no {} file", what, magic);
  }
  const ByteView covered = content.first(content.size() - kChecksumSize);
  if (load_little<uint64_t>(covered.data() + covered.size()) != checksum64(covered)) {
    return make_error(ErrorCode::kCorrupted, "{}: its checksum does not match", what);
  }
  if (const auto version = load_little<uint16_t>(content.data() + kMagicSize);
      version != kVersion) {
    return make_error(ErrorCode::kCorrupted, "{} has version {}, this program reads version {}",
                      what, version, kVersion);
  }
  return covered.subspan(kHeadSize);
}

Result<Bytes> read_checked_file(const std::filesystem::path& path, std::string_view magic) {
  VARVE_ASSIGN(const Bytes content, read_file(path, kMaximumSize));
  VARVE_ASSIGN(const ByteView body, check_file_content(content, magic, path.string()));
  return Bytes(body.begin(), body.end());
}

}  // namespace varve
