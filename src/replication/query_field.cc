#include "replication/query_field.h"

namespace varve {

Result<bool> is_null_field(const PGresult* result, int column, int row) {
  if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) <= row ||
      PQnfields(result) <= column) {
    return make_error(ErrorCode::kCorrupted,
                      "the server gave {} rows of {} columns, where column {} of row {} was "
                      "expected",
                      PQntuples(result), PQnfields(result), column + 1, row + 1);
  }
  return PQgetisnull(result, row, column) != 0;
}

Result<std::string_view> field(const PGresult* result, int column, int row) {
  VARVE_ASSIGN(const bool is_null, is_null_field(result, column, row));
  if (is_null) {
    return make_error(ErrorCode::kCorrupted, "the server gave no value in column {} of row {}",
                      column + 1, row + 1);
  }
  return std::string_view(PQgetvalue(result, row, column),
                          static_cast<size_t>(PQgetlength(result, row, column)));
}

Result<Lsn> lsn_field(const PGresult* result, int column, int row) {
  VARVE_ASSIGN(const std::string_view text, field(result, column, row));
  const auto lsn = Lsn::parse(text);
  if (!lsn.ok()) return Error(ErrorCode::kCorrupted, lsn.error().message());
  return *lsn;
}

}  // namespace varve
