"""g: timelines of many layers: what their number costs."""

import shutil

from driver import contest, machine

# Of one timeline: more keys, or more history of the same keys.
SHAPES = (("keys", []), ("history", ["--more-history"]))


def run(arguments, folder):
    sizes = [100, 1000] if arguments.small else [1000, 10_000, 100_000]
    lookups = 1000 if arguments.small else 100_000
    measured = {}
    for shape, words in SHAPES:
        for layers in sizes:
            measured[shape, layers] = [measure(arguments, folder, layers, lookups, words)
                                       for _ in range(arguments.runs)]
    print_lookups(measured)
    print_sizes(measured)


def measure(arguments, folder, layers, lookups, words):
    scratch = folder / "layers"
    scratch.mkdir()
    result = machine.bench(arguments, "layers", "--layers", layers, "--lookups", lookups,
                           "--scratch", scratch, *words)
    shutil.rmtree(scratch)
    return result


def growth(rows, columns):
    """Puts behind the figures in `columns` by how much each has grown since the row before it of
    the same shape."""
    before = {}
    for row in rows:
        shape, figures = row[0], [row[at] for at in columns]
        for at, figure, last in zip(columns, figures, before.get(shape, figures)):
            digits = ".0f" if figure >= 100 else ".3g"
            row[at] = f"{figure:{digits}}"
            if shape in before:
                row[at] += f" (× {figure / last:.1f})"
        before[shape] = figures
    return rows


def middle(runs, pick):
    return contest.median([pick(run) for run in runs])


def print_lookups(measured):
    rows = []
    for (shape, layers), runs in measured.items():
        rows.append([shape, layers, runs[0]["generations"], f"{runs[0]['newest']['layers']:.1f}",
                     middle(runs, lambda run: run["same_keys"]["us"]),
                     middle(runs, lambda run: run["newest"]["us"]),
                     f"{runs[0]['any_lsn']['layers']:.1f}",
                     middle(runs, lambda run: run["any_lsn"]["us"])])
    contest.print_table(
        "g: finding the layers of one key",
        ["more layers are more", "layers", "image layers above each other",
         "found at the newest LSN",
         "µs, the same hundred keys", "µs, any keys", "found at any LSN", "µs, any keys"],
        growth(rows, [4, 5, 7]))


def print_sizes(measured):
    rows = []
    for (shape, layers), runs in measured.items():
        def figure(*names, runs=runs):
            return sum(middle(runs, lambda run, name=name: run[name]) for name in names)
        rows.append([shape, layers,
                     1000 * figure("read_seconds", "map_seconds"), 1000 * figure("write_seconds"),
                     figure("manifest_memory", "map_memory") / 2**20,
                     figure("manifest_bytes") / 2**10, figure("manifest_bytes_stored") / 2**10,
                     figure("delta_bytes"), figure("delta_bytes_stored")])
    contest.print_table(
        "g: a timeline of many layers",
        ["more layers are more", "layers", "ms to open", "ms to write the metadata file",
         "MiB in memory", "KiB manifest", "KiB stored", "bytes of a difference of one layer",
         "stored"], growth(rows, range(2, 7)))
