// What tests of the sync engine work with: a storage whose requests are counted and can be made to
// fail, a work directory, a clock that stands still, and layer files of any content.
#pragma once

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/checksum.h"
#include "fs/directory.h"
#include "fs/file.h"
#include "fs/temporary_directory.h"
#include "remote_storage/faulty.h"
#include "remote_storage/memory.h"
#include "remote_storage/metered.h"
#include "remote_storage/streams.h"
#include "storage_sync/download.h"
#include "storage_sync/local_manifest.h"
#include "storage_sync/object_reader.h"
#include "storage_sync/tenant_log.h"
#include "storage_sync/upload.h"
#include "storage_sync/verify.h"

namespace varve::test_support {

// gtest shows the message of a result that is not what was expected.
#define VARVE_EXPECT_OK(expression)                                                            \
  do {                                                                                         \
    const auto& varve_checked = (expression);                                                  \
    EXPECT_TRUE(varve_checked.ok()) << #expression << ": " << varve_checked.error().message(); \
  } while (false)
#define VARVE_ASSERT_OK(expression)                                                            \
  do {                                                                                         \
    const auto& varve_checked = (expression);                                                  \
    ASSERT_TRUE(varve_checked.ok()) << #expression << ": " << varve_checked.error().message(); \
  } while (false)

// Bytes that do not compress; the same for the same seed.
inline Bytes noise(size_t size, uint64_t seed) {
  SeededRandom random(seed);
  Bytes bytes(size);
  for (auto& byte : bytes) byte = static_cast<uint8_t>(random.next());
  return bytes;
}

// Replaces a file without the syncs that make write_file_atomically slow.
inline void write_plain_file(const std::filesystem::path& path, ByteView content) {
  std::filesystem::remove(path);
  auto file = File::open(path, O_WRONLY | O_CREAT | O_EXCL);
  VARVE_ASSERT_OK(file);
  VARVE_ASSERT_OK(file->append(content));
}

// Brings a timeline from the remote storage into a directory, whole: its metadata file comes last.
inline Result<> download_timeline(const SyncContext& context,
                                  const std::filesystem::path& directory,
                                  const LocalManifest& target, const ByteProgress& progress,
                                  const CallOptions& options) {
  VARVE_TRY(download_layers(context, directory, target.manifest, progress, options));
  return target.write(directory);
}

inline Key key_at(uint8_t first) {
  Key key;
  key.bytes[0] = first;
  return key;
}

inline LayerName layer_name(uint8_t number, Lsn lsn = Lsn{100}) {
  return LayerName::image({key_at(number), key_at(static_cast<uint8_t>(number + 1))}, lsn);
}

inline const TenantId kTenant{{0x11, 1}};
inline const TimelineId kTimeline{{0x22, 2}};
inline const LogName kLog{kTenant, kTimeline};
inline const LogName kTenantLog{kTenant, {}};

// One server: a work directory, and a way to the storage that many may share.
class Server {
 public:
  explicit Server(RemoteStorage& storage, Clock& clock, uint64_t seed, SyncOptions options = {})
      : random_(seed),
        work_(TemporaryDirectory::create().value()),
        context_{storage, clock, random_, codec_pool_, transfer_pool_, options} {
    writer = random_.next_id<WriterId>();
  }

  const SyncContext& context() const { return context_; }
  SyncContext& context() { return context_; }
  Random& random() { return random_; }
  const std::filesystem::path& directory() const { return work_.path(); }
  std::filesystem::path layer_path(const LayerName& name) const {
    return work_.path() / name.to_string();
  }

  // Writes a layer file and lists it in `local`.
  const LayerEntry& add_layer(LocalManifest& local, const LayerName& name, ByteView content) const {
    write_plain_file(layer_path(name), content);
    auto& layers = local.manifest.layers;
    layers.push_back(
        {.name = name, .size = content.size(), .checksum = checksum128(content), .stored = {}});
    std::ranges::sort(layers, {}, &LayerEntry::name);
    return *std::ranges::find(layers, name, &LayerEntry::name);
  }

