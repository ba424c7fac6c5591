#include "layer/layer_reader.h"

#include <rocksdb/sst_file_reader.h>
#include <rocksdb/table_properties.h>

#include "layer/layer_file.h"
#include "layer/source_file_system.h"

namespace varve {
namespace {

// Bytes read ahead in a scan of a local file: large enough for a disk to stream, small against the
// memory limit. A source reads ahead itself.
constexpr size_t kScanReadAhead = 1 << 20;

ByteView view(const rocksdb::Slice& slice) {
  return {reinterpret_cast<const uint8_t*>(slice.data()), slice.size()};
}

rocksdb::Slice slice(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

struct LayerReader::State {
  std::string path;
  LayerName name;
  uint64_t version_count = 0;
  // Of a source: what the table reads through, and therefore destroyed after it.
  std::unique_ptr<rocksdb::Env> environment;
  std::unique_ptr<rocksdb::SstFileReader> table;

  // What a failed call on the table means. Before the call, forget_source_error().
  Error error(const rocksdb::Status& status) const {
    // Any other status is about what was read, not about the reading.
    if (environment && status.IsIOError()) {
      if (auto of_source = layer_file::take_source_error()) {
        return of_source->context("layer file " + path);
      }
    }
    return layer_file::to_error(status, path);
  }
};

LayerReader::LayerReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
LayerReader::LayerReader(LayerReader&&) noexcept = default;
LayerReader& LayerReader::operator=(LayerReader&&) noexcept = default;
LayerReader::~LayerReader() = default;

Result<LayerReader> LayerReader::open(const std::filesystem::path& path) {
  auto state = std::make_unique<State>();
  state->path = path.string();
  return open_table(std::move(state));
}

Result<LayerReader> LayerReader::open(std::shared_ptr<LayerFileSource> source, std::string what) {
  auto state = std::make_unique<State>();
  state->path = std::move(what);
  state->environment = layer_file::source_environment(std::move(source));
  return open_table(std::move(state));
}

Result<LayerReader> LayerReader::open_table(std::unique_ptr<State> state) {
  rocksdb::Options options = layer_file::table_options();
  if (state->environment) options.env = state->environment.get();
  state->table = std::make_unique<rocksdb::SstFileReader>(options);
  layer_file::forget_source_error();
  const auto status = state->table->Open(state->path);
  if (!status.ok()) return state->error(status);

  const auto properties = state->table->GetTableProperties();
  const auto property = [&](const char* key) {
    const auto found = properties->user_collected_properties.find(key);
    return found == properties->user_collected_properties.end() ? std::string() : found->second;
  };
  if (const auto version = property(layer_file::kVersionProperty);
      version != layer_file::kCurrentVersion) {
    return make_error(ErrorCode::kCorrupted,
                      "layer file {}: format version '{}' is not one that this program reads ({})",
                      state->path, version, layer_file::kCurrentVersion);
  }
  auto name = LayerName::parse(property(layer_file::kNameProperty));
  if (!name.ok()) {
    return make_error(ErrorCode::kCorrupted, "layer file {}: {}", state->path,
                      name.error().message());
  }
  state->name = *name;
  state->version_count = properties->num_entries;
  return LayerReader(std::move(state));
}

const LayerName& LayerReader::name() const {
  return state_->name;
}
uint64_t LayerReader::version_count() const {
  return state_->version_count;
}

Result<> LayerReader::scan(const KeyRange& range, const VersionVisitor& visit) const {
  const auto first = layer_file::encode_key(range.start, Lsn::max());
  const auto last = layer_file::encode_key(range.end, Lsn::max());
  const rocksdb::Slice upper_bound = slice(last);
  rocksdb::ReadOptions options;
  options.total_order_seek = true;
  if (!state_->environment) options.readahead_size = kScanReadAhead;
  options.iterate_upper_bound = &upper_bound;
  layer_file::forget_source_error();
  const std::unique_ptr<rocksdb::Iterator> iterator(state_->table->NewIterator(options));
  for (iterator->Seek(slice(first)); iterator->Valid(); iterator->Next()) {
    auto version = layer_file::decode_entry(view(iterator->key()), view(iterator->value()));
    if (!version.ok()) return version.error().context("layer file " + state_->path);
    VARVE_TRY(visit(*version));
  }
  if (!iterator->status().ok()) return state_->error(iterator->status());
  return {};
}

Result<std::optional<LayerReader::FoundVersion>> LayerReader::find(const Key& key, Lsn lsn) const {
  const auto wanted = layer_file::encode_key(key, lsn);
  rocksdb::ReadOptions options;
  options.prefix_same_as_start = true;
  layer_file::forget_source_error();
  const std::unique_ptr<rocksdb::Iterator> iterator(state_->table->NewIterator(options));
  iterator->Seek(slice(wanted));
  if (!iterator->status().ok()) return state_->error(iterator->status());
  if (!iterator->Valid()) return std::nullopt;
  auto version = layer_file::decode_entry(view(iterator->key()), view(iterator->value()));
  if (!version.ok()) return version.error().context("layer file " + state_->path);
  if (version->key != key) return std::nullopt;
  return FoundVersion{version->lsn, version->kind,
                      Bytes(version->value.begin(), version->value.end())};
}

}  // namespace varve
