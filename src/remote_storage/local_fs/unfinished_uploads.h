// Uploads in parts whose sender died, and how they are told from those that are being sent.
//
// An upload's parts go into a temporary file, which has no key yet. Its key stands in a second file
// beside it, its mark, `<name of the temporary file>.key`. The mark is written after the lock of
// the temporary file is held and removed after that file is gone: so a mark whose file is there and
// held by nobody is that of an upload whose sender died, and a mark without a file means nothing.
#pragma once

#include "remote_storage/local_fs/temporary_file.h"
#include "remote_storage/remote_storage.h"

namespace varve::local_fs {

// Removed on destruction.
class UploadMark {
 public:
  static Result<UploadMark> create(const Directory& root, const TemporaryFile& file,
                                   std::string_view key);

  UploadMark(UploadMark&&) noexcept = default;
  UploadMark& operator=(UploadMark&&) = delete;
  ~UploadMark();

 private:
  UploadMark(Directory directory, std::string name)
      : directory_(std::move(directory)), name_(std::move(name)) {}

  Directory directory_;
  std::string name_;
};

// Those whose keys start with `prefix`, in no order. The upload ID is the name of the temporary
// file.
Result<std::vector<UnfinishedUpload>> list_unfinished_uploads(const Directory& root,
                                                              std::string_view prefix);

// See RemoteStorage::abort_upload().
Result<> abort_unfinished_upload(const Directory& root, std::string_view key,
                                 std::string_view upload_id);

}  // namespace varve::local_fs
