#include "storage_sync/nonce_journal.h"

#include <algorithm>

#include "base/bytes.h"
#include "storage_sync/checked_file.h"

namespace varve {
namespace {

constexpr std::string_view kMagic = "VARVEJRN";

}  // namespace

Result<NonceJournal> NonceJournal::open(std::filesystem::path path) {
  NonceJournal journal(std::move(path));
  auto body = read_checked_file(journal.path_, kMagic);
  if (body.failed_with(ErrorCode::kNotFound)) return journal;
  if (!body.ok()) return body.error();
  const std::string what = journal.path_.string();
  ByteReader in(*body, what);
  uint32_t count = 0;
  VARVE_TRY(in.get(journal.after_));
  VARVE_TRY(in.get_count(count, sizeof(Nonce)));
  journal.nonces_.resize(count);
  for (Nonce& nonce : journal.nonces_) VARVE_TRY(in.get(nonce));
  VARVE_TRY(in.finish());
  return journal;
}

Result<> NonceJournal::add(uint64_t after, const Nonce& nonce) {
  if (after == after_ && contains(nonce)) return {};
  std::vector<Nonce> nonces;
  if (after == after_) nonces = nonces_;
  nonces.push_back(nonce);
  ByteWriter out;
  out.put(after);
  out.put(static_cast<uint32_t>(nonces.size()));
  for (const Nonce& known : nonces) out.put(known);
  VARVE_TRY(write_checked_file(path_, kMagic, out.view()));
  after_ = after;
  nonces_ = std::move(nonces);
  return {};
}

bool NonceJournal::contains(const Nonce& nonce) const {
  return std::ranges::find(nonces_, nonce) != nonces_.end();
}

}  // namespace varve
