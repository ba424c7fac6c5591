"""The decoder of WAL against pg_waldump, on what real servers wrote."""

import itertools
import re
import shutil
import struct
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support import wal_workload
from support.postgres import Cluster, run_program

BLOCK = 8192
FORKS = {"main": 0, "fsm": 1, "vm": 2, "init": 3}
# What these do is in the blocks they refer to: the decoder does not tell more.
WITHOUT_DESCRIPTION = {"Btree", "Hash", "Gin", "Gist", "SPGist", "BRIN", "Generic", "Heap", "Heap2"}
HEAD = re.compile(r"(rmgr: (\S+)\s.*lsn: (\S+), prev \S+, desc: (\S+)) ?(.*)")
REFERENCE = re.compile(r"\tblkref #(\d+): rel (\d+)/(\d+)/(\d+) fork (\S+) blk (\d+)(.*)")


def lsn(text):
    high, low = text.split("/")
    return int(high, 16) << 32 | int(low, 16)


@dataclass
class Record:
    """One record, in the words of pg_waldump."""

    head: str
    manager: str
    start: int
    kind: str
    description: str
    references: list = field(default_factory=list)  # whole lines
    extras: list = field(default_factory=list)  # lines that only varve_wal_reader prints
    end: int = 0

    @property
    def is_described(self):
        return self.manager not in WITHOUT_DESCRIPTION or self.kind in ("VISIBLE", "NEW_CID")

    def comparable(self):
        return (self.head, self.description if self.is_described else "", self.references)

    def blocks(self):
        for line in self.references:
            number, *relation, fork, block, _ = REFERENCE.match(line).groups()
            yield int(number), (*map(int, relation), FORKS[fork], int(block))


def parse(lines):
    record = None
    for line in lines:
        if line.startswith("rmgr:"):
            if record is not None:
                yield record
            head, manager, start, kind, description = HEAD.match(line).groups()
            record = Record(head, manager, lsn(start), kind, description.rstrip())
        elif line.startswith("\tblkref"):
            record.references.append(line.rstrip())
        elif line.startswith("\tend "):
            record.end = lsn(line.split()[1])
        elif line.startswith("\t"):
            record.extras.append(line.strip())
    if record is not None:
        yield record


@dataclass
class Decoded:
    records: list
    stop: str  # "0/15D5A90 unwritten: ..."

    @property
    def stop_position(self):
        return lsn(self.stop.split()[0])

    @property
    def stop_reason(self):
        return self.stop.split()[1].rstrip(":")


def segments_of(cluster):
    return sorted(path for path in (cluster.pgdata / "pg_wal").iterdir()
                  if re.fullmatch("[0-9A-F]{24}", path.name))


class WalReader:
    def __init__(self, varve):
        self._program = varve.sibling("varve_wal_reader")

    def read(self, segments, *options):
        outcome = self._program.run(*map(str, options), *map(str, segments))
        assert outcome.code == 0, outcome
        *lines, stop = outcome.stdout.splitlines()
        assert stop.startswith("stop "), stop
        return Decoded(list(parse(lines)), stop.removeprefix("stop "))


@pytest.fixture(scope="module", name="reader")
def fixture_reader(varve):
    return WalReader(varve)


def waldump(segments, *options):
    """What pg_waldump prints, and the LSN at which it gives up."""
    result = run_program("pg_waldump", "--bkp-details", *options, segments[0], segments[-1],
                         check=False, environment={"TZ": "UTC"})
    error = re.search(r"error in WAL record at (\S+): ", result.stderr)
    last = re.search(r" at (\S+): wanted 24, got 0", result.stderr)
    return list(parse(result.stdout.splitlines())), error and error[1], last and lsn(last[1])


def expected_clears(record):
    """The bits of the visibility map that redo clears: XLH_* in access/heapam_xlog.h."""
    flags = re.search(r"flags 0x(\w\w)", record.description)
    if record.manager not in ("Heap", "Heap2") or flags is None or record.kind == "VISIBLE":
        return []
    flags = int(flags[1], 16)
    blocks = {number: key[-1] for number, key in record.blocks()}
    kind = record.kind.removesuffix("+INIT")
    if kind in ("UPDATE", "HOT_UPDATE"):
        old = [f"clears {blocks.get(1, blocks[0])} all"] if flags & 1 else []
        return old + ([f"clears {blocks[0]} all"] if flags & 2 else [])
    bits = "frozen" if kind in ("LOCK", "LOCK_UPDATED") else "all"
    return [f"clears {blocks[0]} {bits}"] if flags & 1 else []


