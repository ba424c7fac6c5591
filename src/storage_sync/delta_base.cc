#include "storage_sync/delta_base.h"

#include <algorithm>

#include "base/logging.h"
#include "storage_sync/checked_file.h"

namespace varve {
namespace {

constexpr std::string_view kMagic = "VARVEBAS";

Result<DeltaBase> decode(ByteView bytes) {
  ByteReader in(bytes, "base of deltas");
  DeltaBase base;
  ByteView manifest;
  VARVE_TRY(in.get_string(base.commit.object));
  VARVE_TRY(in.get(base.commit.checksum));
  VARVE_TRY(in.get_blob(manifest));
  VARVE_TRY(in.finish());
  base.encoded_size = manifest.size();
  VARVE_ASSIGN(base.manifest, TimelineManifest::decode(manifest));
  return base;
}

Result<DeltaBase> read_file_in(const std::filesystem::path& timeline_directory) {
  const auto path = timeline_directory / kDeltaBaseFileName;
  VARVE_ASSIGN(const Bytes body, read_checked_file(path, kMagic));
  return decode(body).context(path.string());
}

// An object that the newest commit does not need may be collected at any time.
bool is_retained(const DeltaBase& base, const LocalManifest& local) {
  return base.manifest.id == local.manifest.id &&
         std::ranges::find(local.remote_objects, base.commit.object) != local.remote_objects.end();
}

}  // namespace

std::optional<DeltaBase> DeltaBase::read(const std::filesystem::path& timeline_directory,
                                         const LocalManifest& local) {
  auto base = read_file_in(timeline_directory);
  if (!base.ok()) {
    if (!base.failed_with(ErrorCode::kNotFound)) {
      log_error("the next commit will have a full manifest", base.error());
    }
    return std::nullopt;
  }
  if (!is_retained(*base, local)) return std::nullopt;
  return *std::move(base);
}

Result<> DeltaBase::write(const std::filesystem::path& timeline_directory,
                          const ManifestBase& commit, const TimelineManifest& manifest) {
  const Bytes encoded = manifest.encode();
  if (encoded.size() < kSmallestBaseSize) return {};
  ByteWriter out;
  out.put_string(commit.object);
  out.put(commit.checksum);
  out.put_blob(encoded);
  return write_checked_file(timeline_directory / kDeltaBaseFileName, kMagic, out.view());
}

std::optional<Bytes> DeltaBase::encode_difference(const TimelineManifest& next) const {
  Bytes encoded = difference(commit, manifest, next).encode();
  if (encoded.size() > encoded_size / kLargestDeltaDivisor) return std::nullopt;
  return encoded;
}

}  // namespace varve
