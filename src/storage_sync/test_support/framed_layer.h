// A layer file of several frames in the remote storage, and what it takes to follow its fetching.
#pragma once

#include "storage_sync/frame_fetcher.h"
#include "storage_sync/partial_layer_file.h"
#include "storage_sync/test_support/sync_fixture.h"

namespace varve::test_support {

// As noise(), for millions of bytes.
inline Bytes much_noise(size_t size, uint64_t seed) {
  SeededRandom random(seed);
  Bytes bytes(size / sizeof(uint64_t) * sizeof(uint64_t));
  for (size_t at = 0; at < bytes.size(); at += sizeof(uint64_t)) {
    store_little(bytes.data() + at, random.next());
  }
  bytes.resize(size);
  return bytes;
}

// Faulty(Metered(Memory)) by a clock that stands still: a delayed request waits until it is moved,
// or until the request is stopped.
class FramedLayerTest : public testing::Test {
 protected:
  // Seven frames and a half, which do not compress.
  static constexpr size_t kFrames = 8;
  static constexpr size_t kLayerSize = 7 * kFrameSize + kFrameSize / 2;

  void SetUp() override {
    timeline_.manifest.id = {kTenant, kTimeline};
    timeline_.manifest.metadata.disk_consistent_lsn = Lsn{100};
    content_ = much_noise(kLayerSize, 1);
    server_.add_layer(timeline_, layer_name(1), content_);
    VARVE_ASSERT_OK(server_.upload(timeline_));
    layer_ = timeline_.manifest.layers[0];
    gets_before_ = metered_->counts().total(Operation::kGet);
    received_before_ = metered_->counts().bytes_received;
  }

  // Since the layer was uploaded.
  uint64_t gets() const { return metered_->counts().total(Operation::kGet) - gets_before_; }
  uint64_t received() const { return metered_->counts().bytes_received - received_before_; }

  Bytes frame(size_t number) const {
    const ByteView bytes = ByteView(content_).subspan(number * kFrameSize);
    const ByteView taken = bytes.first(std::min(bytes.size(), kFrameSize));
    return {taken.begin(), taken.end()};
  }
  void expect_frame(PartialLayerFile& file, size_t number) {
    Bytes read(frame(number).size());
    EXPECT_TRUE(file.read_at(number * kFrameSize, read).value()) << "frame " << number;
    EXPECT_EQ(read, frame(number)) << "frame " << number;
  }

  void script(std::vector<FaultRule> rules) { storage_.set_script(fault_rules(std::move(rules))); }

  ManualClock clock_{{1'700'000'000'000'000}, ManualClock::Sleep::kWaits};

 private:
  Metered* metered_ = nullptr;
  std::unique_ptr<RemoteStorage> make_storage() {
    auto metered = std::make_unique<Metered>(std::make_unique<MemoryStorage>(clock_),
                                             Metered::Options{.clock = &clock_});
    metered_ = metered.get();
    return metered;
  }
  uint64_t gets_before_ = 0;
  uint64_t received_before_ = 0;

 protected:
  Faulty storage_{make_storage(), nullptr, clock_};
  Server server_{storage_, clock_, 1};
  const TemporaryDirectory directory_ = TemporaryDirectory::create().value();
  LocalManifest timeline_;
  Bytes content_;
  LayerEntry layer_;
};

}  // namespace varve::test_support
