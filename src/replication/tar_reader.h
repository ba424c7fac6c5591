// Reads a tar stream in pieces of any size: files, directories and symbolic links, as PostgreSQL
// writes them in base backups (src/port/tar.c), and long names as GNU tar has them.
//
// Format: https://www.gnu.org/software/tar/manual/html_node/Standard.html
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace varve {

struct TarEntry {
  enum class Type { kFile, kDirectory, kSymbolicLink };

  Type type = Type::kFile;
  // Relative, without "." or ".." as a part, and without a slash at the end.
  std::string path;
  // The permission bits.
  uint32_t mode = 0;
  // Bytes of a file; 0 for others.
  uint64_t size = 0;
  // Where a symbolic link leads: as it was written, not checked.
  std::string link_target;
};

// What a stream holds, in its order. An error ends the reading, and is what the reader gives.
class TarSink {
 public:
  virtual ~TarSink() = default;
  virtual Result<> begin_entry(const TarEntry& entry) = 0;
  // Of the file that was begun, in order. The bytes are there during the call.
  virtual Result<> content(ByteView bytes) = 0;
  // Once for each entry, when all of its content was given.
  virtual Result<> end_entry() = 0;
};

// Not thread-safe. Errors: Corrupted, with the offset in the stream; those of the sink. After an
// error it must not be used any more.
class TarReader {
 public:
  explicit TarReader(TarSink& sink) : sink_(sink) {}

  Result<> consume(ByteView bytes);
  // Corrupted unless the stream has come to its end.
  Result<> finish() const;

 private:
  enum class State { kHeader, kContent, kLongName, kPadding, kEnded };

  Result<> consume_header();
  Result<> begin_long_name(std::string& name, uint64_t size);
  Result<> begin(const TarEntry& entry, uint64_t size);
  Result<> finish_content();
  Result<TarEntry> parse_entry(uint8_t type);
  Error damaged(std::string_view what) const;

  TarSink& sink_;
  State state_ = State::kHeader;
  Bytes header_;
  uint64_t offset_ = 0;
  // Of the content, and of the zeros behind it.
  uint64_t remaining_ = 0;
  uint64_t padding_ = 0;
  // Blocks of zeros that were seen: two are the end.
  int zero_blocks_ = 0;
  // For the entry that follows them.
  std::string long_path_;
  std::string long_link_;
  std::string* long_name_ = nullptr;
};

}  // namespace varve
