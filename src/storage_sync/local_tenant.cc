#include "storage_sync/local_tenant.h"

#include "storage_sync/checked_file.h"

namespace varve {
namespace {

constexpr std::string_view kMagic = "VARVETEN";

}  // namespace

Result<> LocalTenant::check_owned() const {
  VARVE_TRY(check_writer());
  if (!attaching) return {};
  return make_error(ErrorCode::kConflict,
                    "the attach of tenant {} did not come to its end: repeat 'varve tenant attach'",
                    manifest.id);
}

Result<> LocalTenant::check_writer() const {
  constexpr std::string_view kRemedy =
      "make changes from there, or take it over with 'varve tenant attach'";
  if (manifest.deleted) {
    return make_error(ErrorCode::kConflict, "tenant {} was deleted", manifest.id);
  }
  if (fence) {
    return make_error(
        ErrorCode::kConflict,
        "tenant {} was taken over by {} at {}, and this work directory only reads it: {}",
        manifest.id,
        fence->writer.is_nil() ? "another server" : "writer " + fence->writer.to_string(),
        fence->at.to_string(), kRemedy);
  }
  if (writer.is_nil()) {
    return make_error(ErrorCode::kConflict,
                      "tenant {} is owned by writer {}, another work directory: {}", manifest.id,
                      manifest.stamp.writer, kRemedy);
  }
  return {};
}

Bytes LocalTenant::encode() const {
  ByteWriter out;
  out.put(head.sequence);
  out.put(head.checksum);
  out.put(writer);
  out.put(static_cast<uint8_t>(fence ? 1 : 0));
  out.put(fence ? fence->writer : WriterId{});
  out.put(static_cast<uint64_t>(fence ? fence->at.micros : 0));
  out.put(static_cast<uint8_t>(attaching ? 1 : 0));
  out.put_blob(manifest.encode());
  return std::move(out).take();
}

Result<LocalTenant> LocalTenant::decode(ByteView bytes) {
  ByteReader in(bytes, "tenant file");
  LocalTenant tenant;
  uint8_t fenced = 0;
  uint8_t attaching = 0;
  Fence fence;
  uint64_t micros = 0;
  ByteView manifest;
  VARVE_TRY(in.get(tenant.head.sequence));
  VARVE_TRY(in.get(tenant.head.checksum));
  VARVE_TRY(in.get(tenant.writer));
  VARVE_TRY(in.get(fenced));
  VARVE_TRY(in.get(fence.writer));
  VARVE_TRY(in.get(micros));
  VARVE_TRY(in.get(attaching));
  VARVE_TRY(in.get_blob(manifest));
  VARVE_TRY(in.finish());
  fence.at.micros = static_cast<int64_t>(micros);
  for (const uint8_t flag : {fenced, attaching}) {
    if (flag > 1) return make_error(ErrorCode::kCorrupted, "a flag of the tenant file is {}", flag);
  }
  if (fenced == 1) tenant.fence = fence;
  tenant.attaching = attaching == 1;
  VARVE_ASSIGN(tenant.manifest, TenantManifest::decode(manifest));
  return tenant;
}

Result<LocalTenant> LocalTenant::read(const std::filesystem::path& tenant_directory) {
  const auto path = tenant_directory / kTenantFileName;
  VARVE_ASSIGN(const Bytes body, read_checked_file(path, kMagic));
  return decode(body).context(path.string());
}

Result<> LocalTenant::write(const std::filesystem::path& tenant_directory) const {
  return write_checked_file(tenant_directory / kTenantFileName, kMagic, encode());
}

}  // namespace varve
