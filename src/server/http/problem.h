// Errors as problem documents, https://www.rfc-editor.org/rfc/rfc9457, and back. A document has the
// code of the error as a member of its own, `code`.
#pragma once

#include "server/http/message.h"

namespace varve::http {

inline constexpr char kProblemType[] = "application/problem+json";

int status_of(ErrorCode code);

Answer problem(const Error& error);
// For what HTTP can tell apart more finely than an error code.
Answer problem(int status, const Error& error);

// The error that a server answered with. One that it did not write as a problem document keeps the
// status in its message.
Error error_of(int status, const std::string& body);

}  // namespace varve::http
