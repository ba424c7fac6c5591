"""Where a command spends its processor time, by perf."""

import subprocess

from driver import contest, machine

SYMBOLS = 20


def _report(data, keys):
    text = subprocess.run(
        ["perf", "report", "-q", "-i", data, "--stdio", "--no-children", "--sort", keys,
         "--field-separator", "\t"],
        check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    columns = 1 + len(keys.split(","))
    return [[part.strip() for part in line.split("\t")][:columns] for line in text.splitlines()
            if line.strip() and not line.startswith("#")]


def print_profile(title, arguments, folder, command):
    if not machine.has("perf"):
        print("perf is not installed: no profile\n")
        return
    data = folder / "perf.data"
    subprocess.run(["perf", "record", "-q", "-F", "499", "-o", data, arguments.binary, *command],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    contest.print_table(title, ["share", "thread", "library"], _report(data, "comm,dso")[:12])
    # Libraries without symbols have addresses alone, which say nothing.
    named = [row for row in _report(data, "comm,symbol") if "0x0000" not in row[2]]
    contest.print_table(f"{title}, by function where it has a name",
                        ["share", "thread", "function"],
                        [[share, thread, f"`{symbol[:90]}`"]
                         for share, thread, symbol in named[:SYMBOLS]])
