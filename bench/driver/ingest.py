"""e: versions that stream into a timeline, against RocksDB's own benchmark on the same bytes."""

import shutil

from driver import contest, machine

# Of values, bytes, and how many; images are whole pages, records what a change of one takes.
RECORDS = (100, 5_000_000)
IMAGES = (8192, 60_000)
KEY_BYTES = 18


def run(arguments, folder):
    with_peer = machine.has("db_bench")
    if not with_peer:
        print("not installed and left out: db_bench\n")
    rows = []
    for size, count in (RECORDS, IMAGES):
        if arguments.small:
            count //= 1000
        for order in ("sequential", "random"):
            contenders = {"varve": lambda: varve(arguments, folder, size, count, order)}
            if with_peer:
                contenders["RocksDB"] = lambda: db_bench(folder, size, count, order)
            results = contest.alternate(contenders, arguments.runs)
            rows += table_rows(results, size, count, order)
    contest.print_table("e: ingest, until everything is on the disk",
                        ["values", "keys", "contender", "seconds", "MiB/s", "speed of RocksDB",
                         "bytes on disk per byte"], rows)


def table_rows(results, size, count, order):
    total = count * (size + KEY_BYTES)
    reference = contest.median([seconds for seconds, _ in results.get("RocksDB", results["varve"])])
    for name, runs in results.items():
        seconds = [run[0] for run in runs]
        yield [f"{count} of {size} B", order, name, contest.spread(seconds),
               f"{total / 2**20 / contest.median(seconds):.0f}",
               f"{100 * reference / contest.median(seconds):.0f} %",
               f"{runs[0][1] / total:.2f}"]


def varve(arguments, folder, size, count, order):
    scratch = folder / "ingest"
    scratch.mkdir()
    words = ["ingest", "--count", count, "--value-size", size, "--scratch", scratch]
    words += ["--random-keys"] if order == "random" else []
    words += ["--images"] if size == IMAGES[0] else []
    result = machine.bench(arguments, *words)
    shutil.rmtree(scratch)
    return result["seconds_to_disk"], result["bytes_on_disk"]


def db_bench(folder, size, count, order):
    """Without its log, since Varve has none either, and with what it wrote synced at the end."""
    database = folder / "rocksdb"
    seconds = machine.timed(
        "db_bench", f"--benchmarks={'fillseq' if order == 'sequential' else 'fillrandom'},flush",
        f"--num={count}", f"--value_size={size}", f"--key_size={KEY_BYTES}", "--disable_wal=1",
        "--compression_type=none", f"--db={database}",
        then=lambda: machine.sync_tree(database)).seconds
    stored = machine.tree_size(database)[1]
    shutil.rmtree(database)
    return seconds, stored
