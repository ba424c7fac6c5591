#include "ingest/auxiliary_file_restorer.h"

#include <sys/stat.h>

#include <algorithm>

namespace varve {
namespace {

constexpr std::string_view kAutomaticSettings = "postgresql.auto.conf";

// Settings files are edited as a whole; a larger file holds no settings.
constexpr uint64_t kMaximumSettingsFile = 16U << 20;

// Files that would send the server into a recovery.
bool starts_recovery(std::string_view path) {
  return path == "standby.signal" || path == "recovery.signal" || path == "backup_label" ||
         path == "tablespace_map";
}

}  // namespace

Result<> AuxiliaryFileRestorer::add(const AuxiliaryFileKey& key, ByteView image) {
  if (key.chunk == 0) {
    VARVE_TRY(complete());
    VARVE_ASSIGN(AuxiliaryFileHeader header, AuxiliaryFileHeader::decode(image));
    VARVE_TRY(begin(key, std::move(header)));
  }
  if (!open_ || open_->path_hash != key.path_hash) {
    return make_error(ErrorCode::kCorrupted, "{} has no beginning", describe(make_key(key)));
  }
  // Chunks beyond the end are from a longer version of the file.
  if (open_->left == 0) return {};
  const uint64_t expected = std::min<uint64_t>(open_->left, kAuxiliaryChunkSize);
  if (key.chunk != open_->next_chunk || image.size() < expected) {
    return make_error(ErrorCode::kCorrupted, "chunk {} of the file {} is missing or too short",
                      open_->next_chunk, open_->header.path);
  }
  const ByteView piece = image.first(static_cast<size_t>(expected));
  if (open_->file) VARVE_TRY(open_->file->append(piece));
  if (open_->text) open_->text->append(as_text(piece));
  ++open_->next_chunk;
  open_->left -= expected;
  return {};
}

Result<> AuxiliaryFileRestorer::finish(const ServerSettings& settings) {
  VARVE_TRY(complete());
  VARVE_TRY(write_if_missing("postgresql.conf", default_settings(settings)));
  VARVE_TRY(write_if_missing("pg_hba.conf", default_client_authentication()));
  VARVE_TRY(write_if_missing("pg_ident.conf", ""));
  return write_if_missing(
      std::string(kAutomaticSettings),
      configuration_ == Configuration::kHarmless ? with_harmless_settings("") : "");
}

bool AuxiliaryFileRestorer::is_left_out(std::string_view path) const {
  const auto directory = DatabaseTag::of_path(path);
  return starts_recovery(path) || (directory && !databases_.includes(directory->database));
}

Result<> AuxiliaryFileRestorer::begin(const AuxiliaryFileKey& key, AuxiliaryFileHeader header) {
  if (auxiliary_path_hash(header.path) != key.path_hash) {
    return make_error(ErrorCode::kCorrupted, "{} is that of {}", describe(make_key(key)),
                      header.path);
  }
  open_.emplace(OpenFile{.path_hash = key.path_hash,
                         .header = std::move(header),
                         .next_chunk = 0,
                         .left = 0,
                         .file = {},
                         .text = {}});
  const std::string& path = open_->header.path;
  open_->left = open_->header.size;
  if (is_left_out(path)) return {};
  if (S_ISDIR(open_->header.mode)) return target_.make_directory(path);
  if (is_settings_file(path) && open_->header.size <= kMaximumSettingsFile) {
    open_->text.emplace();
    return {};
  }
  VARVE_ASSIGN(open_->file, target_.create_file(path, open_->header.mode));
  return {};
}

Result<> AuxiliaryFileRestorer::complete() {
  if (!open_) return {};
  const OpenFile done = *std::exchange(open_, std::nullopt);
  const std::string& path = done.header.path;
  if (done.left != 0) {
    return make_error(ErrorCode::kCorrupted, "the file {} ends {} bytes early", path, done.left);
  }
  if (!done.text) return {};
  if (configuration_ == Configuration::kAsStored) {
    const auto text = without_source_paths(*done.text, SourcePaths::kDataDirectory);
    return target_.write_file(path, as_bytes(text));
  }
  auto text = without_source_paths(*done.text, SourcePaths::kAll);
  if (path == kAutomaticSettings) text = with_harmless_settings(text);
  return target_.write_file(path, as_bytes(text));
}

Result<> AuxiliaryFileRestorer::write_if_missing(const std::string& path,
                                                 std::string_view content) {
  VARVE_ASSIGN(const bool is_there, target_.has(path));
  if (is_there) return {};
  return target_.write_file(path, as_bytes(content));
}

}  // namespace varve
