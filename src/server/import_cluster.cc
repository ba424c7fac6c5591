#include "server/import_cluster.h"

#include <spdlog/spdlog.h>

#include "layer/pipelined_sink.h"

namespace varve {

Result<Json> import_cluster(PageService& service, const ImportRequest& request,
                            const CallOptions& call, const ProgressCallback& read,
                            const ByteProgress& uploaded) {
  VARVE_ASSIGN(const DataDirectory source, DataDirectory::open(request.data_directory));
  VARVE_ASSIGN(const auto timeline,
               service.start_import({.tenant = request.tenant,
                                     .name = request.name,
                                     .image_lsn = source.control_file().checkpoint_lsn()}));
  PipelinedSink writer(*timeline);
  VARVE_ASSIGN(const ImportSummary summary,
               import_data_directory(source, writer, request.options, read));
  VARVE_TRY(writer.finish());
  for (const std::string& path : summary.skipped) {
    spdlog::warn("{} is no file that a backup can hold: it will not be restored",
                 (request.data_directory / path).string());
  }
  VARVE_ASSIGN(Json made, timeline->commit({.last_record_lsn = summary.last_record_lsn,
                                            .system_identifier = summary.system_identifier},
                                           call, uploaded));
  spdlog::info("imported {} bytes in {} relations of {} databases as timeline {}", summary.bytes,
               summary.relations, summary.databases, made.at("timeline_id").get<std::string>());
  return made;
}

}  // namespace varve
