// Pages of pg_multixact: under offsets, where the members of each multixact begin; under members,
// the members themselves (src/backend/access/transam/multixact.c).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "postgres/layout.h"
#include "postgres/wal/v15/slru.h"

namespace varve {

// MULTIXACT_OFFSETS_PER_PAGE.
inline constexpr uint32_t kMultixactsPerOffsetsPage = kBlockSize / sizeof(uint32_t);

// Members lie in groups: a byte of flags for each, and then the transactions.
inline constexpr uint32_t kMembersPerGroup = 4;      // MULTIXACT_MEMBERS_PER_MEMBERGROUP
inline constexpr uint32_t kMultixactGroupSize = 20;  // MULTIXACT_MEMBERGROUP_SIZE
inline constexpr uint32_t kMultixactGroupsPerPage = kBlockSize / kMultixactGroupSize;
// MULTIXACT_MEMBERS_PER_PAGE.
inline constexpr uint32_t kMembersPerPage = kMultixactGroupsPerPage * kMembersPerGroup;

// Where the members of a multixact begin, from its page of offsets; 0 where that was never set.
uint32_t multixact_offset(uint32_t multixact, std::span<const uint8_t, kBlockSize> page);
// The member at an offset, from its page of members.
wal15::MultixactMember multixact_member(uint32_t offset, std::span<const uint8_t, kBlockSize> page);
// The multixact that follows: 0 is none (FirstMultiXactId is 1).
uint32_t next_multixact(uint32_t multixact);

// A multixact ends where the next one begins, so its record sets both entries (RecordNewMultiXact
// as of 15.16). Servers before 15.16 left the second to the record of the next multixact. Both ways
// lead to the same pages: offsets are given out without gaps in the order of multixacts, so that
// record stores the same number, whichever of the two comes first, or 1 for 0, which is skipped
// here too. But the second entry may lie on a page that such a server zeroes, and so begins to use,
// only later. It is then lost until the record of the next multixact sets it, as if it had not been
// set early; a server that starts in between sets it from its counters (TrimMultiXact), or, before
// 15.16, uses these instead.

// The pages with these two entries, one or two, ascending. `pages` is emptied before.
void multixact_offsets_pages(const wal15::MultixactCreated& created, std::vector<uint32_t>& pages);
// Sets those of the two entries that page `page` holds; false when it holds none.
bool redo_multixact_offsets(const wal15::MultixactCreated& created, uint32_t page,
                            std::span<uint8_t, kBlockSize> bytes);

// The pages with members, each once, ascending. `pages` is emptied before.
void multixact_members_pages(const wal15::MultixactCreated& created, std::vector<uint32_t>& pages);
// Enters the members that page `page` holds; false when there is none.
bool redo_multixact_members(const wal15::MultixactCreated& created, uint32_t page,
                            std::span<uint8_t, kBlockSize> bytes);

}  // namespace varve
