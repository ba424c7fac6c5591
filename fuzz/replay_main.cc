// Runs a fuzz target over the files of a directory, in builds without libFuzzer: each file that
// once mattered goes on being tested, in every build and under every sanitizer.

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s CORPUS_DIRECTORY...\n", argv[0]);
    return 2;
  }
  size_t replayed = 0;
  for (int at = 1; at < argc; ++at) {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(argv[at], error)) {
      if (!entry.is_regular_file()) continue;
      // Shown before it runs, so that a crash is preceded by the name of its input.
      std::printf("%s\n", entry.path().c_str());
      std::fflush(stdout);
      std::ifstream file(entry.path(), std::ios::binary);
      const std::vector<char> content{std::istreambuf_iterator<char>(file), {}};
      LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(content.data()), content.size());
      ++replayed;
    }
    if (error) {
      std::fprintf(stderr, "%s: %s\n", argv[at], error.message().c_str());
      return 1;
    }
  }
  if (replayed == 0) {
    std::fprintf(stderr, "%s: the corpus is empty\n", argv[1]);
    return 1;
  }
  std::printf("%zu inputs replayed\n", replayed);
  return 0;
}
