#include "storage_sync/nonce_journal.h"

#include <algorithm>

#include "base/bytes.h"
#include "storage_sync/checked_file.h"

namespace varve {
namespace {

constexpr std::string_view kMagic = "VARVEJRN";

}  // namespace

Bytes Attempts::encode() const {
  ByteWriter out;
  out.put(after);
  out.put(static_cast<uint32_t>(nonces.size()));
  for (const Nonce& nonce : nonces) out.put(nonce);
  return std::move(out).take();
}

Result<Attempts> Attempts::decode(ByteView bytes) {
  ByteReader in(bytes, "journal of attempts");
  Attempts attempts;
  uint32_t count = 0;
  VARVE_TRY(in.get(attempts.after));
  VARVE_TRY(in.get_count(count, sizeof(Nonce)));
  attempts.nonces.resize(count);
  for (Nonce& nonce : attempts.nonces) VARVE_TRY(in.get(nonce));
  VARVE_TRY(in.finish());
  return attempts;
}

Result<NonceJournal> NonceJournal::open(std::filesystem::path path) {
  NonceJournal journal(std::move(path));
  auto body = read_checked_file(journal.path_, kMagic);
  if (body.failed_with(ErrorCode::kNotFound)) return journal;
  if (!body.ok()) return body.error();
  VARVE_ASSIGN(journal.attempts_, Attempts::decode(*body).context(journal.path_.string()));
  return journal;
}

Result<> NonceJournal::add(uint64_t after, const Nonce& nonce) {
  if (after == attempts_.after && contains(nonce)) return {};
  Attempts next{.after = after, .nonces = {}};
  if (after == attempts_.after) next.nonces = attempts_.nonces;
  next.nonces.push_back(nonce);
  VARVE_TRY(write_checked_file(path_, kMagic, next.encode()));
  attempts_ = std::move(next);
  return {};
}

bool NonceJournal::contains(const Nonce& nonce) const {
  return std::ranges::find(attempts_.nonces, nonce) != attempts_.nonces.end();
}

}  // namespace varve
