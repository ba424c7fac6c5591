"""f: reading versions from memory and from layer files, compacting them and giving them up, against
RocksDB's own benchmark of random reads."""

import os
import re
import shutil
import subprocess

from driver import contest, machine

KEYS = 20_000
# Of each of the four chain lengths, and therefore all.
GETS = KEYS // 4
IMAGE_BYTES = 8192
KEY_BYTES = 18


def run(arguments, folder):
    keys, gets = (200, 20) if arguments.small else (KEYS, GETS)
    layer_size = (256 << 10) if arguments.small else (8 << 20)
    contenders = {"varve": lambda: varve(arguments, folder, keys, gets, layer_size)}
    if machine.has("db_bench"):
        contenders["RocksDB"] = lambda: db_bench(folder, keys, gets)
    else:
        print("not installed and left out: db_bench\n")
    results = contest.alternate(contenders, arguments.runs)
    ours = results["varve"]
    print_reads(ours, results.get("RocksDB", []))
    print_scans(ours)
    print_rewriting(ours)
    print_amplification(ours)


def middle(runs, pick):
    return contest.median([pick(run) for run in runs])


def print_reads(ours, theirs):
    rows = []
    for number, read in enumerate(ours[0]["reads"]):
        def figure(name, number=number):
            return middle(ours, lambda run: run["reads"][number][name])
        reference = ""
        if theirs and read["chain"] == "0":
            rate = middle(theirs, lambda run, state=read["state"]: run[state]["per_second"])
            reference = f"{100 * figure('per_second') / rate:.0f} %"
        rows.append([read["source"], read["state"], read["chain"], f"{figure('median_us'):.1f}",
                     f"{figure('p99_us'):.1f}", f"{figure('per_second'):.0f}", reference])
    for state in ("cold", "hot") if theirs else ():
        def theirs_of(name, state=state):
            return middle(theirs, lambda run: run[state][name])
        rows.append(["RocksDB", state, "0", f"{theirs_of('median_us'):.1f}",
                     f"{theirs_of('p99_us'):.1f}", f"{theirs_of('per_second'):.0f}", "100 %"])
    contest.print_table("f: one page at a time, one thread",
                        ["from", "page cache", "records above the image", "median µs", "p99 µs",
                         "gets a second", "speed of RocksDB"], rows)


def print_scans(ours):
    rows = []
    for number, scan in enumerate(ours[0]["scans"]):
        rate = middle(ours, lambda run, number=number: run["scans"][number]["bytes"]
                      / run["scans"][number]["seconds"])
        rows.append([scan["source"], scan["state"], f"{rate / 2**20:.0f}"])
    contest.print_table("f: scans of all pages", ["from", "page cache", "MiB/s of images"], rows)


def print_rewriting(ours):
    rows = []
    for name, size in (("flush", "bytes"), ("merge", "bytes_read"), ("make_images", "bytes_read")):
        seconds = middle(ours, lambda run, name=name: run[name]["seconds"])
        total = ours[0][name][size]
        rows.append([name.replace("_", " "), f"{contest.mib(total)} MiB", f"{seconds:.2f}",
                     f"{total / seconds / 2**20:.0f} MiB/s"])
    seconds = middle(ours, lambda run: run["garbage"]["seconds"])
    garbage = ours[0]["garbage"]
    rows.append(["collect garbage", f"{garbage['layers']} of {garbage['of']} layers",
                 f"{seconds:.4f}", f"{garbage['layers'] / seconds:.0f} layers/s"])
    contest.print_table("f: rewriting layers, synced",
                        ["", "from", "seconds", "throughput"], rows)


def print_amplification(ours):
    write, space = ours[0]["write_amplification"], ours[0]["space_amplification"]
    contest.print_table(
        "f: amplification", ["", "times"],
        [["written per byte ingested: flush", f"{write['flush']:.2f}"],
         ["with the merge", f"{write['merge']:.2f}"],
         ["with the images of all keys too", f"{write['images']:.2f}"],
         ["on disk per byte that is live: with all history", f"{space['compacted']:.2f}"],
         ["after garbage collection", f"{space['collected']:.2f}"]])


def varve(arguments, folder, keys, gets, layer_size):
    scratch = folder / "reads"
    scratch.mkdir()
    result = machine.bench(arguments, "reads", "--keys", keys, "--gets", gets, "--layer-size",
                           layer_size, "--scratch", scratch)
    shutil.rmtree(scratch)
    return result


def db_bench(folder, keys, gets):
    """Without a cache of blocks, as layer files are read, and with their filter."""
    database = folder / "rocksdb"

    def measure(*words, benchmarks, existing=True):
        command = ["db_bench", f"--benchmarks={benchmarks}", f"--num={keys}",
                   f"--value_size={IMAGE_BYTES}", f"--key_size={KEY_BYTES}", "--disable_wal=1",
                   "--compression_type=none", "--cache_size=0", "--bloom_bits=10", "--histogram",
                   f"--use_existing_db={int(existing)}", f"--db={database}", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    measure(benchmarks="fillseq,flush,compact", existing=False)
    machine.sync_tree(database)
    results = {}
    drop_from_page_cache(database)
    results["cold"] = parse(measure(f"--reads={gets}", benchmarks="readrandom"))
    machine.warm(database)
    results["hot"] = parse(measure(f"--reads={10 * gets}", benchmarks="readrandom,readrandom"))
    shutil.rmtree(database)
    return results


def drop_from_page_cache(folder):
    for path, _, names in os.walk(folder):
        for name in names:
            descriptor = os.open(os.path.join(path, name), os.O_RDONLY)
            try:
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)


def parse(output):
    """Of the last benchmark that it ran."""
    def last(pattern):
        return float(re.findall(pattern, output)[-1])
    return {"per_second": last(r"readrandom\s*:.* (\d+) ops/sec"),
            "median_us": last(r"P50: ([\d.]+)"), "p99_us": last(r"P99: ([\d.]+)")}
