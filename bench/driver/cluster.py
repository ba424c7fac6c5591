"""b: a whole cluster, there and back."""

import shutil

from driver import contest, machine, profile
from support.postgres import Cluster
from support.varve import Server, Varve


def make_cluster(folder, scale):
    cluster = Cluster.create(folder / "source" / "data")
    with cluster.running():
        cluster.pgbench("-i", "-q", "-s", scale)
    machine.sync_tree(cluster.pgdata)
    return cluster.pgdata


class Benchmark:
    def __init__(self, arguments, folder):
        self.arguments = arguments
        self.folder = folder
        self.pgdata = make_cluster(folder, arguments.scale)
        self.archive = folder / "cluster.tar.zst"
        self.restored = None
        self.restores = 0
        self.server = None
        # WAL is no part of a backup of a stopped cluster: no contender is given it.
        self.size = (machine.tree_size(self.pgdata)[1]
                     - machine.tree_size(self.pgdata / "pg_wal")[1])

    def varve(self, *words):
        return machine.timed(self.arguments.binary, *words, "--log-level", "error")

    def new_server(self):
        if self.server is not None:
            shutil.rmtree(self.server.workdir)
            shutil.rmtree(self.server.remote_folder)
        self.server = Server.init(Varve(self.arguments.binary), self.folder)
        self.server.create_tenant("acme")

    def import_command(self):
        return ["timeline", "import", "acme", "--name", "main", "--pgdata", self.pgdata,
                "--workdir", self.server.workdir]

    def restore_command(self, local):
        where = (["--workdir", self.server.workdir] if local
                 else ["--remote", self.server.remote])
        return ["restore", "acme/main", *where, "--to", self.restored]

    def back_up(self):
        self.new_server()
        return self.varve(*self.import_command())

    def pack(self):
        self.archive.unlink(missing_ok=True)
        command = f"tar -C '{self.pgdata}' --exclude='./pg_wal/*' -cf - . | zstd -q -3 -T2 -o '{self.archive}'"
        return machine.timed("bash", "-o", "pipefail", "-c", command, then=self.sync_archive)

    def sync_archive(self):
        machine.sync_path(self.archive)
        machine.sync_path(self.folder)

    def new_target(self):
        """A new folder each time: ext4 slows down creation for a while after a removal."""
        self.restores += 1
        self.restored = self.folder / f"restored-{self.restores}"

    def restore(self, local):
        self.new_target()
        return self.varve(*self.restore_command(local))

    def unpack(self):
        self.new_target()
        self.restored.mkdir()
        command = f"zstd -q -dc '{self.archive}' | tar -C '{self.restored}' -xf -"
        return machine.timed("bash", "-o", "pipefail", "-c", command,
                             then=lambda: machine.sync_tree(self.restored))

    def print_results(self, title, results, stored):
        reference = contest.median([run.seconds for run in results["tar and zstd"]])
        rows = []
        for name, runs in results.items():
            seconds = [run.seconds for run in runs]
            rows.append([
                name, contest.spread(seconds),
                f"{self.size / 2**20 / contest.median(seconds):.0f}",
                f"{100 * reference / contest.median(seconds):.0f} %",
                contest.mib(max(run.peak_memory for run in runs)) if "varve" in name else "",
                contest.mib(stored[name]) if name in stored else ""])
        contest.print_table(title, ["contender", "seconds", "MiB/s", "speed of tar and zstd",
                                    "peak MiB", "MiB stored"], rows)


def run(arguments, folder):
    benchmark = Benchmark(arguments, folder)
    machine.warm(benchmark.pgdata)
    backups = contest.alternate({"varve timeline import": benchmark.back_up,
                                 "tar and zstd": benchmark.pack}, arguments.runs)
    stored = {"varve timeline import": machine.tree_size(benchmark.server.remote_folder)[1],
              "tar and zstd": benchmark.archive.stat().st_size}
    size = contest.mib(benchmark.size)
    benchmark.print_results(f"b: backup of a cluster of {size} MiB", backups, stored)

    restores = contest.alternate({"varve restore --remote": lambda: benchmark.restore(False),
                                  "varve restore --workdir": lambda: benchmark.restore(True),
                                  "tar and zstd": benchmark.unpack}, arguments.runs)
    benchmark.print_results(f"b: restore of a cluster of {size} MiB", restores, {})
    if arguments.profile:
        benchmark.new_server()
        profile.print_profile("b: where the import spends its time", arguments, folder,
                              benchmark.import_command())
        benchmark.new_target()
        profile.print_profile("b: where the restore spends its time", arguments, folder,
                              benchmark.restore_command(False))
