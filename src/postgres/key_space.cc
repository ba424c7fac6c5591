#include "postgres/key_space.h"

#include "base/checksum.h"

namespace varve {
namespace {

// Appends the fields big-endian, so that the order of the bytes is the order of the numbers; the
// rest of the key stays zero.
class KeyWriter {
 public:
  explicit KeyWriter(KeyKind kind) { put(static_cast<uint8_t>(kind)); }

  template <std::unsigned_integral T>
  KeyWriter& put(T value) {
    store_big(key_.bytes.data() + at_, value);
    at_ += sizeof value;
    return *this;
  }
  KeyWriter& put(const DatabaseTag& tag) { return put(tag.tablespace).put(tag.database); }
  KeyWriter& put(const RelationTag& tag) { return put(tag.directory).put(tag.relation); }
  KeyWriter& put(const RelationForkTag& tag) {
    return put(tag.relation).put(static_cast<uint8_t>(tag.fork));
  }
  // The number that counts stands in the last four bytes (layer/key.h).
  KeyWriter& put_last(uint32_t value) {
    at_ = Key::kSize - sizeof value;
    return put(value);
  }
  Key key() const { return key_; }

 private:
  Key key_;
  size_t at_ = 0;
};

class KeyReader {
 public:
  explicit KeyReader(const Key& key) : key_(key) { (void)get<uint8_t>(); }

  template <std::unsigned_integral T>
  T get() {
    const T value = load_big<T>(key_.bytes.data() + at_);
    at_ += sizeof value;
    return value;
  }
  uint32_t get_last() {
    at_ = Key::kSize - sizeof(uint32_t);
    return get<uint32_t>();
  }
  DatabaseTag get_directory() {
    const auto tablespace = get<uint32_t>();
    return {.tablespace = tablespace, .database = get<uint32_t>()};
  }
  RelationForkTag get_fork() {
    const DatabaseTag directory = get_directory();
    const auto relation = get<uint32_t>();
    return {.relation = {.directory = directory, .relation = relation},
            .fork = static_cast<RelationFork>(get<uint8_t>())};
  }