def assert_same(ours, theirs):
    clears = set()
    for our, their in itertools.zip_longest(ours, theirs):
        assert our is not None and their is not None, (our, their)
        assert our.comparable() == their.comparable()
        expected = expected_clears(their)
        assert [line for line in our.extras if line.startswith("clears")] == expected, their
        clears.update((their.kind.removesuffix("+INIT"), line.split()[2]) for line in expected)
    for before, after in itertools.pairwise(ours):
        assert before.start < before.end <= after.start
    return clears


KINDS = {
    "XLOG": {"CHECKPOINT_SHUTDOWN", "CHECKPOINT_ONLINE", "NEXTOID", "SWITCH", "BACKUP_END",
             "PARAMETER_CHANGE", "RESTORE_POINT", "FPI", "FPI_FOR_HINT", "FPW_CHANGE"},
    "Transaction": {"COMMIT", "ABORT", "PREPARE", "COMMIT_PREPARED", "ABORT_PREPARED", "ASSIGNMENT",
                    "INVALIDATION"},
    "Storage": {"CREATE", "TRUNCATE"}, "CLOG": {"ZEROPAGE"},
    "Database": {"CREATE_FILE_COPY", "CREATE_WAL_LOG", "DROP"}, "Tablespace": {"CREATE", "DROP"},
    "MultiXact": {"CREATE_ID", "ZERO_MEM_PAGE"}, "RelMap": {"UPDATE"},
    "Standby": {"LOCK", "RUNNING_XACTS", "INVALIDATIONS"},
    "Heap2": {"PRUNE", "VACUUM", "FREEZE_PAGE", "VISIBLE", "MULTI_INSERT", "NEW_CID"},
    "Heap": {"INSERT", "DELETE", "UPDATE", "HOT_UPDATE", "HEAP_CONFIRM", "LOCK", "INPLACE"},
    "Btree": {"SPLIT_L", "SPLIT_R", "DEDUP", "UNLINK_PAGE", "NEWROOT", "VACUUM"},
    "Hash": {"SPLIT_PAGE", "SQUEEZE_PAGE"}, "Gin": {"CREATE_PTREE", "INSERT_LISTPAGE", "SPLIT"},
    "Gist": {"PAGE_SPLIT"}, "SPGist": {"PICKSPLIT"}, "BRIN": {"SAMEPAGE_UPDATE", "DESUMMARIZE"},
    "Sequence": {"LOG"}, "CommitTs": {"ZEROPAGE"}, "ReplicationOrigin": {"SET", "DROP"},
    "Generic": {"Generic"}, "LogicalMessage": {"MESSAGE"},
}


@dataclass
class Worked:
    """A stopped cluster with the workload's WAL, and what was asked of it while it ran."""

    cluster: Cluster
    segments: list
    decoded: Decoded
    images: Path
    kept: dict  # relation number of an index -> its file; nothing changed them after they were made
    walinspect: list  # [start, end] of some records
    two_phase: list


@pytest.fixture(scope="module", name="worked")
def fixture_worked(fast_folder, reader):
    cluster = Cluster.create(fast_folder / "worked", settings=wal_workload.SETTINGS)
    with cluster.running():
        wal_workload.of_all_kinds(cluster, rows=3000)
        kept = dict(line.split("|") for line in cluster.sql(
            "SELECT relfilenode, pg_relation_filepath(oid) FROM pg_class "
            "WHERE relname LIKE 'kept_%'", "app").splitlines())
        cluster.sql("CREATE EXTENSION pg_walinspect")
        start = cluster.sql("SELECT pg_current_wal_insert_lsn()")
        cluster.sql("CREATE TABLE seen AS SELECT i, repeat(md5(i::text), 100) "
                    "FROM generate_series(1, 3000) i; SELECT pg_switch_wal()")
        ends = [line.split("|") for line in cluster.sql(
            "SELECT start_lsn, end_lsn "
            f"FROM pg_get_wal_records_info_till_end_of_wal('{start}')").splitlines()]
        # Prepared, and by the checkpoint written to a file.
        cluster.sql("BEGIN; CREATE TABLE t (i int); SAVEPOINT s; INSERT INTO t VALUES (1); "
                    "PREPARE TRANSACTION 'kept'; CHECKPOINT")
    states = [path.read_bytes().hex() for path in (cluster.pgdata / "pg_twophase").iterdir()]
    segments = segments_of(cluster)
    images = fast_folder / "images"
    decoded = reader.read(segments, "--images", images)
    return Worked(cluster, segments, decoded, images, kept, ends, states)


