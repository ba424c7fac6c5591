#include "postgres/page_redo/multixact_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

namespace varve {
namespace {

using testing::ElementsAre;
using wal15::MultixactCreated;

using Page = std::array<uint8_t, kBlockSize>;

// Members 1000, 1001, ... with the statuses 0 to 5 in turn.
class Created {
 public:
  Created(uint32_t multixact, uint32_t offset, uint32_t members) {
    ByteWriter writer;
    for (uint32_t i = 0; i < members; ++i) {
      writer.put(1000 + i);
      writer.put(i % 6);
    }
    bytes_ = std::move(writer).take();
    created_ = {.multixact = multixact,
                .offset = offset,
                .members = EntryList<wal15::MultixactMember>(bytes_)};
  }
  operator const MultixactCreated&() const { return created_; }  // NOLINT: stands for it.

 private:
  Bytes bytes_;
  MultixactCreated created_;
};

std::vector<uint32_t> offsets_pages(const MultixactCreated& created) {
  std::vector<uint32_t> pages = {7};
  multixact_offsets_pages(created, pages);
  return pages;
}
std::vector<uint32_t> members_pages(const MultixactCreated& created) {
  std::vector<uint32_t> pages = {7};
  multixact_members_pages(created, pages);
  return pages;
}
uint32_t offset_at(const Page& page, size_t index) {
  return load_little<uint32_t>(&page[index * 4]);
}

TEST(MultixactPage, OffsetsOfTheMultixactAndOfTheNextOne) {
  const Created created(10, 100, 3);
  EXPECT_THAT(offsets_pages(created), ElementsAre(0));
  Page page{};
  EXPECT_TRUE(redo_multixact_offsets(created, 0, page));
  EXPECT_EQ(offset_at(page, 10), 100U);
  EXPECT_EQ(offset_at(page, 11), 103U);
  EXPECT_FALSE(redo_multixact_offsets(created, 1, page));
}

TEST(MultixactPage, OrderOfTwoRecordsMakesNoDifference) {
  const Created first(10, 100, 3);
  const Created second(11, 103, 2);
  Page forward{};
  redo_multixact_offsets(first, 0, forward);
  redo_multixact_offsets(second, 0, forward);
  Page backward{};
  redo_multixact_offsets(second, 0, backward);
  redo_multixact_offsets(first, 0, backward);
  EXPECT_EQ(forward, backward);
}

TEST(MultixactPage, NextOneMayLieOnTheNextPage) {
  const Created created(2 * 2048 - 1, 100, 3);
  EXPECT_THAT(offsets_pages(created), ElementsAre(1, 2));
  Page page{};
  EXPECT_TRUE(redo_multixact_offsets(created, 2, page));
  EXPECT_EQ(offset_at(page, 0), 103U);
}

TEST(MultixactPage, NumbersStartAgainWithOne) {
  const Created created(0xFFFFFFFF, 0xFFFFFFFE, 2);
  EXPECT_THAT(offsets_pages(created), ElementsAre(0, 2097151));
  Page page{};
  EXPECT_TRUE(redo_multixact_offsets(created, 0, page));
  EXPECT_EQ(offset_at(page, 0), 0U);
  EXPECT_EQ(offset_at(page, 1), 1U);
}

TEST(MultixactPage, MembersOverSeveralPages) {
  const Created created(10, 1635, 1638);
  EXPECT_THAT(members_pages(created), ElementsAre(0, 1, 2));
  Page first{};
  Page second{};
  Page third{};
  EXPECT_TRUE(redo_multixact_members(created, 0, first));
  EXPECT_TRUE(redo_multixact_members(created, 1, second));
  EXPECT_TRUE(redo_multixact_members(created, 2, third));
  EXPECT_FALSE(redo_multixact_members(created, 3, third));
  // The last of the last group of the page.
  EXPECT_EQ(load_little<uint32_t>(&first[(408 * 20) + 16]), 1000U);
  EXPECT_EQ(second[0], 1);
  EXPECT_EQ(load_little<uint32_t>(&second[4]), 1001U);
  EXPECT_EQ(second[(408 * 20) + 3], 1636 % 6);
  EXPECT_EQ(load_little<uint32_t>(&second[(408 * 20) + 16]), 2636U);
  EXPECT_EQ(third[0], 1637 % 6);
  EXPECT_EQ(load_little<uint32_t>(&third[4]), 2637U);
  EXPECT_EQ(load_little<uint32_t>(&third[8]), 0U);
}

TEST(MultixactPage, MembersBehindTheHighestOffsetLieOnTheFirstPage) {
  const Created created(10, 0xFFFFFFFF, 2);
  EXPECT_THAT(members_pages(created), ElementsAre(0, 2625285));
  Page page{};
  EXPECT_TRUE(redo_multixact_members(created, 0, page));
  EXPECT_EQ(page[0], 1);
  EXPECT_EQ(load_little<uint32_t>(&page[4]), 1001U);
}

TEST(MultixactPage, FlagsOfOtherMembersStay) {
  const Created created(10, 1, 1);
  Page page;
  page.fill(0xAA);
  EXPECT_TRUE(redo_multixact_members(created, 0, page));
  Page expected;
  expected.fill(0xAA);
  expected[1] = 0;
  store_little(&expected[8], uint32_t{1000});
  EXPECT_EQ(page, expected);
}

TEST(MultixactPage, IsReadAsItWasWritten) {
  const Created created(2 * 2048 - 1, 1635, 1638);
  Page offsets{};
  redo_multixact_offsets(created, 1, offsets);
  EXPECT_EQ(multixact_offset(2 * 2048 - 1, offsets), 1635U);
  EXPECT_EQ(multixact_offset(2 * 2048 - 2, offsets), 0U);
  std::array<Page, 3> members{};
  for (uint32_t page = 0; page < 3; ++page) redo_multixact_members(created, page, members[page]);
  for (uint32_t i = 0; i < 1638; ++i) {
    const uint32_t offset = 1635 + i;
    const auto member = multixact_member(offset, members[offset / kMembersPerPage]);
    EXPECT_EQ(member.transaction, 1000 + i);
    EXPECT_EQ(member.status, i % 6);
  }
}

TEST(MultixactPage, NoneHasTheNumberZero) {
  EXPECT_EQ(next_multixact(7), 8U);
  EXPECT_EQ(next_multixact(0xFFFFFFFF), 1U);
}

}  // namespace
}  // namespace varve
