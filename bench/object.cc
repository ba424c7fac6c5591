#include <fcntl.h>

#include "fs/file.h"
#include "measurement.h"
#include "remote_storage/parallel_upload.h"
#include "server/remote_access.h"

namespace varve::bench {
namespace {

Json throughput(double seconds, uint64_t bytes) {
  return {{"seconds", seconds}, {"bytes", bytes}};
}

}  // namespace

Result<Json> measure_put(const std::filesystem::path& file, const std::string& url,
                         const std::string& key) {
  VARVE_ASSIGN(const auto access,
               RemoteAccess::open({.url = url, .access = LocalFs::Access::kReadWrite}));
  VARVE_ASSIGN(const File source, File::open(file, O_RDONLY));
  const SyncContext& context = access->context();
  const Stopwatch watch;
  VARVE_ASSIGN(const auto upload,
               ParallelUpload::start(context.storage, context.transfer_pool, key,
                                     {.part_size = context.options.part_size,
                                      .parallel_parts = context.options.parallel_parts},
                                     {}));
  Bytes buffer(1U << 20);
  for (size_t count = buffer.size(); count == buffer.size();) {
    VARVE_ASSIGN(count, source.read_at(upload->size(), buffer));
    VARVE_TRY(upload->append(ByteView(buffer).first(count)));
  }
  VARVE_TRY(upload->finish());
  return throughput(watch.seconds(), upload->size());
}

Result<Json> measure_get(const std::string& url, const std::string& key,
                         const std::filesystem::path& file) {
  VARVE_ASSIGN(const auto access, RemoteAccess::open({.url = url}));
  VARVE_ASSIGN(File target, File::open(file, O_WRONLY | O_CREAT | O_TRUNC));
  const Stopwatch watch;
  uint64_t offset = 0;
  const auto write = [&](ByteView bytes) -> Result<> {
    VARVE_TRY(target.write_at(offset, bytes));
    offset += bytes.size();
    return {};
  };
  VARVE_TRY(access->context().storage.get(key, ByteRange::whole(), ByteSink(write), {}));
  return throughput(watch.seconds(), offset);
}

}  // namespace varve::bench
