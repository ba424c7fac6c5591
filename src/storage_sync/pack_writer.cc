#include "storage_sync/pack_writer.h"

#include "storage_sync/object_seal.h"

namespace varve {

Result<std::unique_ptr<PackWriter>> PackWriter::start(const SyncContext& context,
                                                      const ObjectName& pack,
                                                      const CallOptions& options) {
  VARVE_ASSIGN(auto upload,
               ParallelUpload::start(context.storage, context.transfer_pool, pack.key(),
                                     {.part_size = context.options.part_size,
                                      .parallel_parts = context.options.parallel_parts},
                                     options));
  return std::unique_ptr<PackWriter>(new PackWriter(context, pack, std::move(upload)));
}

Result<> PackWriter::finish(const PackManifest& manifest) {
  VARVE_ASSIGN(const ObjectSeal seal, seal_object(ObjectKind::kPack, size(), manifest.encode(),
                                                  context_.options.compression_level));
  VARVE_TRY(append(seal.bytes));
  return upload_->finish();
}

}  // namespace varve
