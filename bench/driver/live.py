"""l: a running primary: ingesting its WAL, and getting it back, against pgBackRest."""

import contextlib
import json
import shutil
import subprocess
import time

from driver import contest, machine
from support.daemon import starting
from support.postgres import Cluster, as_postgres, give_to_postgres
from support.varve import Server, Varve

SETTINGS = {"checkpoint_timeout": "30s", "max_wal_size": "2GB", "wal_keep_size": "16GB",
            "shared_buffers": "512MB", "archive_mode": "on", "archive_command": "'true'"}
WAL_AFTER_BACKUP = 2 << 30
FULL_SCALE = 100
QUERY = "SELECT sum(abalance) FROM pgbench_accounts"
_CLEAN = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}


class PgBackRest:
    """Into a directory, with zstd and two processes, and WAL fetched ahead in a restore."""

    CONFIGURATION = """\
[global]
repo1-path={folder}/repository
repo1-bundle=y
repo1-retention-full=10
compress-type=zst
process-max=2
archive-async=y
log-level-file=off
lock-path={folder}/lock
spool-path={folder}/spool
[bench]
pg1-path={pgdata}
pg1-socket-path={sockets}
pg1-port={port}
pg1-user=postgres
"""

    def __init__(self, folder, cluster):
        self.folder = folder / "pgbackrest"
        self.folder.mkdir()
        give_to_postgres(self.folder)
        self.configuration = folder / "pgbackrest.conf"
        self.configuration.write_text(self.CONFIGURATION.format(
            folder=self.folder, pgdata=cluster.pgdata, sockets=cluster.socket_folder,
            port=cluster.port))
        cluster.sql(f"ALTER SYSTEM SET archive_command = '{self.command('archive-push %p')}'")
        cluster.sql("SELECT pg_reload_conf()")
        self.run("stanza-create")

    def command(self, words):
        return f"/usr/bin/pgbackrest --config={self.configuration} --stanza=bench {words}"

    def run(self, *words):
        return machine.timed("/usr/bin/pgbackrest", f"--config={self.configuration}",
                             "--stanza=bench", "--log-level-console=error", *words, cwd="/",
                             env=_CLEAN, **as_postgres())

    def restore(self, target, lsn):
        target.mkdir(mode=0o700)
        give_to_postgres(target)
        return self.run(f"--pg1-path={target}", "--type=lsn", f"--target={lsn}",
                        "--target-action=promote", "restore")

    def stored(self):
        return machine.tree_size(self.folder / "repository")


def run(arguments, folder):
    scale = 1 if arguments.small else FULL_SCALE
    wal = WAL_AFTER_BACKUP * scale // FULL_SCALE
    cluster = Cluster.create(folder / "data", settings=SETTINGS)
    with cluster.running():
        cluster.pgbench("-i", "-q", "-s", scale)
    with imported(arguments, folder, cluster) as fed, cluster.running():
        server = Server.init(Varve(arguments.binary), folder)
        server.create_tenant("acme")
        with starting(server) as daemon:
            backups(arguments, folder, cluster, server, wal)
            daemon.stop()
        ingest(arguments, fed, cluster)


@contextlib.contextmanager
def imported(arguments, folder, cluster):
    """A timeline of the stopped cluster, with no remote storage: to be fed from files."""
    workdir = folder / "fed"
    varve = Varve(arguments.binary)
    varve.succeed("init", "--workdir", workdir)
    varve.succeed("tenant", "create", "--name", "acme", "--workdir", workdir)
    varve.succeed("timeline", "import", "acme", "--name", "main", "--pgdata", cluster.pgdata,
                  "--workdir", workdir)
    yield workdir
    shutil.rmtree(workdir)


def lsn_of(cluster):
    return cluster.sql("SELECT pg_current_wal_flush_lsn()")


def distance(cluster, later, earlier):
    return int(cluster.sql(f"SELECT pg_wal_lsn_diff('{later}', '{earlier}')"))


