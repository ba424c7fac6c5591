"""r: pages with many records above their image, redone by a process of PostgreSQL."""

import json
import shutil
import subprocess

from driver import contest, machine
from support.postgres import Cluster
from support.varve import Varve

CHAINS = (0, 1, 10, 100)
PAGES = 1000
# So that every record stays a record: of what redo makes, nothing is an image.
SETTINGS = {"full_page_writes": "off", "autovacuum": "off", "wal_keep_size": "4GB",
            "max_wal_size": "4GB", "checkpoint_timeout": "1h"}


def run(arguments, folder):
    pages = 20 if arguments.small else PAGES
    cluster = Cluster.create(folder / "data", checksums=False, settings=SETTINGS)
    with cluster.running():
        fill(cluster, pages)
        cluster.sql("CHECKPOINT")
    varve = Varve(arguments.binary)
    workdir = folder / "work"
    varve.succeed("init", "--workdir", workdir)
    varve.succeed("tenant", "create", "--name", "acme", "--workdir", workdir)
    varve.succeed("timeline", "import", "acme", "--name", "main", "--pgdata", cluster.pgdata,
                  "--workdir", workdir)
    with cluster.running():
        change(cluster)
        relations = [relation for chain in CHAINS
                     for relation in ("--relation", place(cluster, chain))]
        fed = json.loads(subprocess.run(
            [arguments.binary.parent / "varve_wal_feeder", "acme/main", "--workdir", workdir,
             "--pgdata", cluster.pgdata, "--wal", cluster.pgdata / "pg_wal"],
            check=True, stdout=subprocess.PIPE).stdout)
    runs = contest.alternate(
        {"varve": lambda: machine.bench(arguments, "pages", "acme/main", "--workdir", workdir,
                                        *relations)}, arguments.runs)["varve"]
    shutil.rmtree(workdir)
    rows = []
    for number, chain in enumerate(CHAINS):
        def figure(name, number=number):
            return contest.median([run[number][name] for run in runs])
        rows.append([chain, f"{figure('median_us'):.0f}", f"{figure('p99_us'):.0f}",
                     f"{figure('per_second'):.0f}",
                     f"{figure('median_us') / chain:.1f}" if chain else ""])
    contest.print_table(
        f"r: {pages} pages each, after {fed['records']} records, one thread",
        ["records above the image", "median µs", "p99 µs", "gets a second", "µs a record"], rows)


def fill(cluster, pages):
    """A table of so many pages for each length of chains, with room for what changes."""
    for chain in CHAINS:
        cluster.sql(f"CREATE TABLE p{chain} (id int, v int) WITH (fillfactor = 10)")
        # Of which a tenth of a page takes 22.
        cluster.sql(f"INSERT INTO p{chain} SELECT n, 0 FROM generate_series(1, {pages * 22}) n")
        # Else each change would first make room.
        cluster.sql(f"ALTER TABLE p{chain} SET (fillfactor = 100)")
        cluster.sql(f"CREATE TABLE first{chain} AS SELECT min(id) AS id FROM p{chain} "
                    "GROUP BY (ctid::text::point)[0]")
    cluster.sql("VACUUM FREEZE")


def change(cluster):
    """One row of each page, so often."""
    for chain in CHAINS:
        for _ in range(chain):
            cluster.sql(f"UPDATE p{chain} SET v = v + 1 WHERE id IN (SELECT id FROM first{chain})")


def place(cluster, chain):
    return "1663/" + cluster.sql(
        f"SELECT d.oid || '/' || c.relfilenode FROM pg_class c, pg_database d "
        f"WHERE c.relname = 'p{chain}' AND d.datname = current_database()")
