#include "server/http/image_batch.h"

#include "base/checksum.h"

namespace varve::http {
namespace {

constexpr std::string_view kMagic = "VarveIB1";
constexpr size_t kHeaderSize = kMagic.size() + sizeof(uint64_t);
constexpr char kWhat[] = "a batch of images";

ByteView content_of(ByteView batch) {
  return batch.subspan(kHeaderSize);
}

Result<std::optional<Key>> walk(ByteView batch, const ImageSink& sink) {
  ByteReader reader(content_of(batch), kWhat);
  std::optional<Key> last;
  while (reader.remaining() > 0) {
    Key key;
    VARVE_ASSIGN(const ByteView key_bytes, reader.take(Key::kSize));
    std::ranges::copy(key_bytes, key.bytes.begin());
    ByteView image;
    VARVE_TRY(reader.get_blob(image));
    if (last && key <= *last) {
      return make_error(ErrorCode::kCorrupted, "{} has key {} behind {}", kWhat, key, *last);
    }
    VARVE_TRY(sink(key, image));
    last = key;
  }
  return last;
}

}  // namespace

ImageBatchWriter::ImageBatchWriter() {
  take();
}

void ImageBatchWriter::put(const Key& key, ByteView image) {
  std::array<uint8_t, sizeof(uint32_t)> length{};
  store_little(length.data(), static_cast<uint32_t>(image.size()));
  batch_ += as_text(key.bytes);
  batch_ += as_text(length);
  batch_ += as_text(image);
  ++count_;
}

std::string ImageBatchWriter::take() {
  if (batch_.size() >= kHeaderSize) {
    std::array<uint8_t, sizeof(uint64_t)> checksum{};
    store_little(checksum.data(), checksum64(content_of(as_bytes(batch_))));
    batch_.replace(kMagic.size(), checksum.size(), as_text(checksum));
  }
  std::string taken(kMagic);
  taken.append(sizeof(uint64_t), '\0');
  taken.swap(batch_);
  count_ = 0;
  return taken;
}

Result<std::optional<Key>> read_image_batch(ByteView batch, const ImageSink& sink) {
  if (batch.size() < kHeaderSize || !as_text(batch).starts_with(kMagic) ||
      load_little<uint64_t>(batch.data() + kMagic.size()) != checksum64(content_of(batch))) {
    return make_error(ErrorCode::kCorrupted, "{} is damaged", kWhat);
  }
  const auto nowhere = [](const Key&, ByteView) -> Result<> { return {}; };
  VARVE_TRY(walk(batch, nowhere));
  return walk(batch, sink);
}

}  // namespace varve::http
