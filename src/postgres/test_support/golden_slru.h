// Records that a server wrote (PostgreSQL 15.20) and the pages of its SLRUs and of a visibility map
// that it made meanwhile. Parts of pages that are not given were zeros.
#pragma once

#include <vector>

#include "postgres/test_support/golden_wal.h"

namespace varve {

// Ends of the transactions 32756 to 32784, in the order of the WAL.
inline std::vector<GoldenRecord> transaction_ends() {
  return {
      // COMMIT
      {.start = {0x2002340},
       .end = {0x2002368},
       .bytes =
           bytes_of_hex("22000000f47f0000d81f000200000000000100009c870d6cff084869bc0fdd030300")},
      // ABORT
      {.start = {0x20023F8},
       .end = {0x2002420},
       .bytes =
           bytes_of_hex("22000000f67f0000b02300020000000020010000b6aacbf8ff084ba4bc0fdd030300")},
      // ABORT
      {.start = {0x2002420},
       .end = {0x2002448},
       .bytes =
           bytes_of_hex("22000000f57f0000f82300020000000020010000661f00a6ff085aa4bc0fdd030300")},
      // ABORT
      {.start = {0x20025D0},
       .end = {0x20025F8},
       .bytes =
           bytes_of_hex("22000000fb7f0000882500020000000020010000373e58b1ff08954ebd0fdd030300")},
      // COMMIT; subxacts: 32760 32761 32762 32764 32765 32766 32767 32768
      {.start = {0x2002738},
       .end = {0x2002788},
       .bytes = bytes_of_hex(
           "4a000000f77f0000f0260002000000008001000086a29aceff30e37ebd0fdd030300020000000800"
           "0000f87f0000f97f0000fa7f0000fc7f0000fd7f0000fe7f0000ff7f000000800000")},
      // COMMIT_PREPARED 32769:; subxacts: 32770
      {.start = {0x2002948},
       .end = {0x2002980},
       .bytes = bytes_of_hex(
           "32000000000000001828000200000000b00100004858e58bff182e8dbd0fdd030300520000000100"
           "00000280000001800000")},
      // ABORT_PREPARED 32771:; subxacts: 32772
      {.start = {0x2002B40},
       .end = {0x2002B78},
       .bytes = bytes_of_hex(
           "3200000000000000102a000200000000c00100004763b9deff186e8ebd0fdd030300520000000100"
           "00000480000003800000")},
      // COMMIT; origin: node 1, lsn 0/ABCDEF, at 2020-02-02 02:02:02.020202 UTC
      {.start = {0x2002BC8},
       .end = {0x2002C08},
       .bytes = bytes_of_hex(
           "3900000005800000782b0002000000008001000073e11c82fd0100ff1c9f9dbd0fdd030300200000"
           "00efcdab00000000006a891bf68c400200")},
      // COMMIT; subxacts: 32775
      {.start = {0x2002CC0},
       .end = {0x2002CF0},
       .bytes = bytes_of_hex(
           "2e00000006800000782c00020000000080010000e8e8fffcff143aadbd0fdd030300020000000100"
           "000007800000")},
      // COMMIT; subxacts: 32777 32778
      {.start = {0x2002E50},
       .end = {0x2002E88},
       .bytes = bytes_of_hex(
           "3200000008800000182e0002000000008001000077f6a1d7ff1859bcbd0fdd030300020000000200"
           "0000098000000a800000")},
      // COMMIT; subxacts: 32780 32781
      {.start = {0x2002FA8},
       .end = {0x2002FE0},
       .bytes = bytes_of_hex(
           "320000000b800000702f000200000000800100003c5bfe35ff185ebdbd0fdd030300020000000200"
           "00000c8000000d800000")},
      // COMMIT
      {.start = {0x204A060},
       .end = {0x204A088},
       .bytes =
           bytes_of_hex("220000000e800000289a04020000000000010000ed61eba8ff083ff6c30fdd030300")},
      // COMMIT
      {.start = {0x2083198},
       .end = {0x20831C0},
       .bytes =
           bytes_of_hex("220000000f800000603108020000000000010000ca9d406cff08777ace0fdd030300")},
      // COMMIT; inval msgs: catcache 55 catcache 54 relcache 16389
      {.start = {0x2086D68},
       .end = {0x2086DD0},
       .bytes = bytes_of_hex(
           "6200000010800000886608020000000080010000fd1afc8bff484124cf0fdd030300490000000500"
           "00007f0600000300000037000000050000008a17089cd3550000360bec1e050000006035fa8bd355"
           "0000fe0000010500000005400000d3550000")},
  };
}

// What the server made of them: the last 3 bytes of page 0 of pg_xact, ...
inline Bytes end_of_status_page_0() {
  return bytes_of_hex("699555");
}

// ... page 1 up to its last byte that is not 0, ...
inline Bytes status_page_1() {
  return bytes_of_hex("9556555501");
}

// ... the last 42 bytes of page 39 of pg_commit_ts, of which 2 are not used, ...
inline Bytes end_of_timestamp_page_39() {
  return bytes_of_hex(
      "4869bc0fdd03030000000000000000000000000000000000000000000000e37ebd0fdd0303000000"
      "0000");
}

// ... and page 40 up to its last byte that is not 0.
inline Bytes timestamp_page_40() {
  return bytes_of_hex(
      "e37ebd0fdd0303000000e37ebd0fdd0303000000e37ebd0fdd030300000000000000000000000000"
      "e37ebd0fdd0303000000e37ebd0fdd0303000000e37ebd0fdd0303000000e37ebd0fdd0303000000"
      "e37ebd0fdd03030000002e8dbd0fdd03030000002e8dbd0fdd030300000000000000000000000000"
      "000000000000000000006a891bf68c40020001003aadbd0fdd03030000003aadbd0fdd0303000000"
      "59bcbd0fdd030300000059bcbd0fdd030300000059bcbd0fdd03030000005ebdbd0fdd0303000000"
      "5ebdbd0fdd03030000005ebdbd0fdd03030000003ff6c30fdd0303000000777ace0fdd0303000000"
      "4124cf0fdd0303");
}

// Multixacts 2046 to 2050, the first of which has offset 1634, and the pages that they need.
inline std::vector<GoldenRecord> multixact_records() {
  return {
      // CREATE_ID 2046 offset 1634 nmembers 2: 32774 (keysh) 32775 (nokeyupd)
      {.start = {0x2002C40},
       .end = {0x2002C78},
       .bytes = bytes_of_hex(
           "3600000007800000082c00020000000020060000626a8a64ff1cfe07000062060000020000000680"
           "0000000000000780000004000000")},
      // ZERO_OFF_PAGE 1
      {.start = {0x2002D28},
       .end = {0x2002D48},
       .bytes = bytes_of_hex("1e00000009800000f02c00020000000000060000a354550fff0401000000")},
      // ZERO_MEM_PAGE 1
      {.start = {0x2002D48},
       .end = {0x2002D68},
       .bytes = bytes_of_hex("1e00000009800000282d00020000000010060000e9bde24bff0401000000")},
      // CREATE_ID 2047 offset 1636 nmembers 2: 32776 (keysh) 32777 (sh)
      {.start = {0x2002D68},
       .end = {0x2002DA0},
       .bytes = bytes_of_hex(
           "3600000009800000482d00020000000020060000aae258caff1cff07000064060000020000000880"
           "0000000000000980000001000000")},
      // CREATE_ID 2048 offset 1638 nmembers 3: 32776 (keysh) 32777 (sh) 32778 (fornokeyupd)
      {.start = {0x2002DD8},
       .end = {0x2002E18},
       .bytes = bytes_of_hex(
           "3e0000000a800000a02d00020000000020060000ae101ec4ff240008000066060000030000000880"
           "00000000000009800000010000000a80000002000000")},
      // CREATE_ID 2049 offset 1641 nmembers 2: 32779 (sh) 32780 (forupd)
      {.start = {0x2002EC0},
       .end = {0x2002EF8},
       .bytes = bytes_of_hex(
           "360000000c800000882e00020000000020060000e0dc4674ff1c0108000069060000020000000b80"
           "0000010000000c80000003000000")},
      // CREATE_ID 2050 offset 1643 nmembers 3: 32779 (sh) 32780 (forupd) 32781 (upd)
      {.start = {0x2002F30},
       .end = {0x2002F70},
       .bytes = bytes_of_hex(
           "3e0000000d800000f82e0002000000002006000038a229dbff24020800006b060000030000000b80"
           "0000010000000c800000030000000d80000005000000")},
  };
}

// What the server made of them: the last 8 bytes of page 0 of pg_multixact/offsets, ...
inline Bytes end_of_offsets_page_0() {
  return bytes_of_hex("6206000064060000");
}

// ... page 1 up to its last byte that is not 0, ...
inline Bytes offsets_page_1() {
  return bytes_of_hex("66060000690600006b0600006e06");
}

// ... the last 32 bytes of page 0 of pg_multixact/members, of which 12 are not used, ...
inline Bytes end_of_members_page_0() {
  return bytes_of_hex("0000000400000000000000000680000007800000000000000000000000000000");
}

// ... and page 1 up to its last byte that is not 0.
inline Bytes members_page_1() {
  return bytes_of_hex(
      "0001000108800000098000000880000009800000020103010a8000000b8000000c8000000b800000"
      "030500000c8000000d80");
}

// TRUNCATE base/5/16389 to 11 blocks flags 7
inline GoldenRecord truncate_to_11_blocks() {
  return {.start = {0x2086658},
          .end = {0x2086688},
          .bytes = bytes_of_hex(
              "2e00000010800000286608020000000021020000fbf7b6e7ff140b0000007f060000050000000540"
              "000007000000")};
}

// The page of the visibility map before, when all 37 blocks were frozen, up to its last byte that
// is not 0, ...
inline Bytes visibility_map_of_37_blocks() {
  return bytes_of_hex("0000000010da040200000000180000200020042000000000ffffffffffffffffff03");
}

// ... and after it, when VACUUM had visited the blocks from 10 on.
inline Bytes visibility_map_of_11_blocks() {
  return bytes_of_hex("000000002866080200000000180000200020042000000000ffff3f");
}

}  // namespace varve
