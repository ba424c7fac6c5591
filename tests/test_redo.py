"""Pages that redo processes make are those of the server's own recovery, to the byte.

A cluster is copied while it is idle, works, and is crashed. The copy with all WAL is started, which is
PostgreSQL's own redo; and the blocks of the copy are brought up to date from the same WAL, record by
record, by the processes that Varve runs.
"""

import collections
import json
import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from support import redo_workload
from support.cluster_kinds import EVERY_KIND, KINDS
from support.postgres import (BIN_DIR, SYSTEM_USER, Cluster, ClusterKind, PostgresError,
                              give_to_postgres)
from support.wal_records import (BLOCKS_PER_MAP, HASH, INIT, MAIN, PAGE, VISIBILITY, clear_map_behind,
                                 cleared_maps, decode, parse_lsn, read_records, truncation)

FORKS = {"": MAIN, "_vm": VISIBILITY, "_init": INIT}
ZEROS = bytes(PAGE)

SETTINGS = {
    "shared_buffers": "'64MB'",
    "wal_level": "replica",
    "max_wal_size": "'8GB'",
    "checkpoint_timeout": "'1h'",
    "wal_keep_size": "'8GB'",
    "synchronous_commit": "off",
}


def pytest_generate_tests(metafunc):
    if "recovered" in metafunc.fixturenames:
        kinds = EVERY_KIND if metafunc.config.getoption("--redo-matrix") else KINDS
        metafunc.parametrize("recovered", kinds, indirect=True, scope="module",
                             ids=[kind.name for kind in kinds])


@dataclass
class Recovered:
    kind: ClusterKind
    base: Path  # the data directory before the work
    oracle: Path  # the same, recovered by the server
    steps: dict  # page -> [[Link...] or the number of blocks that its heap was cut to]
    gone: set  # pages that were cut off, at least once


@dataclass(frozen=True)
class Link:
    """A record in the chain of a page."""

    end: int
    data: bytes
    is_start: bool  # needs no page before it


@pytest.fixture(name="recovered")
def fixture_recovered(request, fast_folder):
    kind = request.param
    folder = fast_folder / kind.name
    base, oracle = folder / "base", folder / "oracle"
    cluster = kind.create(folder / "data", SETTINGS)
    give_to_postgres(folder)
    with cluster.running():
        cluster.sql(redo_workload.BEFORE)
        cluster.sql("CHECKPOINT")
        shutil.copytree(cluster.pgdata, base)
        cluster.sql(redo_workload.FIRST)
        cluster.sql("CHECKPOINT")
        cluster.sql(redo_workload.SECOND.format(folder=folder))
        cluster.sql("CHECKPOINT")
        cluster.crash()
    (base / "postmaster.pid").unlink()
    shutil.copytree(base, oracle)
    shutil.rmtree(oracle / "pg_wal")
    shutil.copytree(cluster.pgdata / "pg_wal", oracle / "pg_wal")
    give_to_postgres(folder)
    recovery = Cluster(oracle)
    with recovery.running():
        assert "redo starts at" in recovery.log_text()
    start = parse_lsn(Cluster(base).control()["Latest checkpoint's REDO location"])
    yield Recovered(kind, base, oracle, *chains(cluster.pgdata / "pg_wal", start))
    shutil.rmtree(folder)


def chains(wal, start):
    """What happened to each page, in order."""
    steps = collections.defaultdict(list)
    gone = set()
    forks = collections.defaultdict(set)  # relation, fork -> its pages with steps
    for record in read_records(wal, start):
        blocks, main = decode(record)
        cut = truncation(record, main)
        if cut is not None:
            _cut(steps, gone, forks, cut)
        links = {block.page: Link(record.end, record.data,
                                  (block.is_restored or block.is_initialised)
                                  and record.manager != HASH) for block in blocks}
        for page in cleared_maps(record, blocks, main):
            links.setdefault(page, Link(record.end, record.data, False))
        for page, link in links.items():
            if not steps[page] or not isinstance(steps[page][-1], list):
                steps[page].append([])
            steps[page][-1].append(link)
            forks[page[:2]].add(page)
    return steps, gone


