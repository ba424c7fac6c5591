#include "remote_storage/prices.h"

namespace varve {

double price_usd(Operation operation, const Prices& prices) {
  switch (operation) {
    case Operation::kPut:
    case Operation::kList:
    case Operation::kMultipartCreate:
    case Operation::kMultipartPart:
    case Operation::kMultipartComplete:
    case Operation::kMultipartList:
      return prices.write / 1000;
    case Operation::kGet:
    case Operation::kHead:
      return prices.read / 1000;
    case Operation::kDelete:
    case Operation::kMultipartAbort:
      return prices.cancel / 1000;
  }
  return 0;
}

double cost_usd(const RequestCounts& counts, const Prices& prices) {
  double cost = 0;
  for (size_t at = 0; at < kOperationCount; ++at) {
    const auto operation = static_cast<Operation>(at);
    cost += static_cast<double>(counts.total(operation)) * price_usd(operation, prices);
  }
  return cost;
}

}  // namespace varve
