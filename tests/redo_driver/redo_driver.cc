// Has pages made from records by redo processes.
//
//   varve_redo_driver --library FILE [--checksums] REQUESTS PAGES
//
// REQUESTS holds, for each page, eight u32: tablespace, database, relation, fork, block, whether
// there is a page before the records, how many records, whether hint bits were logged; that page;
// and for each record u64 its end, u32 its size, and its bytes. PAGES gets for each u32 0 and the
// page, or u32 1, u32 a size and the error's text. With --checksums pages get theirs, as an export
// does it. What it took goes to stdout as JSON.
#include <fmt/format.h>

#include <chrono>
#include <deque>
#include <iostream>
#include <thread>

#include <CLI/CLI.hpp>

#include "fs/directory.h"
#include "postgres/page.h"
#include "postgres/stored_record.h"
#include "redo/redo_process_pool.h"

namespace varve {
namespace {

struct Arguments {
  bool checksums = false;
  std::filesystem::path requests;
  std::filesystem::path pages;
  RedoProcessPoolOptions pool;
  size_t batch = 64;
};

// The requests of a file, to whose bytes and values they refer.
struct Requests {
  Bytes bytes;
  // The values of the records.
  std::deque<Bytes> values;
  std::vector<std::vector<Version>> records;
  std::vector<RedoRequest> requests;
};

Result<> parse(Requests& out) {
  ByteReader reader(out.bytes, "the file of requests");
  while (reader.remaining() > 0) {
    RelationBlockKey block;
    uint32_t fork = 0;
    uint32_t has_base = 0;
    uint32_t count = 0;
    uint32_t logs_hint_bits = 0;
    VARVE_TRY(reader.get(block.fork.relation.directory.tablespace));
    VARVE_TRY(reader.get(block.fork.relation.directory.database));
    VARVE_TRY(reader.get(block.fork.relation.relation));
    VARVE_TRY(reader.get(fork));
    VARVE_TRY(reader.get(block.block));
    VARVE_TRY(reader.get(has_base));
    VARVE_TRY(reader.get(count));
    VARVE_TRY(reader.get(logs_hint_bits));
    block.fork.fork = static_cast<RelationFork>(fork);
    RedoRequest request{.key = make_key(block), .base = {}, .records = {}};
    if (has_base != 0) {
      VARVE_ASSIGN(request.base, reader.take(kBlockSize));
    }
    std::vector<Version>& records = out.records.emplace_back();
    for (uint32_t i = 0; i < count; ++i) {
      Version record{.key = request.key, .lsn = {}, .kind = ValueKind::kRecord, .value = {}};
      VARVE_TRY(reader.get(record.lsn));
      StoredRecord stored{.hint_bits_logged = logs_hint_bits != 0};
      VARVE_TRY(reader.get_blob(stored.bytes));
      record.value = out.values.emplace_back(stored.encode());
      records.push_back(record);
    }
    request.records = records;
    out.requests.push_back(request);
  }
  return {};
}

std::vector<Result<Bytes>> apply_all(RedoProcessPool& pool, std::span<const RedoRequest> requests,
                                     const Arguments& arguments) {
  std::vector<std::vector<Result<Bytes>>> batches((requests.size() + arguments.batch - 1) /
                                                  arguments.batch);
  std::atomic<size_t> next = 0;
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < arguments.pool.processes; ++i) {
      threads.emplace_back([&] {
        for (size_t at = 0; (at = next++) < batches.size();) {
          const auto rest = requests.subspan(at * arguments.batch);
          batches[at] = pool.apply_many(rest.first(std::min(arguments.batch, rest.size())));
        }
      });
    }
  }
  std::vector<Result<Bytes>> results;
  for (auto& batch : batches) std::ranges::move(batch, std::back_inserter(results));
  return results;
}

Result<> drive(const Arguments& arguments) {
  Requests requests;
  VARVE_ASSIGN(requests.bytes, read_file(arguments.requests, UINT64_MAX));
  VARVE_TRY(parse(requests));
  RedoProcessPool pool(arguments.pool);
  VARVE_TRY(pool.start());
  const BootTime begin = system_clock().boot_time();
  auto results = apply_all(pool, requests.requests, arguments);
  const Duration taken = system_clock().boot_time() - begin;
  ByteWriter pages;
  size_t records = 0;
  for (size_t i = 0; i < results.size(); ++i) {
    records += requests.records[i].size();
    if (!results[i].ok()) {
      pages.put(uint32_t{1});
      pages.put_string(results[i].error().message());
      continue;
    }
    if (arguments.checksums) {
      const auto key = std::get<RelationBlockKey>(*parse_key(requests.requests[i].key));
      set_page_checksum(*results[i], key.block);
    }
    pages.put(uint32_t{0});
    pages.put_raw(*results[i]);
  }
  VARVE_TRY(write_file_atomically(arguments.pages, pages.view(), 0644));
  fmt::print("{{\"pages\": {}, \"records\": {}, \"seconds\": {:.6f}}}\n", results.size(), records,
             std::chrono::duration<double>(taken).count());
  return {};
}

int run(int argc, char** argv) {
  CLI::App app("Has pages made from records");
  Arguments arguments;
  bool allow_all = false;
  app.add_option("REQUESTS", arguments.requests)->required();
  app.add_option("PAGES", arguments.pages)->required();
  app.add_flag("--checksums", arguments.checksums, "give pages their checksums");
  app.add_option("--library", arguments.pool.process.library, "varve_redo.so")->required();
  app.add_option("--pg-bindir", arguments.pool.process.postgres_directory);
  app.add_option("--pg-user", arguments.pool.process.user);
  app.add_option("--processes", arguments.pool.processes);
  app.add_option("--batch", arguments.batch, "pages that are asked for at once");
  app.add_flag("--no-seccomp", allow_all);
  CLI11_PARSE(app, argc, argv);
  arguments.pool.process.restrict_system_calls = !allow_all;
  const auto done = drive(arguments);
  if (done.ok()) return 0;
  std::cerr << "varve_redo_driver: " << done.error().message() << '\n';
  return 1;
}

}  // namespace
}  // namespace varve

int main(int argc, char** argv) {
  return varve::run(argc, argv);
}
