"""c: opening a work directory when there are many timelines."""

from driver import contest, machine


def measure(arguments, folder, timelines, kind, number):
    scratch = folder / f"{kind}-{timelines}-{number}"
    scratch.mkdir()
    remote = []
    if kind == "file":
        storage = scratch / "remote"
        storage.mkdir()
        remote = ["--remote", f"file://{storage}"]
    work = scratch / "work"
    work.mkdir()
    return machine.bench(arguments, "startup", "--timelines", timelines, "--scratch", work,
                         *(["--tenants", "10"] if arguments.small else []), *remote)


def run(arguments, folder):
    sizes = [10, 30] if arguments.small else [1000, 3000, 10_000]
    rows = []
    smallest = {}
    for kind in ("memory", "file"):
        for timelines in sizes:
            results = [measure(arguments, folder, timelines, kind, number)
                       for number in range(arguments.runs)]
            for what in ("everything_local", "nothing_local"):
                seconds = contest.median([result[what]["seconds"] for result in results])
                each = seconds / timelines * 1e6
                first = smallest.setdefault((kind, what), each)
                requests = results[0][what]["requests"]
                rows.append([kind, what.replace("_", " "), timelines, results[0]["objects"],
                             f"{seconds:.3f}", f"{each:.0f}", contest.ratio(each, first),
                             requests["list"], requests["get"], requests["put"]])
    rows.sort(key=lambda row: (row[0], row[1], row[2]))
    contest.print_table(
        "c: start-up, three archives a timeline",
        ["storage", "work directory", "timelines", "objects", "seconds", "µs a timeline",
         "against the smallest", "LIST", "GET", "PUT"], rows)
