// The kinds of requests that a storage is sent.
#pragma once

#include <cstddef>
#include <string_view>

namespace varve {

enum class Operation {
  kPut,
  kGet,
  kList,
  kHead,
  kDelete,
  kMultipartCreate,
  kMultipartPart,
  kMultipartComplete,
  kMultipartAbort,
  kMultipartList,
};
inline constexpr size_t kOperationCount = 10;

// "put", "get", "list", "head", "delete", "multipart_create", ...: labels of metrics and JSON keys.
constexpr std::string_view name(Operation operation) {
  switch (operation) {
    case Operation::kPut:
      return "put";
    case Operation::kGet:
      return "get";
    case Operation::kList:
      return "list";
    case Operation::kHead:
      return "head";
    case Operation::kDelete:
      return "delete";
    case Operation::kMultipartCreate:
      return "multipart_create";
    case Operation::kMultipartPart:
      return "multipart_part";
    case Operation::kMultipartComplete:
      return "multipart_complete";
    case Operation::kMultipartAbort:
      return "multipart_abort";
    case Operation::kMultipartList:
      return "multipart_list";
  }
  return "unknown";
}

}  // namespace varve