def backups(arguments, folder, cluster, server, wal):
    protect = machine.timed(
        arguments.binary, "protect", "acme", "--name", "main", "--workdir", server.workdir,
        "--primary", f"host={cluster.socket_folder} port={cluster.port} user=postgres")
    pgbackrest = PgBackRest(folder, cluster)
    backup = pgbackrest.run("--type=full", "--start-fast", "backup")
    start = lsn_of(cluster)
    written = time.monotonic()
    lag = 0
    while distance(cluster, lsn_of(cluster), start) < wal:
        cluster.pgbench("-n", "-c", "8", "-j", "2", "-T", "1" if arguments.small else "5")
        lag = max(lag, status(server)["primary"]["lag_bytes"])
    written = time.monotonic() - written
    cluster.sql("SELECT pg_create_restore_point('end')")
    lsn = lsn_of(cluster)
    cluster.sql("SELECT pg_switch_wal()")
    settle = machine.timed(arguments.binary, "wait", "acme/main", "--workdir", server.workdir,
                           "--lsn", lsn, "--for", "remote")
    archived(cluster)
    amount = distance(cluster, lsn, start)
    expected = cluster.sql(QUERY)
    contest.print_table(
        f"l: a primary of {contest.mib(machine.tree_size(cluster.pgdata / 'base')[1])} MiB while "
        f"pgbench writes {contest.mib(amount)} MiB of WAL in {written:.0f} s",
        ["what", "seconds"],
        [["protect, until it can be read from the remote storage", f"{protect.seconds:.1f}"],
         ["pgBackRest, full backup", f"{backup.seconds:.1f}"],
         [f"all remote after the last of pgbench (most ever behind: {contest.mib(lag)} MiB)",
          f"{settle.seconds:.1f}"]])
    restores(arguments, folder, server, pgbackrest, lsn, expected)


def status(server):
    return server.json("status", "acme/main")["timelines"][0]


def archived(cluster):
    """Once no segment waits for archive_command."""
    waiting = cluster.pgdata / "pg_wal/archive_status"
    while any(path.suffix == ".ready" for path in waiting.iterdir()):
        time.sleep(0.1)


def restores(arguments, folder, server, pgbackrest, lsn, expected):
    targets = iter(folder / f"restored-{number}" for number in range(100))

    def varve():
        target = next(targets)
        restore = machine.timed(arguments.binary, "restore", "acme/main", "--remote",
                                server.remote, "--lsn", lsn, "--to", target)
        return answered(target, restore.seconds, expected)

    def peer():
        target = next(targets)
        restore = pgbackrest.restore(target, lsn)
        return answered(target, restore.seconds, expected)

    results = contest.alternate({"varve": varve, "pgBackRest and replay": peer}, arguments.runs)
    stored = {"varve": machine.tree_size(server.remote_folder), "pgBackRest and replay": pgbackrest.stored()}
    reference = contest.median([run["end"] for run in results["pgBackRest and replay"]])
    rows = []
    for name, runs in results.items():
        end = [run["end"] for run in runs]
        rows.append([name, contest.spread([run["files"] for run in runs]),
                     contest.spread([run["first"] for run in runs]), contest.spread(end),
                     contest.ratio(reference, contest.median(end)),
                     contest.mib(stored[name][1]), stored[name][0]])
    contest.print_table(
        f"l: back at {lsn}",
        ["contender", "seconds to the files", "to the first answer", "to the end of recovery",
         "times as fast", "MiB stored", "objects stored"], rows)
    print_requests(server, next(targets), lsn)


def print_requests(server, target, lsn):
    restored = server.varve.json("restore", "acme/main", "--remote", server.remote, "--lsn", lsn,
                                 "--to", target)
    shutil.rmtree(target)
    made = ", ".join(f"{count} {name.upper()}" for name, count in restored["requests"].items()
                     if count > 0)
    print(f"A restore of Varve is {made}: {restored['layers_fetched']} layers of "
          f"{contest.mib(restored['layer_bytes_fetched'])} MiB.\n")


def answered(target, seconds, expected):
    """Starts a server on what was restored; when it answered, and when it was at the end."""
    restored = Cluster(target)
    with open(target / "postgresql.auto.conf", "a", encoding="utf-8") as conf:
        conf.write("archive_mode = off\n")
    begin = time.monotonic()
    with restored.running():
        restored.sql("SELECT 1")
        first = time.monotonic() - begin
        while restored.sql("SELECT pg_is_in_recovery()") == "t":
            time.sleep(0.02)
        end = time.monotonic() - begin
        assert restored.sql(QUERY) == expected, "it is not what the primary had"
    shutil.rmtree(target)
    return {"files": seconds, "first": seconds + first, "end": seconds + end}


def ingest(arguments, workdir, cluster):
    """The same WAL, from its files into a timeline, by one process with a thread that decodes."""
    feeder = arguments.binary.parent / "varve_wal_feeder"
    result = subprocess.run(
        [feeder, "acme/main", "--workdir", workdir, "--pgdata", cluster.pgdata, "--wal",
         cluster.pgdata / "pg_wal"], check=True, stdout=subprocess.PIPE, env=_CLEAN)
    fed = json.loads(result.stdout)
    amount = distance(cluster, fed["last_record_lsn"], fed["first_lsn"])
    contest.print_table(
        "l: WAL from files into a timeline", ["MiB", "records", "seconds", "MB/s"],
        [[contest.mib(amount), fed["records"], f"{fed['seconds']:.1f}",
          f"{amount / fed['seconds'] / 1e6:.0f}"]])
