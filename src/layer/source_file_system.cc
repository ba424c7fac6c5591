#include "layer/source_file_system.h"

#include <rocksdb/file_system.h>

#include <algorithm>

namespace varve::layer_file {
namespace {

thread_local std::optional<Error> last_error;

class SourceFile : public rocksdb::FSRandomAccessFile {
 public:
  explicit SourceFile(std::shared_ptr<LayerFileSource> source) : source_(std::move(source)) {}

  rocksdb::IOStatus Read(uint64_t offset, size_t size, const rocksdb::IOOptions& /*options*/,
                         rocksdb::Slice* result, char* scratch,
                         rocksdb::IODebugContext* /*debug*/) const override {
    const uint64_t end = source_->size();
    const size_t count = offset < end ? std::min<uint64_t>(size, end - offset) : 0;
    *result = rocksdb::Slice(scratch, count);
    auto read = source_->read_at(offset, {reinterpret_cast<uint8_t*>(scratch), count});
    if (read.ok()) return rocksdb::IOStatus::OK();
    *result = rocksdb::Slice();
    last_error = read.error();
    return rocksdb::IOStatus::IOError(read.error().message());
  }

 private:
  const std::shared_ptr<LayerFileSource> source_;
};

class SourceFileSystem : public rocksdb::FileSystemWrapper {
 public:
  explicit SourceFileSystem(std::shared_ptr<LayerFileSource> source)
      : FileSystemWrapper(FileSystem::Default()), source_(std::move(source)) {}

  const char* Name() const override { return "varve.source"; }

  rocksdb::IOStatus NewRandomAccessFile(const std::string& /*name*/,
                                        const rocksdb::FileOptions& /*options*/,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                        rocksdb::IODebugContext* /*debug*/) override {
    *file = std::make_unique<SourceFile>(source_);
    return rocksdb::IOStatus::OK();
  }

  rocksdb::IOStatus GetFileSize(const std::string& /*name*/, const rocksdb::IOOptions& /*options*/,
                                uint64_t* size, rocksdb::IODebugContext* /*debug*/) override {
    *size = source_->size();
    return rocksdb::IOStatus::OK();
  }

 private:
  const std::shared_ptr<LayerFileSource> source_;
};

}  // namespace

std::unique_ptr<rocksdb::Env> source_environment(std::shared_ptr<LayerFileSource> source) {
  return rocksdb::NewCompositeEnv(std::make_shared<SourceFileSystem>(std::move(source)));
}

std::optional<Error> take_source_error() {
  return std::exchange(last_error, std::nullopt);
}

void forget_source_error() {
  last_error.reset();
}

}  // namespace varve::layer_file
