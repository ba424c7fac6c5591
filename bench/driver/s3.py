"""s3: many files, a whole cluster and a single object, on a real S3 server."""

import os
import shutil
import uuid
from dataclasses import dataclass

from driver import contest, files, machine
from driver.cluster import make_cluster
from driver.s3_peers import Peers, PgBackRest, installed
from support.radosgw import Radosgw
from support.remotes import S3Remote
from support.varve import Server, Varve

OBJECT_BYTES = 256 * 2**20
TRANSPORTS = {"plain": False, "TLS": True}


@dataclass
class Result:
    seconds: float
    requests: int
    stored: int  # bytes, under the prefix that was written to


class Bench:
    def __init__(self, arguments, folder, server):
        self.arguments = arguments
        self.folder = folder
        self.server = server
        self.peers = Peers(server, folder)
        self.varve = Varve(arguments.binary)

    def remote(self, tls):
        return S3Remote(self.server, tls=tls, prefix="bench-" + uuid.uuid4().hex)

    def measure(self, remote, action):
        """`action` gives what took so many seconds; the requests are those that the server saw."""
        before = len(self.server.requests())
        seconds = action()
        return Result(seconds, len(self.server.requests()) - before,
                      sum(remote.objects().values()))

    def varve_upload(self, layers, remote):
        # The upload notes in the directory what it has done.
        copy = self.folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(layers, copy)
        return machine.bench(self.arguments, "upload", copy, remote.url,
                             env=os.environ | remote.environment)["seconds"]

    def contest(self, title, contenders):
        """Contenders by name and transport; each is given a new remote and gives seconds."""
        def runner(contender, tls):
            def run():
                remote = self.remote(tls)
                result = self.measure(remote, lambda: contender(remote, tls))
                remote.remove()
                return result
            return run

        results = contest.alternate({key: runner(contender, TRANSPORTS[key[1]])
                                     for key, contender in contenders.items()},
                                    self.arguments.runs)
        self.print(title, results)

    @staticmethod
    def print(title, results):
        def seconds_of(key):
            return [result.seconds for result in results[key]]

        rows = []
        for name, transport in results:
            reference = next(key for key in results if key[1] == transport and "varve" in key[0])
            result = results[name, transport][0]
            seconds = seconds_of((name, transport))
            rows.append([name, transport, contest.spread(seconds),
                         contest.ratio(contest.median(seconds),
                                       contest.median(seconds_of(reference))),
                         result.requests, contest.mib(result.stored)])
        contest.print_table(title, ["contender", "transport", "seconds", "varve is faster by",
                                    "requests", "MiB stored"], rows)


