#include "server/http/tls.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "fs/directory.h"

namespace varve::http {
namespace {

struct FreeStack {
  void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
};

// The newest one, and none is left.
std::string take_openssl_error() {
  const unsigned long error = ERR_peek_last_error();
  ERR_clear_error();
  const char* const reason = ERR_reason_error_string(error);
  return reason == nullptr ? "it is not what was expected" : reason;
}

// A name that a host can have: of "*.example.com" one of those that it stands for.
std::string concrete(std::string name) {
  return name.starts_with("*.") ? "varve" + name.substr(1) : name;
}

std::string first_dns_name(X509* certificate) {
  const std::unique_ptr<GENERAL_NAMES, FreeStack> names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_DNS) continue;
    const ASN1_IA5STRING* const text = name->d.dNSName;
    return concrete({reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                     static_cast<size_t>(ASN1_STRING_length(text))});
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<TlsIdentity>> TlsIdentity::load(std::filesystem::path certificate,
                                                       std::filesystem::path key) {
  std::unique_ptr<TlsIdentity> identity(new TlsIdentity(std::move(certificate), std::move(key)));
  VARVE_TRY(identity->reload());
  return identity;
}

Result<std::shared_ptr<SSL_CTX>> TlsIdentity::read() const {
  // For errors that tell an absent file from one that holds something else.
  VARVE_TRY(read_file(certificate_));
  VARVE_TRY(read_file(key_));
  const std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_mode(context.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (SSL_CTX_use_certificate_chain_file(context.get(), certificate_.c_str()) != 1) {
    return make_error(ErrorCode::kInvalidArgument, "{} holds no certificate in PEM: {}",
                      certificate_.string(), take_openssl_error());
  }
  if (SSL_CTX_use_PrivateKey_file(context.get(), key_.c_str(), SSL_FILETYPE_PEM) != 1) {
    return make_error(ErrorCode::kInvalidArgument,
                      "{} does not hold the key of the certificate in {}, in PEM and without a "
                      "passphrase: {}",
                      key_.string(), certificate_.string(), take_openssl_error());
  }
  return context;
}

Result<> TlsIdentity::reload() {
  VARVE_ASSIGN(auto context, read());
  const std::lock_guard lock(mutex_);
  context_ = std::move(context);
  return {};
}

std::shared_ptr<SSL_CTX> TlsIdentity::context() const {
  const std::lock_guard lock(mutex_);
  return context_;
}

std::string TlsIdentity::name_for(const std::string& address) const {
  const auto context = this->context();
  X509* const certificate = SSL_CTX_get0_certificate(context.get());
  if (X509_check_ip_asc(certificate, address.c_str(), 0) == 1) return address;
  if (X509_check_host(certificate, address.data(), address.size(), 0, nullptr) == 1) return address;
  const std::string name = first_dns_name(certificate);
  return name.empty() ? address : name;
}

TlsStream::TlsStream(const std::shared_ptr<SSL_CTX>& context, int socket)
    : ssl_(SSL_new(context.get())) {
  SSL_set_fd(ssl_.get(), socket);
  SSL_set_accept_state(ssl_.get());
}

TlsStream::~TlsStream() {
  if (!failed_ && SSL_is_init_finished(ssl_.get()) == 1) SSL_shutdown(ssl_.get());
  ERR_clear_error();
}

TlsStream::Transfer TlsStream::read(char* to, size_t size) {
  ERR_clear_error();
  size_t count = 0;
  const int result = SSL_read_ex(ssl_.get(), to, size, &count);
  return outcome_of(result, count);
}

TlsStream::Transfer TlsStream::write(const char* from, size_t size) {
  ERR_clear_error();
  size_t count = 0;
  const int result = SSL_write_ex(ssl_.get(), from, size, &count);
  return outcome_of(result, count);
}

TlsStream::Transfer TlsStream::outcome_of(int result, size_t size) {
  if (result == 1) return {Outcome::kDone, size};
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return {Outcome::kWantsRead};
    case SSL_ERROR_WANT_WRITE:
      return {Outcome::kWantsWrite};
    case SSL_ERROR_ZERO_RETURN:
      return {Outcome::kEnd};
    default:
      failed_ = true;
      return {Outcome::kEnd};
  }
}

}  // namespace varve::http
