// A timeline in the making: its layers are written into a directory that does not count until it is
// renamed, so that an import that is interrupted at any point was never there.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "layer/layer_writer.h"
#include "layer/version_sink.h"
#include "storage_sync/local_store.h"

namespace varve {

// Not thread-safe. Destroyed before publish(), it removes what it wrote.
class TimelineDraft : public VersionSink {
 public:
  struct Options {
    TenantTimelineId id;
    // "tenants/<tenant>/timelines" of the work directory; created where it is missing.
    std::filesystem::path timelines_directory;
    // At which all images are put.
    Lsn image_lsn;
    // A layer file that has grown past this is closed, bytes.
    uint64_t layer_size = 256ULL << 20;
  };
  static Result<TimelineDraft> create(Options options);

  TimelineDraft(TimelineDraft&&) noexcept;
  TimelineDraft& operator=(TimelineDraft&&) = delete;
  ~TimelineDraft() override;

  Result<> put_image(const Key& key, ByteView image) override;

  // Closes the last layer and writes the metadata file. InvalidArgument when nothing was put, but
  // for a branch, which has what its ancestor has.
  Result<> finish(const TimelineMetadata& metadata);

  // After finish(): where the files are, and what the metadata file holds. Changes to it are to be
  // written to the same directory.
  const std::filesystem::path& directory() const { return directory_; }
  LocalManifest& manifest() { return manifest_; }

  // Gives the directory its final name, durably: from now on the timeline is there.
  Result<> publish();

 private:
  explicit TimelineDraft(Options options) : options_(std::move(options)) {}
  Result<> close_layer(const Key& end);

  Options options_;
  // Empty once it was published.
  std::filesystem::path directory_;
  LocalManifest manifest_;
  std::optional<LayerWriter> writer_;
  Key layer_start_ = Key::min();
  uint64_t files_ = 0;
};

}  // namespace varve