@dataclass
class Small:
    """A cluster with segments of 1 MiB, and some of them that are complete."""

    segments: list
    decoded: Decoded

    @staticmethod
    def start_of(segment):
        return (int(segment.name[8:16], 16) << 32) + (int(segment.name[16:], 16) << 20)


@pytest.fixture(scope="module", name="small")
def fixture_small(fast_folder, reader):
    cluster = Cluster.create(
        fast_folder / "small", checksums=False, initdb=["--wal-segsize=1"],
        settings={"wal_level": "minimal", "max_wal_senders": "0", "wal_compression": "zstd",
                  "wal_log_hints": "on", "max_wal_size": "1GB", "checkpoint_timeout": "1h",
                  "wal_consistency_checking": "'heap,btree'", "min_wal_size": "200MB"})
    with cluster.running():
        first = cluster.sql("SELECT pg_walfile_name(pg_current_wal_insert_lsn())")
        cluster.sql("CREATE TABLE t AS SELECT i, repeat(md5(i::text), 30) AS body "
                    "FROM generate_series(1, 3000) i")
        cluster.sql("CREATE INDEX ON t (body); UPDATE t SET i = i + 1 WHERE i % 3 = 0; VACUUM t")
        cluster.pgbench("-i", "-q", "-s", "1")
        cluster.pgbench("-n", "-t", "100", "-c", "4")
        cluster.sql("SELECT pg_switch_wal(); DELETE FROM t; SELECT pg_switch_wal()")
        cluster.sql("CREATE TABLE last AS SELECT 1")
        last = cluster.sql("SELECT pg_walfile_name(pg_current_wal_insert_lsn())")
        # A stop, or the next start, would remove old segments.
        cluster.crash()
    segments = [path for path in segments_of(cluster) if first <= path.name <= last]
    return Small(segments, reader.read(segments))


def test_every_record_is_as_pg_waldump_prints_it(worked):
    ours = worked.decoded
    theirs, _, end = waldump(worked.segments)
    clears = assert_same(ours.records, theirs)
    assert clears >= {("INSERT", "all"), ("MULTI_INSERT", "all"), ("DELETE", "all"),
                      ("UPDATE", "all"), ("HOT_UPDATE", "all"), ("LOCK", "frozen")}
    seen = {}
    for record in theirs:
        seen.setdefault(record.manager, set()).add(record.kind)
    for manager, kinds in KINDS.items():
        assert kinds <= seen[manager], manager
    methods = {re.search("method: (.*)", line)[1]
               for record in theirs for line in record.references if "method" in line}
    assert methods == {"pglz", "lz4", "zstd"}
    assert ours.stop_position == end
    assert ours.stop_reason == "unwritten"


def test_records_end_where_the_server_says(worked):
    ends = {record.start: record.end for record in worked.decoded.records}
    assert len(worked.walinspect) > 3000
    for start, end in worked.walinspect:
        assert ends[lsn(start)] == lsn(end)


def test_an_image_is_the_page_that_the_server_wrote_to_its_file(worked):
    last = {}  # block -> the last record that changed it
    for record in worked.decoded.records:
        for _, block in record.blocks():
            last[block] = record
    methods = set()
    content = worked.images.read_bytes()
    entry = struct.Struct("<QIIIII")
    compared = 0
    for offset in range(0, len(content), entry.size + BLOCK):
        end, *block = entry.unpack_from(content, offset)
        page = content[offset + entry.size:offset + entry.size + BLOCK]
        record = last[tuple(block)]
        path = worked.kept.get(str(block[2]))
        if path is None or record.end != end or block[3] != FORKS["main"]:
            continue
        with open(worked.cluster.pgdata / path, "rb") as file:
            file.seek(block[4] * BLOCK)
            stored = bytearray(file.read(BLOCK))
        # What the server leaves of old bytes between pd_lower and pd_upper is not in the WAL.
        lower, upper = struct.unpack_from("<HH", stored, 12)
        stored[lower:upper] = bytes(upper - lower)
        # The LSN is that of the record's end, the checksum that of the moment of writing.
        high, low = struct.unpack_from("<II", stored)
        assert high << 32 | low == end
        assert stored[10:] == page[10:], record
        methods.update(re.findall("method: (.*)", record.references[0]) or ["none"])
        compared += 1
    assert methods == {"none", "pglz", "lz4", "zstd"}
    assert compared > 200


