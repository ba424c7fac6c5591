// An object that is sent in parts, several of them at once, while it is still being produced.
#pragma once

#include <deque>
#include <future>
#include <memory>
#include <vector>

#include "remote_storage/remote_storage.h"
#include "runtime/thread_pool.h"

namespace varve {

// One producer; the parts are sent by the threads of a pool. At most `parallel_parts` + 1 parts are
// in memory. Destroyed before finish(), it aborts what it began.
class ParallelUpload {
 public:
  struct Options {
    uint64_t part_size = 16ULL << 20;
    size_t parallel_parts = 4;
  };

  // `storage` and `pool` must outlive it.
  static Result<std::unique_ptr<ParallelUpload>> start(RemoteStorage& storage, ThreadPool& pool,
                                                       std::string_view key, const Options& upload,
                                                       const CallOptions& options);
  ~ParallelUpload();

  // Waits while too many parts are on their way. An error is that of an earlier part.
  Result<> append(ByteView bytes);

  // How many bytes were appended.
  uint64_t size() const { return size_; }

  // Sends the rest, and the object appears. A failure may have completed it all the same.
  Result<> finish();

 private:
  ParallelUpload(ThreadPool& pool, const Options& upload, CallOptions options)
      : pool_(pool), upload_options_(upload), options_(std::move(options)) {}

  struct Part {
    Bytes body;
    std::future<Result<>> sent = {};
  };

  Result<> send_buffer();
  Result<> wait_for_oldest();
  Bytes take_spare();

  ThreadPool& pool_;
  const Options upload_options_;
  const CallOptions options_;
  std::unique_ptr<MultipartUpload> upload_;
  Bytes buffer_;
  // Of parts that were sent: their memory is there already.
  std::vector<Bytes> spare_;
  std::deque<Part> in_flight_;
  uint32_t parts_ = 0;
  uint64_t size_ = 0;
};

}  // namespace varve
