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

// Versions that are passed over one by one before the index is asked: it costs about as much.
constexpr int kPassedByOne = 8;

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

class LayerReader::Cursor : public VersionCursor {
 public:
  Cursor(const State& state, const Key& end)
      : state_(state), end_(layer_file::encode_key(end, Lsn::max())), upper_bound_(slice(end_)) {
    rocksdb::ReadOptions options;
    options.total_order_seek = true;
    if (!state.environment) options.readahead_size = kScanReadAhead;
    options.iterate_upper_bound = &upper_bound_;
    iterator_.reset(state.table->NewIterator(options));
  }

  Result<> start(const Key& key, Lsn lsn) {
    layer_file::forget_source_error();
    iterator_->Seek(slice(layer_file::encode_key(key, lsn)));
    return read();
  }

  const Version* current() const override { return is_valid_ ? &version_ : nullptr; }

  Result<> next() override {
    is_valid_ = false;
    layer_file::forget_source_error();
    iterator_->Next();
    return read();
  }

  Result<> seek(const Key& key, Lsn lsn) override {
    for (int i = 0; i < kPassedByOne; ++i) {
      if (!is_valid_ || !lies_before(version_, key, lsn)) return {};
      VARVE_TRY(next());
    }
    if (!is_valid_ || !lies_before(version_, key, lsn)) return {};
    is_valid_ = false;
    return start(key, lsn);
  }

 private:
  Result<> read() {
    if (!iterator_->Valid()) {
      if (!iterator_->status().ok()) return state_.error(iterator_->status());
      return {};
    }
    auto version = layer_file::decode_entry(view(iterator_->key()), view(iterator_->value()));
    if (!version.ok()) return version.error().context("layer file " + state_.path);
    version_ = *version;
    is_valid_ = true;
    return {};
  }

  const State& state_;
  const layer_file::StoredKey end_;
  // The iterator refers to it.
  const rocksdb::Slice upper_bound_;
  std::unique_ptr<rocksdb::Iterator> iterator_;
  Version version_;
  bool is_valid_ = false;
};

Result<VersionCursorPointer> LayerReader::cursor(const KeyRange& range, Lsn lsn) const {
  auto cursor = std::make_unique<Cursor>(*state_, range.end);
  VARVE_TRY(cursor->start(range.start, lsn));
  return VersionCursorPointer(std::move(cursor));
}

Result<> LayerReader::scan(const KeyRange& range, const VersionVisitor& visit) const {
  VARVE_ASSIGN(const auto at, cursor(range));
  while (at->current() != nullptr) {
    VARVE_TRY(visit(*at->current()));
    VARVE_TRY(at->next());
  }
  return {};
}

Result<std::vector<LayerReader::FoundVersion>> LayerReader::find(const Key& key, Lsn lsn,
                                                                 Lsn first) const {
  const auto wanted = layer_file::encode_key(key, lsn);
  rocksdb::ReadOptions options;
  options.prefix_same_as_start = true;
  layer_file::forget_source_error();
  const std::unique_ptr<rocksdb::Iterator> iterator(state_->table->NewIterator(options));
  std::vector<FoundVersion> found;
  for (iterator->Seek(slice(wanted)); iterator->Valid(); iterator->Next()) {
    auto version = layer_file::decode_entry(view(iterator->key()), view(iterator->value()));
    if (!version.ok()) return version.error().context("layer file " + state_->path);
    if (version->key != key) return found;
    found.push_back(
        {version->lsn, version->kind, Bytes(version->value.begin(), version->value.end())});
    if (!needs_older(version->kind) || version->lsn <= first) return found;
  }
  if (!iterator->status().ok()) return state_->error(iterator->status());
  return found;
}

}  // namespace varve