def _cut(steps, gone, forks, cut):
    """Nothing that happened before to what is cut off matters any more."""
    last_map, first_gone_map = last_map_page(cut)

    def remove(fork, first):
        for page in forks[cut.relation, fork]:
            if page[2] >= first:
                steps[page].clear()
        gone.add((cut.relation, fork, first))

    if cut.main:
        remove(MAIN, cut.blocks)
    if cut.visibility_map:
        remove(VISIBILITY, first_gone_map)
        if last_map is not None:
            steps[cut.relation, VISIBILITY, last_map].append(cut.blocks)
            forks[cut.relation, VISIBILITY].add((cut.relation, VISIBILITY, last_map))


def last_map_page(cut):
    """The page of the visibility map that is cut within, if there is one, and the first behind it."""
    block, rest = divmod(cut.blocks, BLOCKS_PER_MAP)
    return (block, block + 1) if rest else (None, block)


def file_of(pgdata, relation, fork):
    tablespace, database, number = relation
    folder = "global" if tablespace == 1664 else f"base/{database}"
    suffix = next(name for name, value in FORKS.items() if value == fork)
    return pgdata / folder / f"{number}{suffix}"


def fork_files(pgdata):
    """(relation, fork) -> content, for all but free space maps."""
    files = {}
    databases = [path for path in (pgdata / "base").iterdir() if path.name.isdigit()]
    for folder in [pgdata / "global", *databases]:
        tablespace, database = (1664, 0) if folder.name == "global" else (1663, int(folder.name))
        for path in folder.iterdir():
            number, _, fork = path.name.partition("_")
            if number.isdigit() and (fork := "_" + fork if fork else "") in FORKS:
                files[(tablespace, database, int(number)), FORKS[fork]] = path.read_bytes()
    return files


