// Delta manifests, and what comes of applying them. The input is a full manifest as a blob, then a
// delta, so that either may be anything and often fits the other.
#include <cstdlib>

#include "storage_sync/manifest_delta.h"

namespace varve {
namespace {

void check(bool holds) {
  if (!holds) std::abort();
}

void look_at(ByteView bytes) {
  ByteReader in(bytes, "input");
  ByteView first;
  if (!in.get_blob(first).ok()) return;
  const auto base = TimelineManifest::decode(first);
  const auto delta = TimelineManifestDelta::decode(bytes.subspan(in.offset()));
  if (!delta.ok()) return;
  const auto again = TimelineManifestDelta::decode(delta->encode());
  check(again.ok() && *again == *delta);

  if (!base.ok()) return;
  const auto applied = apply(*delta, *base);
  if (!applied.ok()) return;
  // What fits gives a manifest like any other, and the difference to it says the same.
  check(TimelineManifest::decode(applied->encode()).ok());
  const auto twice = apply(difference(delta->base, *base, *applied), *base);
  check(twice.ok() && *twice == *applied);
}

}  // namespace
}  // namespace varve

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  varve::look_at({data, size});
  return 0;
}
