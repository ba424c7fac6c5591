// A batch of images from a client: what is read is written so that it is read as the same.
#include "base/checksum.h"
#include "expect.h"
#include "server/http/image_batch.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace varve;
  const auto read = [](ByteView batch, const ImageSink& sink) {
    return http::read_image_batch(batch, sink);
  };
  http::ImageBatchWriter writer;
  const auto copy = [&](const Key& key, ByteView image) -> Result<> {
    writer.put(key, image);
    return {};
  };
  // As it came, and with the checksum that it would need.
  std::ignore = read({data, size}, copy);
  std::string batch = http::ImageBatchWriter().take();
  constexpr size_t kMagicSize = 8;
  const size_t header_size = batch.size();
  batch.append(reinterpret_cast<const char*>(data), size);
  store_little(reinterpret_cast<uint8_t*>(batch.data()) + kMagicSize,
               checksum64(as_bytes(batch).subspan(header_size)));
  writer.take();
  if (!read(as_bytes(batch), copy).ok()) return 0;
  expect(writer.take() == batch);
  return 0;
}
