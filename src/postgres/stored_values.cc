#include "postgres/stored_values.h"

#include <sys/stat.h>

namespace varve {
namespace {

bool is_normalised(std::string_view path) {
  if (path.empty() || path.size() > 4096 || path.find('\0') != path.npos) return false;
  size_t start = 0;
  while (true) {
    const size_t end = path.find('/', start);
    const std::string_view component = path.substr(start, end - start);
    if (component.empty() || component == "." || component == "..") return false;
    if (end == path.npos) return true;
    start = end + 1;
  }
}

}  // namespace

std::array<uint8_t, 4> encode_block_count(uint32_t blocks) {
  std::array<uint8_t, 4> value{};
  store_little(value.data(), blocks);
  return value;
}

Result<uint32_t> decode_block_count(ByteView value) {
  ByteReader reader(value, "a stored size");
  uint32_t blocks = 0;
  VARVE_TRY(reader.get(blocks));
  VARVE_TRY(reader.finish());
  return blocks;
}

Bytes DataDirectoryFacts::encode() const {
  ByteWriter writer;
  writer.put(static_cast<uint32_t>(mode));
  return std::move(writer).take();
}

Result<DataDirectoryFacts> DataDirectoryFacts::decode(ByteView value) {
  ByteReader reader(value, "the stored data directory");
  uint32_t mode = 0;
  VARVE_TRY(reader.get(mode));
  VARVE_TRY(reader.finish());
  if (mode != 0700 && mode != 0750) {
    return make_error(ErrorCode::kCorrupted, "the stored data directory has the mode {:o}", mode);
  }
  return DataDirectoryFacts{.mode = mode};
}

Bytes TablespaceFacts::encode() const {
  ByteWriter writer;
  writer.put_string(location);
  return std::move(writer).take();
}

Result<TablespaceFacts> TablespaceFacts::decode(ByteView value) {
  ByteReader reader(value, "a stored tablespace");
  TablespaceFacts facts;
  VARVE_TRY(reader.get_string(facts.location));
  VARVE_TRY(reader.finish());
  return facts;
}

Bytes DatabaseDirectoryFacts::encode() const {
  return {has_version_file ? uint8_t{1} : uint8_t{0}};
}

Result<DatabaseDirectoryFacts> DatabaseDirectoryFacts::decode(ByteView value) {
  ByteReader reader(value, "a stored database directory");
  uint8_t flags = 0;
  VARVE_TRY(reader.get(flags));
  VARVE_TRY(reader.finish());
  if (flags > 1) {
    return make_error(ErrorCode::kCorrupted, "a stored database directory has the flags {}", flags);
  }
  return DatabaseDirectoryFacts{.has_version_file = flags == 1};
}

uint32_t AuxiliaryFileHeader::chunk_count() const {
  // An empty file still has chunk 0, which carries this header.
  return std::max<uint32_t>(
      1, static_cast<uint32_t>((size + kAuxiliaryChunkSize - 1) / kAuxiliaryChunkSize));
}

Bytes AuxiliaryFileHeader::encode() const {
  ByteWriter writer;
  writer.put(static_cast<uint32_t>(mode));
  writer.put(size);
  writer.put_string(path);
  return std::move(writer).take();
}

Result<AuxiliaryFileHeader> AuxiliaryFileHeader::decode(ByteView& value) {
  ByteReader reader(value, "a stored auxiliary file");
  AuxiliaryFileHeader header;
  uint32_t mode = 0;
  VARVE_TRY(reader.get(mode));
  VARVE_TRY(reader.get(header.size));
  VARVE_TRY(reader.get_string(header.path));
  header.mode = mode;
  const bool is_file = S_ISREG(mode) && header.size / kAuxiliaryChunkSize < UINT32_MAX;
  const bool is_empty_directory = S_ISDIR(mode) && header.size == 0;
  if (!is_normalised(header.path) || !(is_file || is_empty_directory)) {
    return make_error(ErrorCode::kCorrupted, "a stored auxiliary file has an invalid header");
  }
  value = value.subspan(reader.offset());
  return header;
}

}  // namespace varve
