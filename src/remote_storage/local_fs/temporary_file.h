// A file that is being written, in the hidden directory below the root, until it gets its key's
// name.
//
// What a crash leaves there was never finished. The writer holds flock(2) on its file, and the
// kernel lets go of it however the writer dies: so a file that nobody holds is a leftover, and one
// that another process is writing is told from it.
#pragma once

#include <string>
#include <string_view>

#include "remote_storage/local_fs/directory.h"

namespace varve::local_fs {

// In the root itself, so that it is on the same file system. No key begins with this component.
inline constexpr std::string_view kTemporaryDirectory = ".varve-temporary";
// What the name of an upload's mark ends with: see unfinished_uploads.h.
inline constexpr std::string_view kMarkSuffix = ".key";

// Writing may run on several threads at once; everything else is for one.
class TemporaryFile {
 public:
  static Result<TemporaryFile> create(const Directory& root);

  TemporaryFile(TemporaryFile&&) noexcept = default;
  TemporaryFile& operator=(TemporaryFile&&) = delete;
  // Removes the file unless it was moved to its place.
  ~TemporaryFile();

  const std::string& name() const { return name_; }

  Result<> write_at(uint64_t offset, ByteView bytes);

  // Gives the file its name, whole and durably, or leaves everything as it was. Conflict when the
  // name exists already; InvalidArgument when a directory has it.
  Result<> publish_if_absent(const Directory& directory, std::string_view name);
  // The same, but replaces a file of that name.
  Result<> publish(const Directory& directory, std::string_view name);

 private:
  TemporaryFile(Directory directory, std::string name, Descriptor file)
      : directory_(std::move(directory)), name_(std::move(name)), file_(std::move(file)) {}

  Directory directory_;
  std::string name_;
  Descriptor file_;
};

// 16 hex digits.
bool is_temporary_name(std::string_view name);

enum class Holder {
  kNoFile,
  kNobody,
  kSomebody,
};
// Whether anybody is writing the temporary file of that name.
Result<Holder> holder_of(const Directory& temporary_directory, std::string_view name);

// Removes what crashed writers left.
Result<> remove_leftovers(const Directory& root);

}  // namespace varve::local_fs
