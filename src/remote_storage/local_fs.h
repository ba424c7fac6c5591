// A directory as remote storage: an object is a file, its key the path below the root.
//
// What reaches a key's place is whole and durable: a temporary file in a hidden directory of the
// same file system, fsync, then one link(2) (create if absent) or rename(2), then fsync of the
// directory. So at any moment of a crash a key has its old content, its new one, or none, never a
// part.
//
// Symbolic links are not objects: none is listed or followed, neither as an object nor as a
// directory on the way to one. Files whose path is no valid key are not objects either.
//
// Removing objects leaves empty directories behind. They hold no data, and that no directory ever
// disappears is what makes it enough to sync each one into its parent once, and what spares put() a
// race with the removal of the directory it is about to write into.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <set>

#include "remote_storage/local_fs/directory.h"
#include "remote_storage/remote_storage.h"

namespace varve {

// Thread-safe. Several processes may use a root at once. Destroy it after every upload that it
// started.
class LocalFs : public RemoteStorage {
 public:
  enum class Access {
    kRead,
    // The root must be writable, and what crashed writers left in it is removed.
    kReadWrite,
  };
  struct Options {
    Access access = Access::kReadWrite;
    // Gives ListPage::storage_time and judges deadlines. Objects get their times from the file
    // system: the machine's clock, or for a network file system its server's, which must agree.
    Clock* clock = &system_clock();
  };

  // The root must exist: an unmounted disk must not look like an empty storage. NotFound when it
  // does not, InvalidArgument when it is no directory, Denied when it may not be read, or, for
  // kReadWrite, written (a file system that is mounted read-only included).
  static Result<std::unique_ptr<LocalFs>> open(const std::filesystem::path& root,
                                               const Options& options);
  static Result<std::unique_ptr<LocalFs>> open(const std::filesystem::path& root) {
    return open(root, Options{});
  }

  const StorageTraits& traits() const override { return traits_; }
  std::string url() const override;

  Result<ListPage> list(std::string_view prefix, std::string_view after,
                        const CallOptions& options) override;
  Result<> put(std::string_view key, ByteView body, PutCondition condition,
               const CallOptions& options) override;
  Result<std::unique_ptr<MultipartUpload>> start_multipart(std::string_view key, uint64_t part_size,
                                                           const CallOptions& options) override;
  Result<UploadPage> list_uploads(std::string_view prefix, std::string_view continuation,
                                  const CallOptions& options) override;
  Result<> abort_upload(std::string_view key, std::string_view upload_id,
                        const CallOptions& options) override;
  Result<ObjectInfo> get(std::string_view key, const ByteRange& range, const ByteSink& sink,
                         const CallOptions& options) override;
  Result<ObjectInfo> head(std::string_view key, const CallOptions& options) override;
  Result<std::vector<FailedRemoval>> remove(const std::vector<std::string>& keys,
                                            const CallOptions& options) override;

 private:
  class Upload;
  struct OpenObject;

  LocalFs(local_fs::Directory root, Clock& clock);

  // A bad key, or one inside the directory of temporary files, is InvalidArgument.
  Result<> check_key(std::string_view key) const;
  // Unavailable once the root itself was removed: its objects are then not known to be absent.
  Result<> check_root() const;
  Result<local_fs::Directory> open_root() const;
  Result<local_fs::Directory> open_parent(std::string_view key) const;
  Result<local_fs::Directory> create_parent(std::string_view key);
  Result<OpenObject> open_object(std::string_view key) const;
  Result<> put_object(std::string_view key, ByteView body, PutCondition condition,
                      const CallOptions& options);

  const StorageTraits traits_;
  Clock& clock_;
  const local_fs::Directory root_;

  std::mutex mutex_;
  // Directories below the root that are known to be synced into their parents.
  std::set<std::string, std::less<>> durable_directories_;
};

// Makes the directory that is to be a storage's root, but none above it: a mistyped path or a
// missing mount is NotFound. One that exists already is fine.
Result<> create_local_root(const std::filesystem::path& root);

}  // namespace varve
