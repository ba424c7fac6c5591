"""The records in the WAL files of a cluster, as far as tests need to know which pages each changes.

Facts: src/include/access/xlog_internal.h (pages), xlogrecord.h (records), of PostgreSQL 15.
"""

import struct
from dataclasses import dataclass
from pathlib import Path

PAGE = 8192
LONG_PAGE_HEADER = 40  # The first page of a segment.
SHORT_PAGE_HEADER = 24
RECORD_HEADER = 24

# Resource managers: src/include/access/rmgrlist.h.
XLOG, SMGR, HEAP2, HEAP, HASH = 0, 2, 9, 10, 12
XLOG_SWITCH = 0x40
SMGR_TRUNCATE = 0x20

# src/include/storage/relfilenode.h and relpath.h.
MAIN, FREE_SPACE, VISIBILITY, INIT = range(4)

# Heap blocks whose bits are in one block of a visibility map, and the header of its pages.
BLOCKS_PER_MAP = (PAGE - 24) * 4
MAP_HEADER = 24


def parse_lsn(text):
    high, low = text.split("/")
    return int(high, 16) << 32 | int(low, 16)


def lsn_text(lsn):
    """As PostgreSQL prints it."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


@dataclass(frozen=True)
class Block:
    """A block that a record names."""

    number: int  # among the blocks of the record
    relation: tuple  # tablespace, database, relfilenode
    fork: int
    block: int
    has_image: bool
    is_restored: bool  # from its image
    is_initialised: bool

    @property
    def page(self):
        return (self.relation, self.fork, self.block)


@dataclass(frozen=True)
class Record:
    start: int
    end: int
    data: bytes

    @property
    def manager(self):
        return self.data[17]

    @property
    def operation(self):
        return self.data[16] & 0xF0


def read_records(wal, start, segment_size=16 << 20, timeline=1):
    """The records from `start` on to where the WAL ends."""
    reader = _Reader(Path(wal), segment_size, timeline)
    position = start
    while True:
        position = reader.skip_page_header(position)
        length = reader.length_at(position)
        if length < RECORD_HEADER:
            return
        record_start = position
        pieces = []
        while length > 0:
            position = reader.skip_page_header(position)
            piece = reader.take(position, min(length, PAGE - position % PAGE))
            if not piece:
                return
            pieces.append(piece)
            position += len(piece)
            length -= len(piece)
        position = (position + 7) // 8 * 8
        record = Record(record_start, position, b"".join(pieces))
        if record.manager == XLOG and record.operation == XLOG_SWITCH:
            position = (position + segment_size - 1) // segment_size * segment_size
        yield record


class _Reader:
    def __init__(self, wal, segment_size, timeline):
        self._wal = wal
        self._segment_size = segment_size
        self._timeline = timeline
        self._number = None
        self._segment = b""

    def _load(self, position):
        number = position // self._segment_size
        if number == self._number:
            return
        per_log = 2**32 // self._segment_size
        path = self._wal / f"{self._timeline:08X}{number // per_log:08X}{number % per_log:08X}"
        self._segment = path.read_bytes() if path.exists() else b""
        self._number = number

    def skip_page_header(self, position):
        if position % PAGE != 0:
            return position
        is_first = position % self._segment_size == 0
        return position + (LONG_PAGE_HEADER if is_first else SHORT_PAGE_HEADER)

    def take(self, position, size):
        self._load(position)
        at = position % self._segment_size
        return self._segment[at:at + size]

    def length_at(self, position):
        # A recycled segment holds what it held before: the address of a page says which it is.
        page = self.take(position - position % PAGE, 16)
        if len(page) < 16 or struct.unpack_from("<Q", page, 8)[0] != position - position % PAGE:
            return 0
        return struct.unpack("<I", self.take(position, 4))[0]


def decode(record):
    """The blocks that the record names, and its main data."""
    data = record.data
    at = RECORD_HEADER
    behind = 0  # bytes of data and images, which follow the headers
    blocks = []
    relation = None
    main_size = 0
    while len(data) - at > behind:
        number = data[at]
        at += 1
        if number in (255, 254):  # main data, short and long
            main_size, at = (data[at], at + 1) if number == 255 else (
                struct.unpack_from("<I", data, at)[0], at + 4)
            behind += main_size
            break
        if number == 253:  # origin
            at += 2
            continue
        if number == 252:  # top-level transaction
            at += 4
            continue
        flags, size = struct.unpack_from("<BH", data, at)
        at += 3
        behind += size
        has_image, is_restored = bool(flags & 0x10), False
        if has_image:
            image_size, _, image_flags = struct.unpack_from("<HHB", data, at)
            at += 5
            behind += image_size
            is_restored = bool(image_flags & 2)
            if image_flags & 1 and image_flags & 0x1C:  # a hole, and compressed
                at += 2
        if not flags & 0x80:
            relation = struct.unpack_from("<III", data, at)
            at += 12
        block, = struct.unpack_from("<I", data, at)
        at += 4
        blocks.append(Block(number, relation, flags & 0xF, block, has_image, is_restored,
                            bool(flags & 0x40)))
    return blocks, data[len(data) - main_size:] if main_size else b""


def cleared_maps(record, blocks, main):
    """The pages of visibility maps whose bits the record clears, which it does not name.

    The flags ..._ALL_VISIBLE_CLEARED of src/include/access/heapam_xlog.h.
    """
    operation = record.operation & 0x70
    heap = {block.number: block for block in blocks}
    numbers = []
    if record.manager == HEAP:
        if operation == 0x00 and main[2] & 1:  # insert
            numbers = [0]
        elif operation == 0x10 and main[7] & 1:  # delete
            numbers = [0]
        elif operation in (0x20, 0x40):  # update: block 0 is the new page, 1 the old one
            if main[7] & 1:
                numbers.append(1 if 1 in heap else 0)
            if main[7] & 2:
                numbers.append(0)
        elif operation == 0x60 and main[7] & 1:  # lock
            numbers = [0]
    elif record.manager == HEAP2:
        if operation == 0x50 and main[0] & 1:  # multi-insert
            numbers = [0]
        elif operation == 0x60 and main[7] & 1:  # lock updated
            numbers = [0]
    return [(heap[number].relation, VISIBILITY, heap[number].block // BLOCKS_PER_MAP)
            for number in numbers]


@dataclass(frozen=True)
class Truncation:
    """A relation cut to `blocks`; `forks` has a bit for the main fork, the visibility map and the
    free space map."""

    relation: tuple
    blocks: int
    main: bool
    visibility_map: bool
    free_space_map: bool


def truncation(record, main):
    """What SMGR_TRUNCATE says (src/include/catalog/storage_xlog.h), if it is one."""
    if record.manager != SMGR or record.operation != SMGR_TRUNCATE:
        return None
    blocks, *relation, forks = struct.unpack_from("<5I", main)
    return Truncation(tuple(relation), blocks, bool(forks & 1), bool(forks & 2), bool(forks & 4))


def clear_map_behind(page, blocks):
    """The last page of a visibility map after a truncation of the heap to `blocks`.

    visibilitymap_prepare_truncate of src/backend/access/heap/visibilitymap.c.
    """
    at = blocks % BLOCKS_PER_MAP
    byte, bits = MAP_HEADER + at // 4, at % 4 * 2
    if at == 0:
        return page
    return (page[:byte] + bytes([page[byte] & (1 << bits) - 1])
            + bytes(PAGE - byte - 1))