 private:
  const Key& key_;
  size_t at_ = 0;
};

// Flips the sign bit, so that times before 1970 order first.
constexpr uint64_t kSignBit = uint64_t{1} << 63;

KeyFields read_fields(KeyKind kind, KeyReader reader) {
  switch (kind) {
    case KeyKind::kControlFile:
      return ControlFileKey{};
    case KeyKind::kCheckpoint:
      return CheckpointKey{};
    case KeyKind::kDataDirectory:
      return DataDirectoryKey{};
    case KeyKind::kTablespace:
      return TablespaceKey{reader.get<uint32_t>()};
    case KeyKind::kDatabaseDirectory:
      return DatabaseDirectoryKey{reader.get_directory()};
    case KeyKind::kRelationMap:
      return RelationMapKey{reader.get_directory()};
    case KeyKind::kRelationSize:
      return RelationSizeKey{reader.get_fork()};
    case KeyKind::kRelationBlock: {
      const RelationForkTag fork = reader.get_fork();
      return RelationBlockKey{fork, reader.get_last()};
    }
    case KeyKind::kSlruSegmentSize: {
      const auto slru = static_cast<Slru>(reader.get<uint8_t>());
      return SlruSegmentSizeKey{slru, reader.get_last()};
    }
    case KeyKind::kSlruBlock: {
      const auto slru = static_cast<Slru>(reader.get<uint8_t>());
      return SlruBlockKey{slru, reader.get_last()};
    }
    case KeyKind::kTwoPhaseFile:
      return TwoPhaseFileKey{reader.get<uint32_t>()};
    case KeyKind::kAuxiliaryFile: {
      const auto hash = reader.get<uint64_t>();
      return AuxiliaryFileKey{hash, reader.get_last()};
    }
    case KeyKind::kTimeIndex:
      return TimeIndexKey{{static_cast<int64_t>(reader.get<uint64_t>() ^ kSignBit)}};
  }
  return ControlFileKey{};
}

bool is_known(RelationFork fork) {
  return static_cast<uint8_t>(fork) < kForkCount;
}
bool is_known(Slru slru) {
  return std::ranges::find(kSlrus, slru) != kSlrus.end();
}

bool fields_are_known(const KeyFields& fields) {
  if (const auto* size = std::get_if<RelationSizeKey>(&fields)) return is_known(size->fork.fork);
  if (const auto* block = std::get_if<RelationBlockKey>(&fields)) return is_known(block->fork.fork);
  if (const auto* size = std::get_if<SlruSegmentSizeKey>(&fields)) return is_known(size->slru);
  if (const auto* block = std::get_if<SlruBlockKey>(&fields)) return is_known(block->slru);
  return true;
}

// From `first` on, as many keys as share its leading `length` bytes.
KeyRange range_of_prefix(const Key& first, size_t length) {
  Key last = first;
  std::fill(last.bytes.begin() + static_cast<ptrdiff_t>(length), last.bytes.end(), 0xFF);
  return {.start = first, .end = last.next()};
}

constexpr size_t kDirectoryPrefix = 1 + 4 + 4;
constexpr size_t kRelationPrefix = kDirectoryPrefix + 4;

struct Describe {
  std::string operator()(const ControlFileKey&) const { return "control file"; }
  std::string operator()(const CheckpointKey&) const { return "checkpoint"; }
  std::string operator()(const DataDirectoryKey&) const { return "data directory"; }
  std::string operator()(const TablespaceKey& key) const {
    return fmt::format("tablespace {}", key.tablespace);
  }
  std::string operator()(const DatabaseDirectoryKey& key) const {
    return fmt::format("database directory {}/{}", key.directory.tablespace,
                       key.directory.database);
  }
  std::string operator()(const RelationMapKey& key) const {
    return fmt::format("relation map {}/{}", key.directory.tablespace, key.directory.database);
  }
  std::string operator()(const RelationSizeKey& key) const {
    return key.fork.to_string() + " size";
  }
  std::string operator()(const RelationBlockKey& key) const {
    return fmt::format("{} block {}", key.fork.to_string(), key.block);
  }
  std::string operator()(const SlruSegmentSizeKey& key) const {
    return fmt::format("{}/{} size", directory(key.slru), slru_segment_name(key.segment));
  }
  std::string operator()(const SlruBlockKey& key) const {
    return fmt::format("{} page {}", directory(key.slru), key.page);
  }
  std::string operator()(const TwoPhaseFileKey& key) const {
    return fmt::format("two-phase file of transaction {}", key.transaction);
  }
  std::string operator()(const AuxiliaryFileKey& key) const {
    return fmt::format("auxiliary file {:016x} chunk {}", key.path_hash, key.chunk);
  }
  std::string operator()(const TimeIndexKey& key) const {
    return fmt::format("time index {}", key.time.to_string());
  }
};

}  // namespace

Key make_key(const ControlFileKey&) {
  return KeyWriter(KeyKind::kControlFile).key();
}
Key make_key(const CheckpointKey&) {
  return KeyWriter(KeyKind::kCheckpoint).key();
}
Key make_key(const DataDirectoryKey&) {
  return KeyWriter(KeyKind::kDataDirectory).key();
}
Key make_key(const TablespaceKey& fields) {
  return KeyWriter(KeyKind::kTablespace).put(fields.tablespace).key();
}
Key make_key(const DatabaseDirectoryKey& fields) {
  return KeyWriter(KeyKind::kDatabaseDirectory).put(fields.directory).key();
}
Key make_key(const RelationMapKey& fields) {
  return KeyWriter(KeyKind::kRelationMap).put(fields.directory).key();
}
Key make_key(const RelationSizeKey& fields) {
  return KeyWriter(KeyKind::kRelationSize).put(fields.fork).key();
}
Key make_key(const RelationBlockKey& fields) {
  return KeyWriter(KeyKind::kRelationBlock).put(fields.fork).put_last(fields.block).key();
}
Key make_key(const SlruSegmentSizeKey& fields) {
  return KeyWriter(KeyKind::kSlruSegmentSize)
      .put(static_cast<uint8_t>(fields.slru))
      .put_last(fields.segment)
      .key();
}
Key make_key(const SlruBlockKey& fields) {
  return KeyWriter(KeyKind::kSlruBlock)
      .put(static_cast<uint8_t>(fields.slru))
      .put_last(fields.page)
      .key();
}
Key make_key(const TwoPhaseFileKey& fields) {
  return KeyWriter(KeyKind::kTwoPhaseFile).put(fields.transaction).key();
}
Key make_key(const AuxiliaryFileKey& fields) {
  return KeyWriter(KeyKind::kAuxiliaryFile).put(fields.path_hash).put_last(fields.chunk).key();
}
Key make_key(const TimeIndexKey& fields) {
  return KeyWriter(KeyKind::kTimeIndex)
      .put(static_cast<uint64_t>(fields.time.micros) ^ kSignBit)
      .key();
}

Result<KeyFields> parse_key(const Key& key) {
  const uint8_t kind = key.bytes[0];
  if (kind >= static_cast<uint8_t>(KeyKind::kControlFile) &&
      kind <= static_cast<uint8_t>(KeyKind::kTimeIndex)) {
    KeyFields fields = read_fields(static_cast<KeyKind>(kind), KeyReader(key));
    // Encoding again refuses stray bytes in what must be zero.
    const Key again = std::visit([](const auto& typed) { return make_key(typed); }, fields);
    if (again == key && fields_are_known(fields)) return fields;
  }
  return make_error(ErrorCode::kCorrupted, "{} is no key of a PostgreSQL cluster", key);
}

uint64_t auxiliary_path_hash(std::string_view path) {
  return checksum64(as_bytes(path));
}

KeyRange range_of(KeyKind kind) {
  return range_of_prefix(KeyWriter(kind).key(), 1);
}

KeyRange relation_sizes_of(const DatabaseTag& directory) {
  return range_of_prefix(KeyWriter(KeyKind::kRelationSize).put(directory).key(), kDirectoryPrefix);
}
KeyRange relation_blocks_of(const DatabaseTag& directory) {
  return range_of_prefix(KeyWriter(KeyKind::kRelationBlock).put(directory).key(), kDirectoryPrefix);
}
KeyRange relation_sizes_of(const RelationTag& relation) {
  return range_of_prefix(KeyWriter(KeyKind::kRelationSize).put(relation).key(), kRelationPrefix);
}
KeyRange relation_blocks_of(const RelationTag& relation) {
  return range_of_prefix(KeyWriter(KeyKind::kRelationBlock).put(relation).key(), kRelationPrefix);
}

KeyRange slru_blocks_of(Slru slru, uint32_t segment) {
  const uint32_t first = segment * kSlruPagesPerSegment;
  return {.start = make_key(SlruBlockKey{slru, first}),
          .end = make_key(SlruBlockKey{slru, first + kSlruPagesPerSegment - 1}).next()};
}

std::string describe(const Key& key) {
  const Result<KeyFields> fields = parse_key(key);
  if (!fields.ok()) return "unknown key " + key.to_string();
  return std::visit(Describe{}, *fields);
}

}  // namespace varve
