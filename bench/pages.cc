#include <algorithm>
#include <charconv>
#include <numeric>

#include "base/random.h"
#include "measurement.h"
#include "postgres/key_space.h"
#include "postgres/stored_values.h"
#include "server/local_page_service.h"
#include "server/page_server.h"

namespace varve::bench {
namespace {

Result<RelationForkTag> parse_relation(const std::string& text) {
  std::array<uint32_t, 3> numbers{};
  const char* at = text.data();
  const char* const end = text.data() + text.size();
  for (size_t i = 0; i < numbers.size(); ++i) {
    const auto [rest, error] = std::from_chars(at, end, numbers[i]);
    const bool is_last = i + 1 == numbers.size();
    const bool goes_on = is_last ? rest == end : rest != end && *rest == '/';
    if (error != std::errc() || !goes_on) {
      return make_error(ErrorCode::kInvalidArgument, "{} is not TABLESPACE/DATABASE/RELATION",
                        text);
    }
    at = is_last ? rest : rest + 1;
  }
  return RelationForkTag{
      .relation = {.directory = {.tablespace = numbers[0], .database = numbers[1]},
                   .relation = numbers[2]},
      .fork = RelationFork::kMain};
}

Result<Json> read_relation(TimelineSnapshot& timeline, const RelationForkTag& fork) {
  VARVE_ASSIGN(const Bytes size, timeline.get(make_key(RelationSizeKey{fork}), timeline.lsn()));
  VARVE_ASSIGN(const uint32_t count, decode_block_count(size));
  std::vector<uint32_t> blocks(count);
  std::iota(blocks.begin(), blocks.end(), 0U);
  SeededRandom random(1);
  for (size_t i = blocks.size(); i > 1; --i) std::swap(blocks[i - 1], blocks[random.next() % i]);
  std::vector<double> seconds;
  for (const uint32_t block : blocks) {
    const Stopwatch watch;
    VARVE_TRY(
        timeline.get(make_key(RelationBlockKey{.fork = fork, .block = block}), timeline.lsn()));
    seconds.push_back(watch.seconds());
  }
  return describe_latencies(std::move(seconds));
}

}  // namespace

Result<Json> measure_pages(const PageOptions& options) {
  VARVE_ASSIGN(WorkDirectory directory, WorkDirectory::open(options.work_directory));
  const Settings settings = directory.settings();
  VARVE_ASSIGN(auto server, PageServer::open(std::move(directory), {.settings = settings}));
  LocalPageService service(std::move(server));
  VARVE_ASSIGN(const auto timeline, service.open_snapshot({.timeline = options.timeline,
                                                           .pattern = ReadPattern::kOnDemand}));
  std::vector<RelationForkTag> forks;
  for (const std::string& relation : options.relations) {
    VARVE_ASSIGN(forks.emplace_back(), parse_relation(relation));
  }
  // A redo process is started by whoever needs it first, which is not what is measured here.
  const Key last = make_key(RelationBlockKey{.fork = forks.back(), .block = 0});
  VARVE_TRY(timeline->get(last, timeline->lsn()));
  Json read = Json::array();
  for (const RelationForkTag& fork : forks) {
    VARVE_ASSIGN(auto described, read_relation(*timeline, fork));
    read.push_back(std::move(described));
  }
  return read;
}

}  // namespace varve::bench