class Driver:
    """Asks redo processes for pages, through the program of tests/redo_driver."""

    def __init__(self, varve, folder, kind):
        self._program = Path(varve.binary).parent / "varve_redo_driver"
        self._library = Path(varve.binary).parent / "varve_redo.so"
        self._folder = folder
        self._kind = kind

    def pages(self, requests, *arguments):
        """requests: (page, the page before or None, links); gives a page, or the text of an error."""
        return self.answers([(*request, self._kind.logs_hint_bits) for request in requests], *arguments)

    def answers(self, requests, *arguments):
        """The same where each request also says whether hint bits were logged."""
        path, answers = self._folder / "requests", self._folder / "pages"
        with open(path, "wb") as file:
            for (relation, fork, block), base, links, logged in requests:
                file.write(struct.pack("<8I", *relation, fork, block, base is not None, len(links),
                                       logged))
                file.write(base or b"")
                for link in links:
                    file.write(struct.pack("<QI", link.end, len(link.data)) + link.data)
        result = subprocess.run(
            [self._program, "--library", self._library, "--pg-bindir", BIN_DIR, "--pg-user", SYSTEM_USER,
             *(["--checksums"] if self._kind.checksums else []), *arguments, path, answers],
            capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        done = json.loads(result.stdout)
        print(f"{done['pages']} pages from {done['records']} records in {done['seconds']:.2f} s: "
              f"{done['pages'] / max(done['seconds'], 1e-6):.0f} pages/s", *arguments)
        return list(self._parse(answers.read_bytes()))

    @staticmethod
    def _parse(answers):
        at = 0
        while at < len(answers):
            status, = struct.unpack_from("<I", answers, at)
            at += 4
            if status == 0:
                yield answers[at:at + PAGE]
                at += PAGE
            else:
                size, = struct.unpack_from("<I", answers, at)
                yield answers[at + 4:at + 4 + size].decode()
                at += 4 + size


def from_last_start(links):
    """The end of a chain, from the last record on that needs nothing before it."""
    starts = [i for i, link in enumerate(links) if link.is_start]
    return (links[starts[-1]:], True) if starts else (links, False)


def bring_up_to_date(recovered, driver, *arguments, shortened=False):
    """The pages of the base after all their steps; those without any are as they were."""
    base = fork_files(recovered.base)
    oracle = fork_files(recovered.oracle)

    def base_page(page):
        relation, fork, block = page
        if any(page[:2] == cut[:2] and block >= cut[2] for cut in recovered.gone):
            return None
        found = base.get((relation, fork), b"")[block * PAGE:(block + 1) * PAGE]
        return found or None

    left = {page: list(steps) for page, steps in recovered.steps.items()
            if steps and page[:2] in oracle}
    pages = {page: base_page(page) for page in left}
    while left:
        requests = []
        for page, steps in left.items():
            step = steps.pop(0)
            if isinstance(step, int):
                if pages[page] is not None:
                    pages[page] = clear_map_behind(pages[page], step)
                continue
            links, is_start = from_last_start(step) if shortened else (step, False)
            requests.append((page, None if is_start else pages[page], links))
        for (page, _, _), result in zip(requests, driver.pages(requests, *arguments)):
            pages[page] = result
        left = {page: steps for page, steps in left.items() if steps}
    return pages, base_page, oracle


def differences(pages, base_page, oracle):
    found = []
    compared = collections.Counter()
    for (relation, fork), content in oracle.items():
        if fork == MAIN and (relation, INIT) in oracle:
            continue  # Unlogged: the server has emptied it.
        for block in range(len(content) // PAGE):
            page = (relation, fork, block)
            expected = content[block * PAGE:(block + 1) * PAGE]
            ours = pages[page] if page in pages else base_page(page)
            compared[fork] += 1
            if isinstance(ours, str):
                found.append((page, ours))
            elif (ours or ZEROS) != expected:
                at = [i for i in range(PAGE) if (ours or ZEROS)[i] != expected[i]]
                found.append((page, f"{len(at)} bytes from {at[0]} on"))
    return found, compared


def test_pages_are_those_of_the_servers_recovery(varve, recovered, folder):
    driver = Driver(varve, folder, recovered.kind)
    found, compared = differences(*bring_up_to_date(recovered, driver))
    assert not found, f"{len(found)} of {sum(compared.values())}: {found[:10]}"
    assert compared[MAIN] > 2000 and compared[VISIBILITY] > 10 and compared[INIT] >= 8


def test_chains_may_begin_at_an_image(varve, recovered, folder):
    driver = Driver(varve, folder, recovered.kind)
    found, _ = differences(*bring_up_to_date(recovered, driver, "--batch", "1", "--processes", "1",
                                             shortened=True))
    assert not found, found[:10]


class MixedDriver(Driver):
    """Asks for each page as well as if it were of a cluster that has hint bits logged otherwise."""

    changed = 0

    def pages(self, requests, *arguments):
        logged = self._kind.logs_hint_bits
        mixed = [(*request, how) for request in requests for how in (not logged, logged)]
        answers = self.answers(mixed, *arguments)
        self.changed += sum(other != right for other, right in zip(answers[::2], answers[1::2]))
        return answers[1::2]


def test_the_same_processes_serve_clusters_with_and_without_logged_hint_bits(varve, recovered, folder):
    driver = MixedDriver(varve, folder, recovered.kind)
    found, _ = differences(*bring_up_to_date(recovered, driver, "--processes", "1", shortened=True))
    assert not found, found[:10]
    assert driver.changed > 0


def test_a_server_with_data_refuses_the_extension(varve, folder):
    cluster = Cluster.create(folder / "data")
    library = shutil.copy(Path(varve.binary).parent / "varve_redo.so", folder)
    with open(cluster.pgdata / "postgresql.conf", "a", encoding="utf-8") as settings:
        settings.write(f"shared_preload_libraries = '{library}'\n")
    with pytest.raises(PostgresError, match="varve_redo is not for a server with data"):
        cluster.start()
