"""Contenders that take turns, and the table of their medians."""

import statistics


def alternate(contenders, runs):
    """Calls each of the named functions in turn, `runs` times over; gives the results by name."""
    results = {name: [] for name in contenders}
    for _ in range(runs):
        for name, contender in contenders.items():
            results[name].append(contender())
    return results


def median(values):
    return statistics.median(values)


def spread(values):
    """A median and the range around it."""
    if len(values) == 1:
        return f"{values[0]:.2f}"
    return f"{median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def ratio(value, reference):
    return f"{value / reference:.2f}"


def mib(size):
    return f"{size / 2**20:.1f}"


def print_table(title, columns, rows):
    print(f"### {title}\n")
    print("| " + " | ".join(columns) + " |")
    print("|" + "---|" * len(columns))
    for row in rows:
        print("| " + " | ".join(map(str, row)) + " |")
    print(flush=True)
