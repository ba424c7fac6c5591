#include "storage_sync/conditional_probe.h"

#include <gtest/gtest.h>

#include "storage_sync/test_support/sync_fixture.h"

namespace varve {
namespace {

using test_support::kTenantLog;
using test_support::SyncTest;
using testing::HasSubstr;

class ConditionalProbe : public SyncTest {
 protected:
  Result<> probe() { return probe_conditional_put(storage, archive_, {}); }

  const ObjectName archive_ = ObjectName::archive(kTenantLog, 1);
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

class ConditionalProbeWithoutCondition : public SyncTest {
 protected:
  ConditionalProbeWithoutCondition() : SyncTest({.kind = "memory", .conditional_put = false}) {}
};

TEST_F(ConditionalProbeWithoutCondition, B1_AStorageThatPromisesNothingIsNotAsked) {
  VARVE_EXPECT_OK(probe_conditional_put(storage, ObjectName::archive(kTenantLog, 1), {}));
  EXPECT_EQ(all_requests(), 0U);
}

}  // namespace
}  // namespace varve