def many_files(bench):
    small = bench.arguments.small
    layers = bench.folder / "layers"
    files.make_layers(layers, 20 if small else files.FILES,
                      files.BYTES // 40 if small else files.BYTES)
    machine.warm(layers)
    contenders = {}
    for transport in TRANSPORTS:
        contenders["varve", transport] = lambda remote, tls: bench.varve_upload(layers, remote)
        if installed("rclone"):
            contenders["rclone, 8 transfers", transport] = (
                lambda remote, tls: bench.peers.rclone_copy(layers, remote.prefix, tls=tls).seconds)
        if installed("aws"):
            contenders["aws s3 sync", transport] = (
                lambda remote, tls: bench.peers.aws_sync(layers, remote.prefix, tls=tls).seconds)
    count, size = machine.tree_size(layers)
    bench.contest(f"s3: {count} files, {contest.mib(size)} MiB, to S3", contenders)


def whole_cluster(bench):
    pgdata = make_cluster(bench.folder, 1 if bench.arguments.small else 30)
    machine.warm(pgdata)
    size = machine.tree_size(pgdata)[1] - machine.tree_size(pgdata / "pg_wal")[1]
    kept = {}

    def varve_import(transport):
        def run():
            remote = bench.remote(TRANSPORTS[transport])
            folder = bench.folder / f"import-{transport}"
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            server = Server.init(bench.varve, folder, remote)
            server.create_tenant("acme")
            kept[transport] = server
            environment = os.environ | server.varve.environment
            return bench.measure(remote, lambda: machine.timed(
                bench.arguments.binary, "timeline", "import", "acme", "--name", "main", "--pgdata",
                pgdata, "--workdir", server.workdir, "--log-level", "error",
                env=environment).seconds)
        return run

    targets = iter(range(1000))

    def new_target():
        return bench.folder / f"restored-{next(targets)}"

    def varve_restore(transport):
        server = kept[transport]
        return lambda: bench.measure(server.storage, lambda: machine.timed(
            bench.arguments.binary, "restore", "acme/main", "--remote", server.remote, "--to",
            new_target(), "--log-level", "error",
            env=os.environ | server.varve.environment).seconds)

    backups = {("varve timeline import", name): varve_import(name) for name in TRANSPORTS}
    pgbackrest = None
    if installed("pgbackrest"):
        remote = bench.remote(True)
        pgbackrest = PgBackRest(bench.server, bench.folder, pgdata, remote.prefix)
        backups["pgBackRest, zst, 2 processes, bundled", "TLS"] = (
            lambda: one_more(bench, remote, lambda: pgbackrest.back_up().seconds))
    bench.print(f"s3: backup of a cluster of {contest.mib(size)} MiB to S3",
                contest.alternate(backups, bench.arguments.runs))
    restores = {("varve restore --remote", name): varve_restore(name) for name in TRANSPORTS}
    if pgbackrest is not None:
        restores["pgBackRest, 2 processes", "TLS"] = (
            lambda: bench.measure(remote, lambda: pgbackrest.restore(new_target()).seconds))
    bench.print(f"s3: restore of a cluster of {contest.mib(size)} MiB from S3",
                contest.alternate(restores, bench.arguments.runs))


def one_more(bench, remote, action):
    """Where earlier runs have left something: what this one has added."""
    before = sum(remote.objects().values())
    result = bench.measure(remote, action)
    return Result(result.seconds, result.requests, result.stored - before)


# What curl does by itself: it neither signs the body nor sends a checksum of it.
UNCHECKED = {"VARVE_S3_CHECKSUM": "none", "VARVE_S3_SIGN_PAYLOAD": "false"}


def single_object(bench):
    """Through the storage client alone: no layer is compressed or hashed."""
    size = 4 * 2**20 if bench.arguments.small else OBJECT_BYTES
    source, target = bench.folder / "object", bench.folder / "downloaded"
    source.write_bytes(os.urandom(size))

    def varve(remote, *words, settings=None):
        return machine.bench(bench.arguments, *words,
                             env=os.environ | remote.environment | (settings or {}))["seconds"]

    def put(remote, settings=None):
        return varve(remote, "put", source, remote.url, "object", settings=settings)

    def curl(remote, tls, *options):
        return bench.peers.curl(*options, key=f"{remote.prefix}/object", tls=tls).seconds

    puts, gets = {}, {}
    for transport, tls in TRANSPORTS.items():
        stored = bench.remote(tls)
        put(stored)
        puts["varve", transport] = lambda remote, tls: put(remote)
        puts["varve, no checksums", transport] = lambda remote, tls: put(remote, UNCHECKED)
        gets["varve", transport] = lambda stored=stored: bench.measure(
            stored, lambda: varve(stored, "get", stored.url, "object", target))
        if installed("curl"):
            puts["curl, no checksums", transport] = (
                lambda remote, tls: curl(remote, tls, "-T", source))
            puts["curl, after openssl dgst", transport] = (
                lambda remote, tls: bench.peers.checked_curl(source, key=f"{remote.prefix}/object",
                                                             tls=tls))
            gets["curl", transport] = lambda stored=stored, tls=tls: bench.measure(
                stored, lambda: curl(stored, tls, "-o", target))
    bench.contest(f"s3: one object of {contest.mib(size)} MiB to S3", puts)
    bench.print(f"s3: one object of {contest.mib(size)} MiB from S3",
                contest.alternate(gets, bench.arguments.runs))
    assert target.read_bytes() == source.read_bytes()


def run(arguments, folder):
    missing = [name for name in ("rclone", "aws", "pgbackrest", "curl") if not installed(name)]
    if missing:
        print(f"not installed and left out: {', '.join(missing)}\n")
    server = Radosgw.start(folder / "s3", store="bluestore")
    try:
        bench = Bench(arguments, folder, server)
        many_files(bench)
        whole_cluster(bench)
        single_object(bench)
    finally:
        server.kill()
