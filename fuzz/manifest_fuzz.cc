// Manifests of every kind, and the small files of the work directory.
#include <cstdlib>

#include "base/checksum.h"
#include "storage_sync/local_manifest.h"
#include "storage_sync/local_tenant.h"
#include "storage_sync/nonce_journal.h"

namespace varve {
namespace {

void check(bool holds) {
  if (!holds) std::abort();
}

// What can be read can be written, and is then read as the same.
template <typename Decoded>
void look_at(ByteView bytes) {
  const auto decoded = Decoded::decode(bytes);
  if (!decoded.ok()) return;
  const auto again = Decoded::decode(decoded->encode());
  check(again.ok());
  check(again->encode() == decoded->encode());
}

void look_at_metadata_file(ByteView bytes) {
  std::ignore = decode_metadata_file(bytes);
  if (bytes.size() < sizeof(uint64_t)) return;
  Bytes repaired(bytes.begin(), bytes.end());
  const size_t checksum_at = repaired.size() - sizeof(uint64_t);
  store_little(repaired.data() + checksum_at, checksum64(bytes.first(checksum_at)));
  std::ignore = decode_metadata_file(repaired);
}

}  // namespace
}  // namespace varve

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const varve::ByteView bytes(data, size);
  varve::look_at<varve::TimelineMetadata>(bytes);
  varve::look_at<varve::TimelineManifest>(bytes);
  varve::look_at<varve::TenantManifest>(bytes);
  varve::look_at<varve::PackManifest>(bytes);
  varve::look_at<varve::LocalManifest>(bytes);
  varve::look_at<varve::LocalTenant>(bytes);
  varve::look_at<varve::Attempts>(bytes);
  varve::look_at_metadata_file(bytes);
  return 0;
}
