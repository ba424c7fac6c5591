#include "storage_sync/reconcile.h"

#include <gtest/gtest.h>

namespace varve {
namespace {

using Files = LocalSide::Files;
using Head = RemoteSide::Head;
using State = TimelineSyncState;

// A row of docs/reconciliation.md.
struct Row {
  const char* name;
  LocalSide local;
  RemoteSide remote;
  Verdict verdict;
  std::optional<State> state;
  // The verdict where this work directory does not own the tenant, if that is another one.
  std::optional<Verdict> read_only = std::nullopt;
};

// Local timelines at commit 5.
constexpr LocalSide kSame{Files::kValid, 5, false, Lsn{100}};
constexpr LocalSide kChanged{Files::kValid, 5, true, Lsn{100}};
constexpr LocalSide kNew{Files::kValid, 0, true, Lsn{100}};

RemoteSide above(Head head, uint64_t lsn = 100, bool deleted = false) {
  return {7, head, deleted, Lsn{lsn}};
}

const std::vector<Row>& rows() {
  static const std::vector<Row> rows{
      {"NothingAnywhere", {}, {}, Verdict::kNothing, {}},
      {"OnlyRemote", {}, {7}, Verdict::kCloudOnly, State::kCloudOnly},
      {"DamagedAndNotRemote", {Files::kDamaged}, {}, Verdict::kLost, {}},
      {"DamagedAndRemote", {Files::kDamaged}, {7}, Verdict::kCloudOnly, State::kCloudOnly},
      {"NeverUploaded", kNew, {}, Verdict::kLocalNewer, State::kReady, Verdict::kParted},
      {"InSync", kSame, {5}, Verdict::kInSync, State::kReady},
      {"LocalNewer", kChanged, {5}, Verdict::kLocalNewer, State::kReady, Verdict::kParted},
      {"LogEndsBelow", kSame, {4}, Verdict::kRolledBack, {}},
      {"LogEndsBelowAndLocalNewer", kChanged, {4}, Verdict::kRolledBack, {}},
      {"LogIsGone", kSame, {}, Verdict::kRolledBack, {}},
      {"HeadUnreadable", kSame, above(Head::kUnreadable), Verdict::kUnreadable, {}},
      {"HeadUnreadableAndLocalNewer", kChanged, above(Head::kUnreadable), Verdict::kUnreadable, {}},
      {"LandedUnnoticed", kSame, above(Head::kBegunHere), Verdict::kLandedUnnoticed, State::kReady},
      {"LandedUnnoticedAndChangedSince", kChanged, above(Head::kBegunHere),
       Verdict::kLandedUnnoticed, State::kReady},
      {"DeletedUnnoticed",
       kSame,
       above(Head::kBegunHere, 100, true),
       Verdict::kDeletedUnnoticed,
       {}},
      {"OldCopy", kSame, above(Head::kOwn, 200), Verdict::kBehind, State::kAwaitsDownload},
      {"OldCopyThatWasChanged", kChanged, above(Head::kOwn), Verdict::kBehind,
       State::kAwaitsDownload},
      {"OldCopyOfADeletedOne",
       kChanged,
       above(Head::kOwn, 200, true),
       Verdict::kDeletedUnnoticed,
       {}},
      {"AnotherServerWentOn", kSame, above(Head::kForeign), Verdict::kBehind,
       State::kAwaitsDownload},
      {"AnotherServerWentFurther", kChanged, above(Head::kForeign, 200), Verdict::kBehind,
       State::kAwaitsDownload},
      {"AnotherServerDeletedIt", kChanged, above(Head::kForeign, 100, true), Verdict::kBehind,
       State::kAwaitsDownload},
      {"BothWentOn", kChanged, above(Head::kForeign, 100), Verdict::kParted, State::kEvicted},
      {"NeverUploadedAndAnotherServerBegan", kNew, above(Head::kForeign, 100), Verdict::kParted,
       State::kEvicted},
  };
  return rows;
}

class Reconcile : public testing::TestWithParam<Row> {};

TEST_P(Reconcile, S7_FollowsTheTable) {
  const Row& row = GetParam();
  EXPECT_EQ(reconcile(row.local, row.remote, true), row.verdict);
  EXPECT_EQ(state_after(row.verdict), row.state);
  EXPECT_EQ(reconcile(row.local, row.remote, false), row.read_only.value_or(row.verdict));
  if (row.read_only) {
    EXPECT_EQ(state_after(*row.read_only), State::kEvicted);
  }
  // The head is read exactly where it decides.
  EXPECT_EQ(needs_head(row.local, row.remote.head_sequence), row.remote.head != Head::kNotRead);
}

INSTANTIATE_TEST_SUITE_P(Table, Reconcile, testing::ValuesIn(rows()),
                         [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace varve
