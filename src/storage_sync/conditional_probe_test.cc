#include "storage_sync/conditional_probe.h"

#include <gtest/gtest.h>

#include "storage_sync/test_support/sync_fixture.h"

namespace varve {
namespace {

using test_support::kTenant;
using test_support::kTenantLog;
using test_support::SyncTest;
using testing::HasSubstr;

class ConditionalProbe : public SyncTest {
 protected:
  explicit ConditionalProbe(StorageTraits traits = {.kind = "memory",
                                                    .conditions_need_proof = true})
      : SyncTest(std::move(traits)) {
    tenant_.manifest.id = kTenant;
    tenant_.head.sequence = 1;
  }
  Result<> probe() { return probe_conditional_put(storage, tenant_, {}); }

  const ObjectName archive_ = ObjectName::archive(kTenantLog, 1);

 private:
  LocalTenant tenant_;
};

TEST_F(ConditionalProbe, B1_AStorageThatRefusesASecondObjectPasses) {
  commit_tenant_log();
  const Bytes before = object(archive_.key());
  VARVE_EXPECT_OK(probe());
  EXPECT_EQ(object(archive_.key()), before);
}

TEST_F(ConditionalProbe, B1_AStorageThatIgnoresTheConditionIsNamedWithTheRemedy) {
  commit_tenant_log();
  const Bytes before = object(archive_.key());
  fail({{.operation = Operation::kPut, .fault = Fault::ignore_condition()}});
  const auto probed = probe();
  ASSERT_TRUE(probed.failed_with(ErrorCode::kInvalidArgument));
  EXPECT_THAT(probed.error().message(), HasSubstr(storage.url()));
  EXPECT_THAT(probed.error().message(), HasSubstr("If-None-Match"));
  EXPECT_EQ(object(archive_.key()), before);
}

TEST_F(ConditionalProbe, W1_AnErrorOnTheWayProvesNothing) {
  commit_tenant_log();
  for (const auto operation : {Operation::kGet, Operation::kPut}) {
    fail({{.operation = operation, .fault = Fault::fail_before()}});
    EXPECT_TRUE(probe().failed_with(ErrorCode::kUnavailable));
  }
}

class ConditionalProbeWithoutNeed : public ConditionalProbe {
 protected:
  ConditionalProbeWithoutNeed() : ConditionalProbe({.kind = "memory"}) {}
};

TEST_F(ConditionalProbeWithoutNeed, B1_AStorageThatNeedsNoProofIsNotAsked) {
  VARVE_EXPECT_OK(probe());
  EXPECT_EQ(all_requests(), 0U);
}

class ConditionalProbeWithoutCondition : public ConditionalProbe {
 protected:
  ConditionalProbeWithoutCondition()
      : ConditionalProbe(
            {.kind = "memory", .conditional_put = false, .conditions_need_proof = true}) {}
};

TEST_F(ConditionalProbeWithoutCondition, B1_AStorageThatPromisesNothingIsNotAsked) {
  VARVE_EXPECT_OK(probe());
  EXPECT_EQ(all_requests(), 0U);
}

}  // namespace
}  // namespace varve
