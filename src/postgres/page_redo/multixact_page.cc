#include "postgres/page_redo/multixact_page.h"

#include <algorithm>
#include <array>

namespace varve {
namespace {

struct OffsetEntry {
  uint32_t multixact;
  uint32_t offset;

  uint32_t page() const { return multixact / kMultixactsPerOffsetsPage; }
};

// 0 is neither a multixact (FirstMultiXactId is 1) nor where the members of one begin.
uint32_t skip_zero(uint32_t number) {
  return number == 0 ? 1 : number;
}

std::array<OffsetEntry, 2> offset_entries(const wal15::MultixactCreated& created) {
  const auto members = static_cast<uint32_t>(created.members.size());
  return {OffsetEntry{created.multixact, created.offset},
          OffsetEntry{skip_zero(created.multixact + 1), skip_zero(created.offset + members)}};
}

// Where a member is in its page.
struct MemberPlace {
  size_t flags;
  size_t transaction;

  explicit MemberPlace(uint32_t offset) {
    const uint32_t index = offset % kMembersPerPage;
    const size_t group = index / kMembersPerGroup * size_t{kMultixactGroupSize};
    const uint32_t place = index % kMembersPerGroup;
    flags = group + place;
    transaction = group + kMembersPerGroup + place * sizeof(uint32_t);
  }
};

// Calls visit(page, first, offset, count) for every run of members on one page: `count` of them
// from `first` of the record's on, which begin at `offset`. The numbers start again behind the
// highest one, in the middle of the last page.
template <typename Visit>
void visit_member_pages(const wal15::MultixactCreated& created, Visit&& visit) {
  uint32_t offset = created.offset;
  for (size_t first = 0; first < created.members.size();) {
    const uint64_t page = offset / kMembersPerPage;
    const uint64_t end = std::min((page + 1) * kMembersPerPage, uint64_t{1} << 32);
    const size_t count = std::min<size_t>(end - offset, created.members.size() - first);
    visit(static_cast<uint32_t>(page), first, offset, count);
    first += count;
    offset += static_cast<uint32_t>(count);
  }
}

}  // namespace

uint32_t multixact_offset(uint32_t multixact, std::span<const uint8_t, kBlockSize> page) {
  return load_little<uint32_t>(&page[multixact % kMultixactsPerOffsetsPage * sizeof(uint32_t)]);
}

wal15::MultixactMember multixact_member(uint32_t offset,
                                        std::span<const uint8_t, kBlockSize> page) {
  const MemberPlace place(offset);
  return {.transaction = load_little<uint32_t>(&page[place.transaction]),
          .status = page[place.flags]};
}

uint32_t next_multixact(uint32_t multixact) {
  return skip_zero(multixact + 1);
}

void multixact_offsets_pages(const wal15::MultixactCreated& created, std::vector<uint32_t>& pages) {
  const auto [own, next] = offset_entries(created);
  pages.assign({std::min(own.page(), next.page())});
  if (own.page() != next.page()) pages.push_back(std::max(own.page(), next.page()));
}

bool redo_multixact_offsets(const wal15::MultixactCreated& created, uint32_t page,
                            std::span<uint8_t, kBlockSize> bytes) {
  bool found = false;
  for (const OffsetEntry& entry : offset_entries(created)) {
    if (entry.page() != page) continue;
    const size_t index = entry.multixact % kMultixactsPerOffsetsPage;
    store_little(&bytes[index * sizeof entry.offset], entry.offset);
    found = true;
  }
  return found;
}

void multixact_members_pages(const wal15::MultixactCreated& created, std::vector<uint32_t>& pages) {
  pages.clear();
  visit_member_pages(created,
                     [&](uint32_t page, size_t, uint32_t, size_t) { pages.push_back(page); });
  std::ranges::sort(pages);
}

bool redo_multixact_members(const wal15::MultixactCreated& created, uint32_t page,
                            std::span<uint8_t, kBlockSize> bytes) {
  bool found = false;
  visit_member_pages(created, [&](uint32_t run_page, size_t first, uint32_t offset, size_t count) {
    if (run_page != page) return;
    for (size_t i = 0; i < count; ++i) {
      const wal15::MultixactMember member = created.members[first + i];
      const MemberPlace place(offset + static_cast<uint32_t>(i));
      bytes[place.flags] = static_cast<uint8_t>(member.status);
      store_little(&bytes[place.transaction], member.transaction);
    }
    found = true;
  });
  return found;
}

}  // namespace varve
