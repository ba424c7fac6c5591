"""w: decoding the WAL that pgbench makes a server write, against pg_waldump."""

import re

from driver import contest, machine
from support.postgres import BIN_DIR, Cluster

# Checkpoints between, so that some of the records carry pages.
SETTINGS = {"wal_keep_size": "8GB", "max_wal_size": "256MB", "checkpoint_timeout": "30s"}
TRANSACTIONS = 40_000


def run(arguments, folder):
    cluster = Cluster.create(folder / "data", settings=SETTINGS)
    with cluster.running():
        cluster.pgbench("-i", "-q", "-s", 1 if arguments.small else 10)
        transactions = TRANSACTIONS // 1000 if arguments.small else TRANSACTIONS
        first = cluster.sql("SELECT pg_switch_wal(); "
                            "SELECT pg_walfile_name(pg_current_wal_insert_lsn())").split()[-1]
        cluster.pgbench("-n", "-t", transactions // 8, "-c", 8)
    segments = sorted(path for path in (cluster.pgdata / "pg_wal").iterdir()
                      if re.fullmatch("[0-9A-F]{24}", path.name) and path.name > first)
    if not segments:
        segments = [cluster.pgdata / "pg_wal" / first]
    results = contest.alternate({
        "varve, records": lambda: machine.bench(arguments, "wal", "--only-records", *segments),
        "varve, all of them": lambda: machine.bench(arguments, "wal", *segments),
        "pg_waldump --quiet": lambda: waldump(segments),
    }, arguments.runs)
    known = results["varve, all of them"][0]
    rows = []
    for name, runs in results.items():
        seconds = [run["seconds"] for run in runs]
        middle = contest.median(seconds)
        rows.append([name, contest.spread(seconds), f"{known['bytes'] / 2**20 / middle:.0f}",
                     f"{known['records'] / middle / 1e6:.2f}"])
    contest.print_table(
        f"w: {known['bytes'] / 2**20:.0f} MiB of WAL, {known['records']} records with "
        f"{known['blocks']} blocks and {known['images']} images",
        ["contender", "seconds", "MiB/s", "million records a second"], rows)


def waldump(segments):
    """It ends with an error where the WAL does."""
    end = machine.timed("sh", "-c", '"$@" || true', "sh", BIN_DIR / "pg_waldump", "--quiet",
                        segments[0], segments[-1])
    return {"seconds": end.seconds}
