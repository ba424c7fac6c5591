// The header and the checksum of a relation's page (src/include/storage/bufpage.h and
// checksum_impl.h). Every page here is exactly kBlockSize bytes.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "base/bytes.h"
#include "base/lsn.h"
#include "postgres/layout.h"

namespace varve {

// pd_lsn: the end of the last WAL record that changed the page.
Lsn page_lsn(ByteView page);
void set_page_lsn(std::span<uint8_t> page, Lsn lsn);

// PageIsNew: pd_upper is 0. A valid new page is all zeros.
bool page_is_new(ByteView page);

// pd_lower: where the line pointers end, from the start of the page.
uint16_t page_lower(ByteView page);

// pd_checksum; meaningless when the cluster has no checksums.
uint16_t stored_page_checksum(ByteView page);

// What pd_checksum of the page should be as block `block` of its fork, counted through all
// segments; the stored value has no influence. Not defined by PostgreSQL for a new page.
uint16_t page_checksum(ByteView page, uint32_t block);

// Stores page_checksum in the page, unless it is new.
void set_page_checksum(std::span<uint8_t> page, uint32_t block);

enum class PageChecksums : uint8_t { kDisabled, kEnabled };

// What is wrong with a page as the server would see it when it reads block `block` (PageIsVerified
// of src/backend/storage/page/bufpage.c), in words: "its checksum is 12ab, computed 34cd". Nothing
// when it is valid.
std::optional<std::string> page_defect(ByteView page, uint32_t block, PageChecksums checksums);

}  // namespace varve
