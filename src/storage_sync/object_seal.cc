#include "storage_sync/object_seal.h"

#include "base/checksum.h"
#include "storage_sync/frame_codec.h"
#include "storage_sync/object_format.h"

namespace varve {

Result<ObjectSeal> seal_object(ObjectKind kind, uint64_t content_size, ByteView manifest,
                               int compression_level) {
  ObjectSeal seal;
  VARVE_ASSIGN(seal.bytes, zstd_compress(manifest, compression_level));
  const ObjectTrailer trailer{
      .kind = kind,
      .object_size = content_size + seal.bytes.size() + kObjectTrailerSize,
      .manifest_offset = content_size,
      .manifest_stored_size = static_cast<uint32_t>(seal.bytes.size()),
      .manifest_raw_size = static_cast<uint32_t>(manifest.size()),
      .manifest_checksum = checksum64(seal.bytes),
  };
  const Bytes encoded = trailer.encode();
  seal.bytes.insert(seal.bytes.end(), encoded.begin(), encoded.end());
  seal.checksum = trailer.checksum();
  return seal;
}

}  // namespace varve
