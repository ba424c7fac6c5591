#include "replication/base_backup.h"

#include <set>

#include "replication/backup_message.h"
#include "replication/query_field.h"
#include "replication/server_error.h"

namespace varve {
namespace {

std::string string_literal(std::string_view text) {
  std::string result = "'";
  for (const char letter : text) {
    if (letter == '\'') result += '\'';
    result += letter;
  }
  return result + "'";
}

std::string archive_name(const BackupTablespace& tablespace) {
  return tablespace.oid ? fmt::format("{}.tar", *tablespace.oid) : "base.tar";
}

// The life of one BASE_BACKUP command.
class BackupReception {
 public:
  BackupReception(ReplicationConnection& connection, BaseBackupSink& sink, const CallOptions& call)
      : connection_(connection.libpq()),
        silence_timeout_(connection.options().silence_timeout),
        sink_(sink),
        call_(call) {}

  Result<BackupEnd> run(const std::string& command) {
    VARVE_TRY(call_.check("a base backup"));
    VARVE_TRY(connection_.send_command(command));
    VARVE_TRY(receive_start());
    VARVE_TRY(sink_.begin_backup(start_));
    VARVE_TRY(receive_archives());
    return receive_end();
  }

 private:
  Result<QueryResult> expect_result(ExecStatusType status) {
    VARVE_ASSIGN(QueryResult result, connection_.next_result(call_));
    if (result == nullptr || PQresultStatus(result.get()) != status) {
      return make_error(ErrorCode::kCorrupted, "the server gave {} where {} was expected",
                        result == nullptr ? "nothing" : PQresStatus(PQresultStatus(result.get())),
                        PQresStatus(status));
    }
    return result;
  }

  // Comes when the checkpoint is done, which may take long; a server that is gone is noticed by
  // the keepalives of TCP.
  Result<> receive_start() {
    VARVE_ASSIGN(const QueryResult position, expect_result(PGRES_TUPLES_OK));
    VARVE_ASSIGN(start_.start, lsn_field(position.get(), 0));
    VARVE_ASSIGN(start_.timeline, number_field<uint32_t>(position.get(), 1));
    VARVE_ASSIGN(const QueryResult list, expect_result(PGRES_TUPLES_OK));
    for (int row = 0; row < PQntuples(list.get()); ++row) {
      BackupTablespace tablespace;
      if (PQnfields(list.get()) < 3) return damaged("lists tablespaces in an unknown form");
      if (PQgetisnull(list.get(), row, 0) == 0) {
        VARVE_ASSIGN(tablespace.oid, number_field<uint32_t>(list.get(), 0, row));
        VARVE_ASSIGN(const auto location, field(list.get(), 1, row));
        tablespace.location = location;
      }
      if (PQgetisnull(list.get(), row, 2) == 0) {
        // In kilobytes (SendTablespaceList).
        VARVE_ASSIGN(const auto kilobytes, number_field<uint64_t>(list.get(), 2, row));
        tablespace.size_bytes = kilobytes * 1024;
      }
      awaited_.insert(archive_name(tablespace));
      start_.tablespaces.push_back(std::move(tablespace));
    }
    VARVE_TRY(expect_result(PGRES_COPY_OUT));
    return {};
  }

  Result<> receive_archives() {
    while (true) {
      VARVE_ASSIGN(const auto copied,
                   connection_.next_copy_message(Deadline::after(silence_timeout_), call_));
      if (copied == LibpqConnection::Copied::kSilence) {
        return make_error(ErrorCode::kUnavailable, "the server was silent for too long");
      }
      if (copied == LibpqConnection::Copied::kEnd) return {};
      VARVE_ASSIGN(const BackupMessage message, parse_backup_message(connection_.copy_message()));
      VARVE_TRY(std::visit([this](const auto& kind) { return take(kind); }, message));
    }
  }

  Result<> take(const ArchiveBegins& archive) {
    VARVE_TRY(finish_archive());
    if (awaited_.erase(std::string(archive.name)) == 0) {
      return damaged(fmt::format("sent an archive {} that it did not announce", archive.name));
    }
    for (const BackupTablespace& tablespace : start_.tablespaces) {
      if (archive_name(tablespace) == archive.name) VARVE_TRY(sink_.begin_tablespace(tablespace));
    }
    archive_.emplace(sink_);
    return {};
  }
  Result<> take(const ArchiveData& data) {
    if (!archive_) return damaged("sent files before the name of their archive");
    return archive_->consume(data.bytes);
  }
  Result<> take(const BackupProgress& progress) {
    sink_.progress(progress.bytes);
    return {};
  }

  Result<> finish_archive() {
    if (archive_) VARVE_TRY(archive_->finish());
    archive_.reset();
    return {};
  }

  Result<BackupEnd> receive_end() {
    // An error of the server ends the copy too, and says more than an archive that is cut off.
    VARVE_ASSIGN(const QueryResult position, expect_result(PGRES_TUPLES_OK));
    VARVE_TRY(finish_archive());
    if (!awaited_.empty()) {
      return damaged(fmt::format("did not send the archive {}", *awaited_.begin()));
    }
    BackupEnd end;
    VARVE_ASSIGN(end.stop, lsn_field(position.get(), 0));
    VARVE_ASSIGN(end.timeline, number_field<uint32_t>(position.get(), 1));
    VARVE_TRY(connection_.finish_command(call_));
    return end;
  }

  static Error damaged(std::string_view what) {
    return make_error(ErrorCode::kCorrupted, "the server {}", what);
  }

  LibpqConnection& connection_;
  const Duration silence_timeout_;
  BaseBackupSink& sink_;
  const CallOptions& call_;
  BackupStart start_;
  // Archives that have not come yet.
  std::set<std::string> awaited_;
  std::optional<TarReader> archive_;
};

}  // namespace

uint64_t BackupStart::estimated_bytes() const {
  uint64_t sum = 0;
  for (const BackupTablespace& tablespace : tablespaces) sum += tablespace.size_bytes;
  return sum;
}

Result<BackupEnd> take_base_backup(ReplicationConnection& connection,
                                   const BaseBackupOptions& options, BaseBackupSink& sink,
                                   const CallOptions& call) {
  // Without WAIT the server would hold the end back until its own archive has the WAL.
  const std::string command = fmt::format(
      "BASE_BACKUP (LABEL {}, PROGRESS, CHECKPOINT '{}', WAL false, WAIT false, MANIFEST 'no')",
      string_literal(options.label), options.fast_checkpoint ? "fast" : "spread");
  auto end = BackupReception(connection, sink, call).run(command);
  // Nobody is going to read the rest.
  if (!end.ok()) connection.libpq().close();
  return std::move(end).context(fmt::format("{}: base backup", connection.peer()));
}

}  // namespace varve
