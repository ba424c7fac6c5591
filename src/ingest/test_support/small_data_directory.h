// A data directory of a few files, made without a server.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/checksum.h"
#include "fs/temporary_directory.h"
#include "ingest/test_support/files.h"
#include "postgres/layout.h"
#include "postgres/page.h"
#include "postgres/relation_map.h"
#include "postgres/test_support/golden_files.h"

namespace varve {

// A page as PageInit leaves it, marked with `mark`, with the checksum of block `block`.
inline std::string test_page(uint32_t block, uint8_t mark = 1) {
  Bytes page(kBlockSize);
  store_little(&page[12], uint16_t{24});
  store_little(&page[14], uint16_t{8000});
  store_little(&page[16], uint16_t{kBlockSize});
  store_little(&page[18], uint16_t{kBlockSize | 4});
  page[8100] = mark;
  set_page_checksum(page, block);
  return std::string(as_text(page));
}

inline std::string test_pages(uint32_t count, uint8_t mark = 1) {
  std::string pages;
  for (uint32_t block = 0; block < count; ++block) pages += test_page(block, mark);
  return pages;
}

inline std::string test_relation_map() {
  Bytes file(kRelationMapSize);
  store_little(&file[0], uint32_t{0x592717});
  store_little(&file[504], crc32c(ByteView(file).first(504)));
  return std::string(as_text(file));
}

// Accepted by DataDirectory; has database 5 with one relation of two blocks, 16384.
class SmallDataDirectory {
 public:
  SmallDataDirectory() {
    write("PG_VERSION", "15\n");
    write("global/pg_control", as_text(stopped_control_file()));
    write("global/pg_filenode.map", test_relation_map());
    write("global/1262", test_pages(1));
    write("base/5/PG_VERSION", "15\n");
    write("base/5/pg_filenode.map", test_relation_map());
    write("base/5/16384", test_pages(2));
    write("pg_xact/0000", std::string(8192, '\x55'));
    write("pg_multixact/offsets/0000", std::string(8192, '\0'));
    write("pg_multixact/members/0000", std::string(8192, '\0'));
    write("pg_twophase/000002D5", as_text(two_phase_file()));
    write("postgresql.conf", "port = 5432\n");
    std::filesystem::create_directories(path() / "pg_wal");
    std::filesystem::create_directories(path() / "pg_tblspc");
    std::filesystem::create_directories(path() / "pg_commit_ts");
    std::filesystem::permissions(path(), std::filesystem::perms::owner_all);
  }

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }
  // Beside the data directory, for what a test wants to be outside of it.
  std::filesystem::path outside(std::string_view name) const { return directory_ / name; }

  void write(const std::string& name, std::string_view content) const {
    write_test_file(path_ / name, content);
  }

  void let_everyone_read() const {
    using std::filesystem::perms;
    std::filesystem::permissions(directory_.path(), perms(0755));
    std::filesystem::permissions(path_, perms(0755));
  }

 private:
  TemporaryDirectory directory_ = *TemporaryDirectory::create();
  std::filesystem::path path_ = directory_ / "data";
};

}  // namespace varve
