#include "layer/layer_writer.h"

#include <rocksdb/file_checksum.h>
#include <rocksdb/sst_file_writer.h>
#include <rocksdb/table_properties.h>

#include <mutex>

#include "fs/directory.h"
#include "layer/layer_file.h"

namespace varve {
namespace {

// Hashes what RocksDB writes, as it writes it, so that the file need not be read again.
class ChecksumGenerator : public rocksdb::FileChecksumGenerator {
 public:
  void Update(const char* data, size_t size) override {
    stream_.update({reinterpret_cast<const uint8_t*>(data), size});
  }
  void Finalize() override {
    const Checksum128 digest = stream_.digest();
    checksum_.assign(reinterpret_cast<const char*>(digest.bytes.data()), digest.bytes.size());
  }
  std::string GetChecksum() const override { return checksum_; }
  const char* Name() const override { return "xxh3-128"; }

 private:
  Checksum128Stream stream_;
  std::string checksum_;
};

class ChecksumGeneratorFactory : public rocksdb::FileChecksumGenFactory {
 public:
  std::unique_ptr<rocksdb::FileChecksumGenerator> CreateFileChecksumGenerator(
      const rocksdb::FileChecksumGenContext& /*context*/) override {
    return std::make_unique<ChecksumGenerator>();
  }
  const char* Name() const override { return "xxh3-128-factory"; }
};

// Puts the layer's name, which is known only at the end, into the table's properties.
class NameCollector : public rocksdb::TablePropertiesCollector {
 public:
  explicit NameCollector(std::shared_ptr<const std::string> name) : name_(std::move(name)) {}
  rocksdb::Status Finish(rocksdb::UserCollectedProperties* properties) override {
    *properties = GetReadableProperties();
    return rocksdb::Status::OK();
  }
  rocksdb::UserCollectedProperties GetReadableProperties() const override {
    return {{layer_file::kVersionProperty, layer_file::kCurrentVersion},
            {layer_file::kNameProperty, *name_}};
  }
  const char* Name() const override { return "varve.layer"; }

 private:
  std::shared_ptr<const std::string> name_;
};

class NameCollectorFactory : public rocksdb::TablePropertiesCollectorFactory {
 public:
  explicit NameCollectorFactory(std::shared_ptr<const std::string> name) : name_(std::move(name)) {}
  rocksdb::TablePropertiesCollector* CreateTablePropertiesCollector(
      rocksdb::TablePropertiesCollectorFactory::Context /*context*/) override {
    return new NameCollector(name_);  // RocksDB takes ownership: see rocksdb/table_properties.h.
  }
  const char* Name() const override { return "varve.layer"; }

 private:
  std::shared_ptr<const std::string> name_;
};

}  // namespace

struct LayerWriter::State {
  std::filesystem::path directory;
  std::filesystem::path temporary;
  std::shared_ptr<std::string> name = std::make_shared<std::string>();
  std::unique_ptr<rocksdb::SstFileWriter> table;
  Bytes value;

  ~State() {
    table.reset();
    std::error_code ignored;
    if (!temporary.empty()) std::filesystem::remove(temporary, ignored);
  }
};

LayerWriter::LayerWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
LayerWriter::LayerWriter(LayerWriter&&) noexcept = default;
LayerWriter& LayerWriter::operator=(LayerWriter&&) noexcept = default;
LayerWriter::~LayerWriter() = default;

Result<LayerWriter> LayerWriter::create(const std::filesystem::path& directory,
                                        uint64_t file_number) {
  auto state = std::make_unique<State>();
  state->directory = directory;
  state->temporary = directory / fmt::format("layer-{}{}", file_number, kTemporarySuffix);

  rocksdb::Options options = layer_file::table_options();
  options.file_checksum_gen_factory = std::make_shared<ChecksumGeneratorFactory>();
  options.table_properties_collector_factories.push_back(
      std::make_shared<NameCollectorFactory>(state->name));
  // The file is uploaded right after it was written: its pages must stay in the page cache.
  constexpr bool kDropFromPageCache = false;
  rocksdb::EnvOptions environment;
  // The disk works while the table is being made: little is left to wait for when it is synced.
  environment.bytes_per_sync = 4U << 20;
  state->table =
      std::make_unique<rocksdb::SstFileWriter>(environment, options, nullptr, kDropFromPageCache);
  const auto status = state->table->Open(state->temporary);
  if (!status.ok()) return layer_file::to_error(status, state->temporary.string());
  return LayerWriter(std::move(state));
}

Result<> LayerWriter::put(const Version& version) {
  const auto key = layer_file::encode_key(version.key, version.lsn);
  Bytes& value = state_->value;
  value.resize(1 + version.value.size());
  value[0] = static_cast<uint8_t>(version.kind);
  if (!version.value.empty()) {
    std::memcpy(value.data() + 1, version.value.data(), version.value.size());
  }
  const auto status =
      state_->table->Put({reinterpret_cast<const char*>(key.data()), key.size()},
                         {reinterpret_cast<const char*>(value.data()), value.size()});
  if (status.ok()) return {};
  if (status.IsInvalidArgument()) {
    return make_error(ErrorCode::kInvalidArgument,
                      "key {} at {} was put out of order into layer file {}", version.key,
                      version.lsn, state_->temporary.string());
  }
  return layer_file::to_error(status, state_->temporary.string());
}

uint64_t LayerWriter::size() const {
  return state_->table->FileSize();
}

Result<LayerFileInfo> LayerWriter::finish(const LayerName& name) {
  *state_->name = name.to_string();
  rocksdb::ExternalSstFileInfo info;
  const auto status = state_->table->Finish(&info);
  if (!status.ok()) return layer_file::to_error(status, state_->temporary.string());

  LayerFileInfo result{.name = name, .size = info.file_size, .checksum = {}};
  if (info.file_checksum.size() != result.checksum.bytes.size()) {
    return make_error(ErrorCode::kInternal, "no checksum was computed for {}",
                      state_->temporary.string());
  }
  std::memcpy(result.checksum.bytes.data(), info.file_checksum.data(), info.file_checksum.size());
  VARVE_TRY(rename_durably(state_->temporary, state_->directory / name.to_string()));
  state_->temporary.clear();
  return result;
}

}  // namespace varve
