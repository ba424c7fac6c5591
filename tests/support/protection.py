"""Work directories whose timelines follow running primaries."""

import contextlib
import itertools
import shutil

from support import trees
from support.daemon import starting
from support.postgres import BIN_DIR, SYSTEM_USER, Cluster, give_to_postgres
from support.varve import Server

POSTGRES = ("--pg-bindir", BIN_DIR, "--pg-user", SYSTEM_USER)

_numbers = itertools.count()


def lsn(text):
    high, low = text.split("/")
    return int(high, 16) << 32 | int(low, 16)


def conninfo(cluster, user="postgres"):
    return f"host={cluster.socket_folder} port={cluster.port} user={user}"


def slots(cluster):
    return cluster.sql("SELECT slot_name FROM pg_replication_slots").split()


def of_stream(cluster, column):
    return cluster.sql(f"SELECT {column} FROM pg_stat_replication")


def write(cluster, rows=1000):
    """Gives the LSN up to which the primary has written."""
    cluster.sql("CREATE TABLE IF NOT EXISTS written (i int, body text); INSERT INTO written "
                f"SELECT i, md5(i::text) FROM generate_series(1, {rows}) i")
    return cluster.sql("SELECT pg_current_wal_flush_lsn()")


def copied_cluster(source, folder, settings):
    """A copy of a cluster that does not run, not started."""
    folder.mkdir()
    pgdata = trees.copy_tree(source, folder / "data")
    with open(pgdata / "postgresql.conf", "a", encoding="utf-8") as conf:
        conf.writelines(f"{key} = {value}\n" for key, value in settings.items())
    give_to_postgres(folder)
    return Cluster(pgdata)


class ProtectServer(Server):
    """A work directory with the tenant `acme`."""

    @classmethod
    @contextlib.contextmanager
    def temporary(cls, varve, fast_folder, storage=None):
        folder = fast_folder / f"server{next(_numbers)}"
        folder.mkdir()
        server = cls.init(varve, folder, storage)
        server.create_tenant("acme")
        yield server
        shutil.rmtree(folder)

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.folder = self.workdir.parent

    def serving(self, *options, rpo=1):
        return starting(self, "--rpo", str(rpo), *POSTGRES, *options)

    def start_protect(self, connection, name="main", *options):
        return self.start("protect", "acme", "--name", name, "--primary", connection, "--json",
                          *options)

    def protect(self, cluster, name="main"):
        outcome = self.start_protect(conninfo(cluster), name).wait()
        assert outcome.code == 0, outcome
        return outcome.document()

    def start_protect_restored(self, connection, name="main", *options):
        return self.start("protect", f"acme/{name}", "--primary", connection, "--json", *options)

    def protect_restored(self, cluster, name="main"):
        outcome = self.start_protect_restored(conninfo(cluster), name).wait()
        assert outcome.code == 0, outcome
        return outcome.document()

    def show(self, name="main"):
        return self.json("timeline", "show", f"acme/{name}")

    def primary(self, name="main"):
        return self.show(name)["primary"]

    def wait(self, at, goal="remote", name="main"):
        self.succeed("wait", f"acme/{name}", "--lsn", at, "--for", goal, "--timeout", "60")

    def restore(self, *options, name="main"):
        """From the remote storage alone, as a cluster that was not started yet."""
        to = self.folder / f"restored{next(_numbers)}"
        self.varve.succeed("restore", f"acme/{name}", "--remote", self.remote, "--to", to,
                           *POSTGRES, *options)
        return Cluster(to)

    def is_streaming(self, name="main"):
        return self.primary(name)["state"] == "streaming"


def contents(dump):
    """But for where tablespaces are, and sequences, of which the WAL is ahead."""
    return [line for line in dump.splitlines()
            if not line.startswith(("CREATE TABLESPACE", "SELECT pg_catalog.setval"))]


def check_restored(cluster, dump):
    """It starts without recovery, and holds what was dumped."""
    with cluster.running():
        assert contents(cluster.dump()) == contents(dump)
        cluster.amcheck()
    assert "redo starts at" not in cluster.log_text()
