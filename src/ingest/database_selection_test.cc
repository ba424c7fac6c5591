#include "ingest/database_selection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ingest/test_support/database_catalog.h"
#include "postgres/database_row.h"

namespace varve {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr Lsn kLsn{0x176ACC0};
constexpr uint32_t kCommitted = 1000;
constexpr uint32_t kRunning = 1001;
constexpr uint16_t kHints = HeapTuple::kXminCommitted | HeapTuple::kXmaxInvalid;

TestTuple row(uint32_t oid, std::string_view name, TestTuple tuple = {}) {
  tuple.data = database_columns(oid, name);
  return tuple;
}

class DatabaseSelectionTest : public testing::Test {
 protected:
  void SetUp() override {
    store_status(store_, kCommitted, TransactionStatus::kCommitted);
    store_catalog(store_, {first_page().page(), second_page().page(1)});
  }

  static HeapPageBuilder first_page() {
    return HeapPageBuilder()
        .add(row(5, "postgres"))
        .add(row(1, "template1"))
        .add(row(4, "template0"))
        // Renamed, and then once more by a transaction that did not end.
        .add(row(16400, "former", {.xmax = kCommitted, .flags = HeapTuple::kXminCommitted}))
        .add(row(16400, "app", {.xmin = kCommitted, .xmax = kRunning, .flags = 0}))
        .add(row(16400, "later", {.xmin = kRunning, .flags = HeapTuple::kXmaxInvalid}));
  }
  static HeapPageBuilder second_page() {
    return HeapPageBuilder()
        .add(row(16401, "logs"))
        .add(row(16402, "gone", {.xmax = kCommitted, .flags = HeapTuple::kXminCommitted}))
        .add(row(16403, "unborn", {.xmin = kRunning, .flags = HeapTuple::kXmaxInvalid}))
        .add({.data = database_columns(16404, "dropping", -2)});
  }

  Result<DatabaseSelection> choose(const std::vector<std::string>& names) {
    return DatabaseSelection::choose(store_, kLsn, {}, names);
  }

  std::string refusal(ErrorCode code, const std::vector<std::string>& names) {
    const auto selection = choose(names);
    if (selection.ok()) return "it was accepted";
    EXPECT_EQ(selection.code(), code);
    return selection.error().message();
  }

