"""Fixtures of the end-to-end tests: the command under test, folders, and clusters to import."""

import contextlib
import random
import shutil
import signal
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from support import file_steps, noise, rich_cluster, trees
from support.postgres import Cluster
from support.radosgw import Radosgw
from support.remotes import FileRemote, S3Remote
from support.varve import Server, Varve

REPOSITORY = Path(__file__).resolve().parent.parent

# For the stages of one crash test; on a disk they take several times as long.
ROOM_IN_MEMORY = 2**30
MEMORY = Path("/dev/shm")


def pytest_addoption(parser):
    parser.addoption("--binary", default=str(REPOSITORY / "build/release/varve"),
                     help="the varve command to test")
    parser.addoption("--crash-rounds", type=int, default=6,
                     help="how often the crash tests kill each command")
    parser.addoption("--kill-rounds", type=int, default=4,
                     help="how often a server that is fed is killed, on each remote storage")
    parser.addoption("--chaos-seconds", type=float, default=60,
                     help="how long everything is killed, on each remote storage")
    parser.addoption("--race-rounds", type=int, default=40,
                     help="how often two servers race for a tenant, in all")
    parser.addoption("--redo-matrix", action="store_true",
                     help="compare redo with the server's recovery for many kinds of clusters")
    parser.addoption("--lsns", type=int, default=5,
                     help="at how many random LSNs a restore is compared with the server's recovery")
    parser.addoption("--every-step", action="store_true",
                     help="end commands at each of their steps, not only at some")
    parser.addoption("--seed", type=int, default=None,
                     help="repeats the random choices of an earlier run")


def pytest_configure(config):
    # A termination stops the servers that run, just as an interruption does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if config.getoption("--seed") is None:
        config.option.seed = random.SystemRandom().randrange(2**32)


def pytest_report_header(config):
    return f"random choices: --seed {config.getoption('--seed')}"


@pytest.fixture(name="chance")
def fixture_chance(request):
    """Randomness that --seed repeats, for each test on its own."""
    return random.Random(f"{request.config.getoption('--seed')} {request.node.nodeid}")


@pytest.fixture(scope="session", name="varve")
def fixture_varve(request):
    binary = Path(request.config.getoption("--binary"))
    if not binary.exists():
        pytest.exit(f"{binary} does not exist: run scripts/build first", returncode=1)
    return Varve(binary)


def _new_folder():
    # pytest's own temporary folders are closed to the user that PostgreSQL runs as.
    folder = Path(tempfile.mkdtemp(prefix="varve-"))
    folder.chmod(0o755)
    return folder


@pytest.fixture(scope="session", name="session_folder")
def fixture_session_folder():
    folder = _new_folder()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module", name="module_folder")
def fixture_module_folder():
    folder = _new_folder()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(name="folder")
def fixture_folder():
    folder = _new_folder()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session", name="s3")
def fixture_s3(session_folder):
    """A real S3 server that forgets everything at the end. Not to be stopped: start another."""
    server = Radosgw.start(session_folder / "s3")
    yield server
    server.kill()


@contextlib.contextmanager
def new_remote(request, kind, folder):
    """An empty remote storage: a directory in `folder` for "file", a prefix of its own for "s3"."""
    if kind == "file":
        yield FileRemote(folder / "remote")
        return
    remote = S3Remote(request.getfixturevalue("s3"))
    yield remote
    remote.remove()


# For tests that are worth running on either kind of storage; the others have a directory.
on_both_remotes = pytest.mark.parametrize("remote", ["file", "s3"], indirect=True)


@pytest.fixture(name="remote")
def fixture_remote(request, folder):
    """An empty remote storage, by default a directory: see on_both_remotes."""
    with new_remote(request, getattr(request, "param", "file"), folder) as remote:
        yield remote


@pytest.fixture(name="server")
def fixture_server(varve, folder, remote):
    """A new work directory with the tenant `acme`."""
    server = Server.init(varve, folder, remote)
    server.create_tenant("acme")
    return server


@pytest.fixture(scope="session", name="small_pgdata")
def fixture_small_pgdata(session_folder):
    """The data directory of a cluster as initdb makes it. Not to be changed: copy it."""
    return Cluster.create(session_folder / "small").pgdata


@dataclass
class Source:
    """A stopped cluster, and what a restored one is compared with."""

    pgdata: Path
    checksums: bool
    dump: str
    commit_times: str
    control: dict
    main_forks: dict


COMMIT_TIMES = "SELECT DISTINCT pg_xact_commit_timestamp(xmin) FROM stadt"


@pytest.fixture(scope="session", params=[True, False], ids=["checksums", "no_checksums"],
                name="rich")
def fixture_rich(request, session_folder):
    """The cluster with one of everything. Not to be changed: copy it."""
    folder = session_folder / ("rich_checksums" if request.param else "rich")
    cluster = Cluster.create(folder / "data", checksums=request.param,
                             settings=rich_cluster.SETTINGS)
    with cluster.running():
        rich_cluster.fill(cluster)
        dump = cluster.dump()
        commit_times = cluster.sql(COMMIT_TIMES, "zwei Städte")
    yield Source(cluster.pgdata, request.param, dump, commit_times, cluster.control(),
                 trees.main_forks(cluster.pgdata))
    shutil.rmtree(folder)


def start_on(pgdata):
    """The server on a restored data directory, as a context manager."""
    return Cluster(pgdata).running()


@pytest.fixture(scope="module", name="fast_folder")
def fixture_fast_folder():
    """In memory where there is room. Nothing here rests on a disk: power cuts are played."""
    roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM_IN_MEMORY
    folder = Path(tempfile.mkdtemp(prefix="varve-", dir=MEMORY if roomy else None))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module", name="library")
def fixture_library(fast_folder):
    return file_steps.compile_library(fast_folder)


@pytest.fixture(scope="module", name="tiny")
def fixture_tiny(fast_folder):
    """The data directory of a cluster with a single database."""
    cluster = Cluster.create(fast_folder / "tiny")
    with cluster.running():
        cluster.sql("UPDATE pg_database SET datistemplate = false WHERE datname <> 'postgres'")
        for name in ("template0", "template1"):
            cluster.sql(f"DROP DATABASE {name}")
    return cluster.pgdata


@pytest.fixture(scope="module", name="large")
def fixture_large(fast_folder):
    """The data directory of a cluster that does not fit into one archive."""
    cluster = Cluster.create(fast_folder / "large", settings=noise.SETTINGS)
    with cluster.running():
        noise.fill(cluster, 34 * 2**20)
    return cluster.pgdata
