#include "redo/redo_process_check.h"

#include <array>

#include "postgres/stored_record.h"
#include "redo/known_pages.h"

namespace varve {

Result<> check_redo_process(RedoProcess& process, Duration patience, const CallOptions& call) {
  const KnownPages known = known_pages();
  const Bytes first_record = StoredRecord{.bytes = known.first_record}.encode();
  const Bytes second_record = StoredRecord{.bytes = known.second_record}.encode();
  const std::array<Version, 2> records{{{.key = known.key,
                                         .lsn = known.first_end,
                                         .kind = ValueKind::kRecord,
                                         .value = first_record},
                                        {.key = known.key,
                                         .lsn = known.second_end,
                                         .kind = ValueKind::kRecord,
                                         .value = second_record}}};
  const std::array<RedoRequest, 2> requests{
      {{.key = known.key, .base = {}, .records = std::span(records).first(1)},
       {.key = known.key, .base = known.first_page, .records = std::span(records).last(1)}}};
  const std::array<const Bytes*, 2> expected{&known.first_page, &known.second_page};
  std::vector<Result<Bytes>> pages;
  VARVE_TRY(process.exchange(requests, patience, call, pages));
  for (size_t i = 0; i < expected.size(); ++i) {
    if (pages[i].ok() && *pages[i] == *expected[i]) continue;
    return make_error(ErrorCode::kInvalidArgument,
                      "PostgreSQL does not redo a known record as it should ({}): use PostgreSQL "
                      "15 and the varve_redo.so that was built together with this program",
                      pages[i].ok() ? "the page is another" : pages[i].error().message());
  }
  return {};
}

}  // namespace varve
