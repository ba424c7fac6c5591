"""d: checkpoints that wait in the queue, against a storage that is slow to answer."""

import shutil

from driver import contest, machine

LATENCY_MS = 50


def run(arguments, folder):
    cases = [(1000, 100, 8), (1000, 1000, 8), (1000, 1000, 32)]
    if arguments.small:
        cases = [(20, 10, 8)]
    rows = []
    for checkpoints, timelines, concurrency in cases:
        results = []
        for _ in range(arguments.runs):
            scratch = folder / "work"
            scratch.mkdir()
            results.append(machine.bench(
                arguments, "checkpoints", "--checkpoints", checkpoints, "--timelines", timelines,
                "--concurrency", concurrency, "--latency-ms", LATENCY_MS, "--scratch", scratch))
            shutil.rmtree(scratch)
        seconds = contest.median([result["seconds"] for result in results])
        ideal = results[0]["ideal_seconds"]
        rows.append([checkpoints, timelines, concurrency, results[0]["requests"], f"{seconds:.2f}",
                     f"{ideal:.2f}", contest.ratio(seconds, ideal),
                     f"{1000 * contest.median([r['seconds_to_queue'] for r in results]):.1f}"])
    contest.print_table(
        f"d: queued checkpoints, {LATENCY_MS} ms a request",
        ["checkpoints", "timelines", "at once", "requests", "seconds", "ideal", "of the ideal",
         "ms to queue them"], rows)