def test_a_prepared_transaction_gives_its_file(worked):
    states = [line for record in worked.decoded.records for line in record.extras
              if line.startswith("state")]
    assert len(states) == 4
    assert [f"state {state}" for state in worked.two_phase] == states[-1:]


def test_small_segments_and_other_settings(small):
    theirs, _, _ = waldump(small.segments)
    assert_same(small.decoded.records, theirs)
    lines = {line for record in theirs for line in record.references}
    assert any("FPW for WAL verification" in line for line in lines)
    assert len(small.segments) > 10


def test_chunks_make_no_difference(reader, small):
    for chunk in (1, 7, 8191, 8192, 1 << 24):
        assert reader.read(small.segments[-4:], "--chunk", chunk) == reader.read(small.segments[-4:])


def test_reading_starts_at_any_record(reader, small, chance):
    segments = small.segments[-3:]
    whole = reader.read(segments)
    for record in chance.sample(whole.records, 8):
        rest = [path for path in segments if small.start_of(path) + 2**20 > record.start]
        text = f"{record.start >> 32:X}/{record.start & 0xFFFFFFFF:X}"
        ours = reader.read(rest, "--start", text)
        assert ours.records == whole.records[whole.records.index(record):]


def truncated_copy(segments, folder, end):
    """A copy of the last of `segments` with zeros from byte `end` on."""
    copies = [Path(shutil.copy(path, folder)) for path in segments]
    content = bytearray(copies[-1].read_bytes())
    content[end:] = bytes(len(content) - end)
    copies[-1].write_bytes(content)
    return copies


def test_damage_ends_the_wal_at_its_record_as_for_pg_waldump(reader, small, folder, chance):
    segment = small.segments[2]
    whole = reader.read([segment])
    copy = folder / segment.name
    for _ in range(12):
        # In its header or at its beginning: the server does not look at what lies between records.
        record = chance.choice(whole.records[:-1])
        offset = record.start - small.start_of(segment) + chance.randrange(24)
        content = bytearray(segment.read_bytes())
        content[offset] ^= 1 << chance.randrange(8)
        copy.write_bytes(content)
        ours = reader.read([copy])
        theirs, _, _ = waldump([copy])
        assert_same(ours.records, theirs)
        assert ours.records == whole.records[:len(ours.records)]
        assert len(ours.records) < len(whole.records)


def test_wal_cut_anywhere_gives_all_before_it(reader, small, folder, chance):
    segment = small.segments[2]
    whole = reader.read([segment])
    for _ in range(8):
        end = chance.randrange(BLOCK, whole.records[-1].start - small.start_of(segment))
        ours = reader.read(truncated_copy([segment], folder, end))
        complete = [record for record in whole.records
                    if record.end <= small.start_of(segment) + end]
        # The last one may have lost nothing but zeros.
        assert ours.records[:len(complete)] == complete
        assert len(ours.records) <= len(complete) + 1
        assert ours.stop_reason in ("unwritten", "invalid")


def test_a_record_that_a_crash_cut_off_is_left_out(reader, folder):
    cluster = Cluster.create(folder / "crashed", settings={"wal_keep_size": "1GB",
                                                           "max_wal_size": "1GB"})
    cluster.start()
    try:
        cluster.sql("CREATE TABLE t (i int, body text)")
        cluster.sql("SELECT pg_logical_emit_message(true, 'long', repeat('x', 30000))")
        place = cluster.sql("SELECT pg_walfile_name(pg_current_wal_insert_lsn())")
        cluster.crash()
        segments = [path for path in segments_of(cluster) if path.name <= place]
        message = [record for record in reader.read(segments).records
                   if record.kind == "MESSAGE"][-1]
        # Of its pages the last ones never reached the disk.
        content = bytearray(segments[-1].read_bytes())
        offset = (message.start % len(content)) // BLOCK * BLOCK + 2 * BLOCK
        content[offset:] = bytes(len(content) - offset)
        segments[-1].write_bytes(content)
        torn = reader.read(segments)
        assert torn.stop_position == message.start
        assert torn.stop_reason == "unwritten"
        assert torn.records[-1].end == message.start

        cluster.start()
        cluster.sql("INSERT INTO t VALUES (1, 'after the crash')")
        cluster.stop()
    finally:
        cluster.kill()
    ours = reader.read(segments)
    theirs, _, _ = waldump(segments)
    assert_same(ours.records, theirs)
    overwrite = [record for record in ours.records if record.kind == "OVERWRITE_CONTRECORD"]
    assert len(overwrite) == 1
    assert lsn(overwrite[0].description.split()[1].rstrip(";")) == message.start
