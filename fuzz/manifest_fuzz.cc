// Manifests of every kind.
#include "expect.h"
#include "storage_sync/manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const varve::ByteView bytes(data, size);
  varve::expect_same_again<varve::TimelineManifest>(bytes);
  varve::expect_same_again<varve::TenantManifest>(bytes);
  varve::expect_same_again<varve::PackManifest>(bytes);
  return 0;
}
