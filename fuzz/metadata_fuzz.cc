// The metadata of a timeline, and the small files of the work directory.
#include "expect.h"
#include "storage_sync/local_manifest.h"
#include "storage_sync/local_tenant.h"
#include "storage_sync/nonce_journal.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const varve::ByteView bytes(data, size);
  varve::expect_same_again<varve::TimelineMetadata>(bytes);
  varve::expect_same_again<varve::LocalManifest>(bytes);
  varve::expect_same_again<varve::LocalTenant>(bytes);
  varve::expect_same_again<varve::Attempts>(bytes);
  // A file ends with the checksum of the rest.
  const size_t checksum_at = size < sizeof(uint64_t) ? size : size - sizeof(uint64_t);
  varve::with_right_checksum(bytes, checksum_at, [](varve::ByteView file) {
    std::ignore = varve::decode_metadata_file(file);
  });
  return 0;
}
