// Which transactions a record of their end is about.
#pragma once

#include <algorithm>
#include <vector>

#include "postgres/wal/v15/transaction.h"

namespace varve {

// Calls visit(uint32_t) for the transaction, if it had a number, and for its subtransactions.
template <typename Visit>
void visit_ended_transactions(const wal15::TransactionEnd& end, Visit&& visit) {
  if (end.transaction != 0) visit(end.transaction);
  for (const uint32_t transaction : end.subtransactions) visit(transaction);
}

// The pages of `transactions_per_page` each on which they lie, each page once, ascending.
inline void collect_transaction_pages(const wal15::TransactionEnd& end,
                                      uint32_t transactions_per_page,
                                      std::vector<uint32_t>& pages) {
  pages.clear();
  visit_ended_transactions(end, [&](uint32_t transaction) {
    const uint32_t page = transaction / transactions_per_page;
    // Thousands of subtransactions lie on few pages, mostly in order.
    if (pages.empty() || pages.back() != page) pages.push_back(page);
  });
  std::ranges::sort(pages);
  const auto repeated = std::ranges::unique(pages);
  pages.erase(repeated.begin(), repeated.end());
}

}  // namespace varve