  MemoryVersions store_;
};

TEST_F(DatabaseSelectionTest, WithoutNamesThereIsEverything) {
  const DatabaseSelection all;
  EXPECT_TRUE(all.includes(0) && all.includes(5) && all.includes(16400));
  EXPECT_THAT(all.left_out(), ElementsAre());
  Bytes page = second_page().page(1);
  EXPECT_TRUE(all.mark_left_out({kTestCatalog, 1}, page).ok());
  EXPECT_EQ(page, second_page().page(1));
}

TEST_F(DatabaseSelectionTest, HasTheNamedOnesAndThoseOfTheSystem) {
  const auto selection = choose({"app"});
  ASSERT_TRUE(selection.ok()) << selection.error().message();
  for (const uint32_t oid : {0, 1, 4, 5, 16400}) EXPECT_TRUE(selection->includes(oid)) << oid;
  for (const uint32_t oid : {16401, 16402, 16403, 16404, 99999}) {
    EXPECT_FALSE(selection->includes(oid)) << oid;
  }
  EXPECT_THAT(selection->left_out(), ElementsAre("dropping", "logs"));
}

TEST_F(DatabaseSelectionTest, ManyMayBeNamedAlsoTwice) {
  EXPECT_THAT(choose({"logs", "app", "logs"})->left_out(), ElementsAre("dropping"));
  EXPECT_THAT(choose({"postgres"})->left_out(), ElementsAre("app", "dropping", "logs"));
}

TEST_F(DatabaseSelectionTest, ADatabaseOfTheSystemMayHaveBeenMadeAnewOrRenamed) {
  store_catalog(store_, {HeapPageBuilder()
                             .add(row(16500, "template1"))
                             .add(row(5, "former"))
                             .add(row(16501, "app"))
                             .add(row(16502, "logs"))
                             .page()});
  EXPECT_THAT(choose({"app"})->left_out(), ElementsAre("logs"));
}

TEST_F(DatabaseSelectionTest, OtherNamesAreRefusedWithThoseThatAreThere) {
  for (const std::string name : {"former", "later", "gone", "unborn", "App", ""}) {
    EXPECT_THAT(refusal(ErrorCode::kInvalidArgument, {"app", name}),
                AllOf(HasSubstr("'" + name + "' at 0/176ACC0"),
                      HasSubstr("has: app, logs, postgres, template0, template1"),
                      Not(HasSubstr("dropping"))));
  }
}

TEST_F(DatabaseSelectionTest, WhatIsHalfDroppedIsRefused) {
  EXPECT_THAT(refusal(ErrorCode::kInvalidArgument, {"dropping"}), HasSubstr("earlier LSN"));
}

TEST_F(DatabaseSelectionTest, RowsOfTheOthersBecomeInvalidWhoeverSeesThem) {
  const auto selection = choose({"logs"});
  ASSERT_TRUE(selection.ok());
  const auto invalid_rows = [&](const RelationBlockKey& block, Bytes page) {
    EXPECT_TRUE(selection->mark_left_out(block, page).ok());
    std::vector<std::string> names;
    const std::vector<HeapTuple> tuples = *heap_tuples(page);
    for (const HeapTuple& tuple : tuples) {
      const auto read = read_database_row(page, tuple);
      if (read->is_invalid) names.push_back(read->name);
    }
    return names;
  };
  EXPECT_THAT(invalid_rows({kTestCatalog, 0}, first_page().page()),
              ElementsAre("former", "app", "later"));
  EXPECT_THAT(invalid_rows({kTestCatalog, 1}, second_page().page()),
              ElementsAre("gone", "unborn", "dropping"));
  RelationForkTag other = kTestCatalog;
  ++other.relation.relation;
  EXPECT_THAT(invalid_rows({other, 0}, first_page().page()), ElementsAre());
}

TEST_F(DatabaseSelectionTest, BlocksBehindTheEndOfTheCatalogCountForNothing) {
  const auto one = encode_block_count(1);
  store_[RelationSizeKey{kTestCatalog}] = Bytes(one.begin(), one.end());
  EXPECT_THAT(refusal(ErrorCode::kInvalidArgument, {"logs"}), HasSubstr("has: app, postgres"));
}

TEST_F(DatabaseSelectionTest, WhatIsMissingOrDamagedIsNamed) {
  const auto damage = [this] { return refusal(ErrorCode::kCorrupted, {"app"}); };
  const RelationMapKey map{{kGlobalTablespace, 0}};
  const RelationSizeKey size{kTestCatalog};
  const RelationBlockKey block{kTestCatalog, 1};

  store_[block] = HeapPageBuilder().add({.flags = kHints, .columns = 2}).page();
  EXPECT_THAT(damage(), HasSubstr("relation 1664/0/17001 main block 1: tuple 1"));
  store_[block].pop_back();
  EXPECT_THAT(damage(), HasSubstr("block 1: it has 8191 bytes"));
  store_[size] = {1};
  EXPECT_THAT(damage(), HasSubstr("relation 1664/0/17001 main size"));
  store_.erase(size);
  EXPECT_THAT(damage(), HasSubstr("relation 1664/0/17001 main size is not stored"));
  store_[map] = shared_relation_map(1260);
  EXPECT_THAT(damage(), HasSubstr("relation map 1664/0: "));
  store_.erase(map);
  EXPECT_THAT(damage(), HasSubstr("relation map 1664/0 is not stored"));
}

}  // namespace
}  // namespace varve
