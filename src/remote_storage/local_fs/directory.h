// Files and directories below a root, reached one component at a time and never through a symbolic
// link, so that nothing outside of the root can be read or written whatever lies in it.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "runtime/descriptor.h"

namespace varve::local_fs {

// A directory and how it is called in messages. The path is never used to reach anything.
struct Directory {
  Descriptor descriptor;
  std::filesystem::path path;

  std::string shown(std::string_view name) const { return (path / name).string(); }
};

// `name` in `directory`, a single component. NotFound when it is absent or a plain file; Denied
// when it is a symbolic link.
Result<Directory> open_directory(const Directory& directory, std::string_view name);

// For reading. NotFound when nothing or a directory has the name; Denied when it is a link or no
// regular file. `status` becomes that of the file.
Result<Descriptor> open_regular_file(const Directory& directory, std::string_view name,
                                     struct stat& status);

// The type and size of `name` itself, not of what a link points to.
Result<struct stat> examine(const Directory& directory, std::string_view name);

struct Entry {
  std::string name;
  // As in st_mode; 0 when the name vanished while it was listed.
  mode_t type = 0;
};
// Everything in the directory but "." and "..", in no order.
Result<std::vector<Entry>> read_entries(const Directory& directory);

Result<> sync(const Descriptor& descriptor, const std::string& shown);
// The same for everything on its file system.
Result<> sync_file_system(const Descriptor& descriptor, const std::string& shown);

Result<> write_at(const Descriptor& descriptor, uint64_t offset, ByteView bytes,
                  const std::string& shown);

// Fewer bytes than asked for only at the end of the file.
Result<size_t> read_at(const Descriptor& descriptor, uint64_t offset, std::span<uint8_t> out,
                       const std::string& shown);

Timestamp modification_time(const struct stat& status);

}  // namespace varve::local_fs