  // Uploads what is in `local`, which lies in the work directory itself.
  Result<UploadResult> upload(LocalManifest& local, UploadRequest request = {},
                              const ByteProgress& progress = {},
                              const CallOptions& options = {}) const {
    request.writer = writer;
    KeptTimeline timeline(directory(), local);
    auto result = upload_timeline(context_, request, timeline, progress, options);
    local = *timeline.get();
    return result;
  }

  WriterId writer;

 private:
  SeededRandom random_;
  TemporaryDirectory work_;
  ThreadPool codec_pool_{{.name = "codec", .threads = 2}};
  ThreadPool transfer_pool_{{.name = "transfer", .threads = 2}};
  SyncContext context_;
};

// Faulty(Metered(Memory)), or around another storage: the meter sees what reaches the storage.
class SyncTest : public testing::Test {
 protected:
  using MakeStorage = std::function<std::unique_ptr<RemoteStorage>(Clock&)>;
  explicit SyncTest(MakeStorage make) : make_(std::move(make)) {}
  explicit SyncTest(const StorageTraits& traits = {.kind = "memory"})
      : SyncTest(
            [traits](Clock& times) { return std::make_unique<MemoryStorage>(times, traits); }) {}

  static LocalManifest new_timeline(Lsn lsn = Lsn{100}) {
    LocalManifest local;
    local.manifest.id = {kTenant, kTimeline};
    local.manifest.metadata.disk_consistent_lsn = lsn;
    local.manifest.metadata.postgres_version = 15;
    local.head_seen = BootTime{0};
    return local;
  }

  uint64_t requests(Operation operation) const { return metered().counts().total(operation); }
  uint64_t all_requests() const {
    uint64_t sum = 0;
    for (size_t i = 0; i < kOperationCount; ++i) sum += requests(static_cast<Operation>(i));
    return sum;
  }
  void fail(std::vector<FaultRule> rules) { storage.set_script(fault_rules(std::move(rules))); }
  void heal() { storage.set_script(nullptr); }

  Bytes object(const std::string& key) {
    return get_bytes(storage, key, ByteRange::whole(), 1 << 30, {}).value();
  }
  void overwrite(const std::string& key, ByteView body) {
    ASSERT_TRUE(storage.put(key, body, PutCondition::kNone, {}).ok());
  }
  std::vector<std::string> keys() {
    std::vector<std::string> keys;
    const auto objects = list_all(storage, {}, {}).value();
    for (const auto& object : objects) keys.push_back(object.key);
    return keys;
  }
  VerifyReport verify(VerifyDepth depth = VerifyDepth::kEveryByte) {
    return verify_remote(storage, {.depth = depth}, {}, {}).value();
  }
  TimelineManifest committed(uint64_t sequence) {
    return read_timeline_commit(storage, ObjectName::archive(kLog, sequence), {}).value().manifest;
  }
  // The tenant's log with one commit that lists the timeline: what a clean prefix has besides the
  // timeline's log.
  void commit_tenant_log() {
    const TemporaryDirectory directory = TemporaryDirectory::create().value();
    LocalTenant local;
    local.manifest.id = kTenant;
    local.writer = server.writer;
    KeptTenant tenant(directory.path(), local);
    VARVE_ASSERT_OK(commit_tenant(server.context(), tenant,
                                  [](TenantManifest& manifest) -> Result<> {
                                    manifest.timelines.push_back({.id = kTimeline});
                                    return {};
                                  },
                                  {}));
  }

  const Metered& metered() const { return *metered_; }

  ManualClock clock;

 private:
  const MakeStorage make_;
  Metered* metered_ = nullptr;
  std::unique_ptr<RemoteStorage> make_storage() {
    auto metered = std::make_unique<Metered>(make_(clock), Metered::Options{.clock = &clock});
    metered_ = metered.get();
    return metered;
  }

 protected:
  Faulty storage{make_storage(), nullptr, clock};
  Server server{storage, clock, 1};
};

}  // namespace varve::test_support
