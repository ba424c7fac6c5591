// A record that a server wrote, decoded, together with its bytes.
#pragma once

#include <gtest/gtest.h>

#include <memory>

#include "postgres/test_support/golden_wal.h"

namespace varve {

class DecodedGolden {
 public:
  // Fails the test when the record can't be decoded.
  explicit DecodedGolden(GoldenRecord golden) : golden_(std::move(golden)) {
    const Result<> result = record_->decode(golden_.record());
    EXPECT_TRUE(result.ok()) << result.error().message();
  }
  const DecodedRecord& operator*() const { return *record_; }
  const DecodedRecord* operator->() const { return record_.get(); }

 private:
  GoldenRecord golden_;
  std::unique_ptr<DecodedRecord> record_ = std::make_unique<DecodedRecord>();
};

}  // namespace varve
