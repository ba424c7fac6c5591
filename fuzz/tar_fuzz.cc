// Tar streams: what is given is within what was read and safe to use as a name, and the pieces in
// which a stream comes make no difference. The messages that carry it are looked at too.

#include "expect.h"
#include "replication/backup_message.h"
#include "replication/stream_message.h"
#include "replication/tar_reader.h"

namespace {

using namespace varve;

class Recorder : public TarSink {
 public:
  Result<> begin_entry(const TarEntry& entry) override {
    expect(!open_);
    expect(!entry.path.empty() && entry.path.front() != '/' && entry.path.back() != '/');
    const std::string parts = "/" + entry.path + "/";
    expect(parts.find("/../") == std::string::npos && parts.find("//") == std::string::npos);
    expect(entry.path.find('\0') == std::string::npos);
    expect(entry.type == TarEntry::Type::kFile || entry.size == 0);
    open_ = true;
    left_ = entry.size;
    log_ += fmt::format("{} {} {:o} {} -> {}\n", static_cast<int>(entry.type), entry.path,
                        entry.mode, entry.size, entry.link_target);
    return {};
  }
  Result<> content(ByteView bytes) override {
    expect(open_ && bytes.size() <= left_);
    left_ -= bytes.size();
    log_ += as_text(bytes);
    return {};
  }
  Result<> end_entry() override {
    expect(open_ && left_ == 0);
    open_ = false;
    log_ += "end\n";
    return {};
  }

  std::string log_;

 private:
  bool open_ = false;
  uint64_t left_ = 0;
};

std::string read(ByteView bytes, size_t piece) {
  Recorder recorder;
  TarReader reader(recorder);
  Result<> outcome;
  while (outcome.ok() && !bytes.empty()) {
    const ByteView now = bytes.first(std::min(piece, bytes.size()));
    bytes = bytes.subspan(now.size());
    outcome = reader.consume(now);
  }
  if (outcome.ok()) outcome = reader.finish();
  return recorder.log_ + (outcome.ok() ? "" : outcome.error().message());
}

// Makes the checksums of all blocks right that say they are of the format, so that the fuzzer gets
// past them.
Bytes with_checksums(ByteView input) {
  constexpr size_t kBlock = 512;
  Bytes bytes(input.begin(), input.end());
  for (size_t at = 0; at + kBlock <= bytes.size(); at += kBlock) {
    uint8_t* const header = bytes.data() + at;
    if (std::memcmp(header + 257, "ustar", 5) != 0) continue;
    std::memset(header + 148, ' ', 8);
    uint32_t sum = 0;
    for (size_t i = 0; i < kBlock; ++i) sum += header[i];
    for (size_t digit = 0; digit < 6; ++digit, sum >>= 3) {
      header[148 + 5 - digit] = static_cast<uint8_t>('0' + (sum & 7));
    }
  }
  return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const size_t piece = data[0] + 1U;
  const ByteView input(data + 1, size - 1);
  const Bytes repaired = with_checksums(input);
  for (const ByteView bytes : {input, ByteView(repaired)}) {
    expect(read(bytes, piece) == read(bytes, std::max<size_t>(bytes.size(), 1)));
  }
  (void)parse_stream_message(input).ok();
  (void)parse_backup_message(input).ok();
  return 0;
}
