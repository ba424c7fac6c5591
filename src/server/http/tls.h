// TLS of the HTTP server, on OpenSSL.
#pragma once

#include <openssl/ssl.h>

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>

#include "base/result.h"

namespace varve::http {

// What the server shows of itself. Thread-safe.
class TlsIdentity {
 public:
  // PEM files. NotFound, Denied or InvalidArgument, naming the file, when they cannot be used.
  static Result<std::unique_ptr<TlsIdentity>> load(std::filesystem::path certificate,
                                                   std::filesystem::path key);

  // Reads the files anew, for connections from now on; after an error it is as it was.
  Result<> reload();

  std::shared_ptr<SSL_CTX> context() const;
  // What the certificate is for, by which a client can check it: the address, where it is for that,
  // otherwise a name.
  std::string name_for(const std::string& address) const;

 private:
  TlsIdentity(std::filesystem::path certificate, std::filesystem::path key)
      : certificate_(std::move(certificate)), key_(std::move(key)) {}
  Result<std::shared_ptr<SSL_CTX>> read() const;

  const std::filesystem::path certificate_;
  const std::filesystem::path key_;
  mutable std::mutex mutex_;
  std::shared_ptr<SSL_CTX> context_;
};

// The server's side of TLS on a socket that does not block. Used by one thread.
class TlsStream {
 public:
  TlsStream(const std::shared_ptr<SSL_CTX>& context, int socket);
  // Tells the client that there is no more.
  ~TlsStream();
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  enum class Outcome {
    kDone,
    kEnd,         // The client has ended it, or it has failed.
    kWantsRead,   // To be repeated once the socket is readable.
    kWantsWrite,  // The same, writable.
  };
  struct Transfer {
    Outcome outcome;
    size_t size = 0;
  };
  Transfer read(char* to, size_t size);
  Transfer write(const char* from, size_t size);
  // Something can be read though the socket may not be readable.
  bool has_more() const { return SSL_pending(ssl_.get()) > 0; }

 private:
  struct Free {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  Transfer outcome_of(int result, size_t size);

  std::unique_ptr<SSL, Free> ssl_;
  bool failed_ = false;
};

}  // namespace varve::http
