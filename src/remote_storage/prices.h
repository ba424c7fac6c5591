// What requests cost.
#pragma once

#include "remote_storage/request_counts.h"

namespace varve {

// US dollars per 1,000 requests.
struct Prices {
  double write = 0;   // PUT, COPY, POST, LIST; creating, sending, completing and listing
                      // multipart uploads.
  double read = 0;    // GET and everything else.
  double cancel = 0;  // DELETE, and aborting multipart uploads.
};

// https://aws.amazon.com/s3/pricing/, "Requests & data retrievals", S3 Standard, US East (N.
// Virginia).
inline constexpr Prices kS3StandardPrices{.write = 0.005, .read = 0.0004, .cancel = 0};

// Of one request of that kind, in US dollars.
double price_usd(Operation operation, const Prices& prices = kS3StandardPrices);

// An upper bound, in US dollars: failed requests are counted like the others, though some are not
// charged.
double cost_usd(const RequestCounts& counts, const Prices& prices = kS3StandardPrices);

}  // namespace varve
