"""The story that scripts/demo tells, told by doing it."""

import argparse
import hashlib
import shlex
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from support import postgres, trees
from support.postgres import Cluster
from support.radosgw import Radosgw, RadosgwError
from support.remotes import FileRemote, S3Remote
from support.varve import Varve, VarveError


class Story:
    """Says what happens and keeps how long it took."""

    def __init__(self, varve):
        self.varve = varve
        self.times = []
        self._number = 0

    def step(self, title, action):
        self._number += 1
        print(f"\n{self._number}. {title}", flush=True)
        started = time.monotonic()
        result = action()
        seconds = time.monotonic() - started
        self.times.append((title, seconds))
        print(f"   done in {seconds:.1f} s", flush=True)
        return result

    def run(self, *arguments):
        """A command of varve, shown as a user would type it; gives its JSON document."""
        command(*arguments)
        return self.varve.json(*arguments)


def command(*arguments):
    say("$ varve " + shlex.join(map(str, arguments)))


def say(text):
    print("   " + text, flush=True)


def megabytes(size):
    return f"{size / 1e6:,.1f} MB"


def size_of(folder):
    return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def in_words(requests):
    return ", ".join(f"{count} {kind.upper()}" for kind, count in requests.items() if count)


def fill(cluster, scale):
    with cluster.running():
        cluster.pgbench("-i", "-q", "-s", scale)
        cluster.pgbench("-n", "-c", "4", "-t", "1000")
        cluster.sql("CREATE TABLE letters AS SELECT i AS id, repeat(md5(i::text), 500) AS body "
                    "FROM generate_series(1, 500) i")
        accounts = cluster.sql("SELECT count(*) FROM pgbench_accounts")
        dump = digest(cluster.dump())
    say(f"PostgreSQL 15 with {int(accounts):,} bank accounts after 4,000 transfers, "
        f"{megabytes(size_of(cluster.pgdata))}, cleanly stopped.")
    return dump


def compare(pgdata, dump, forks):
    same_files = trees.main_forks(pgdata) == forks
    cluster = Cluster(pgdata)
    with cluster.running():
        say(f"PostgreSQL started on it; the server is ready after: "
            f"{'crash recovery' if 'redo starts' in cluster.log_text() else 'no recovery at all'}.")
        same_dump = digest(cluster.dump()) == dump
        cluster.amcheck()
        cluster.pgbench("-n", "-c", "4", "-t", "250")
    say(f"{len(forks):,} relation files: {'equal to the byte' if same_files else 'THEY DIFFER'}.")
    say(f"pg_dumpall: {'the same text as before' if same_dump else 'IT DIFFERS'}.")
    say("pg_amcheck, every index against its table: clean.")
    say("1,000 more transfers went through.")
    return same_files and same_dump


def start_s3(folder):
    server = Radosgw.start(folder / "s3")
    say(f"It answers at {server.endpoint(tls=True)}; its certificate is trusted by AWS_CA_BUNDLE, and "
        "its keys are in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.")
    return server


def tell(folder, varve, scale, remote):
    story = Story(varve.with_environment(remote.environment))
    source, work, restored = folder / "source", folder / "work", folder / "restored"
    cluster = Cluster.create(source)
    dump = story.step(f"A cluster is made and filled by pgbench at scale {scale}.",
                      lambda: fill(cluster, scale))
    forks = trees.main_forks(source)

    def prepare():
        initialise = ["init", "--workdir", work, "--remote", remote.url]
        command(*initialise)
        story.varve.succeed(*initialise)
        story.run("tenant", "create", "--name", "acme", "--workdir", work)

    story.step("Varve gets a work directory, a remote storage, and a tenant.", prepare)

    def import_cluster():
        timeline = story.run("timeline", "import", "acme", "--name", "main", "--pgdata", source,
                             "--workdir", work)
        say(f"All of it up to LSN {timeline['remote_consistent_lsn']} is in the remote storage: "
            f"{megabytes(sum(remote.objects().values()))} in {len(remote.objects())} objects.")

    story.step("The cluster is imported; the command returns when everything is remote.",
               import_cluster)
    status = story.run("status", "--workdir", work)

    def lose():
        shutil.rmtree(source)
        shutil.rmtree(work)
        say(f"What is left: {remote.url}")

    story.step("Disaster: the cluster and the work directory are deleted.", lose)

    def restore():
        return story.run("restore", "acme/main", "--remote", remote.url, "--to", restored)

    report = story.step("The cluster is restored from the remote storage alone.", restore)
    good = story.step("What came back is compared with what was lost.",
                      lambda: compare(restored, dump, forks))

    print("\nIn short")
    for title, seconds in story.times:
        print(f"   {seconds:6.1f} s  {title}")
    print(f"   Requests to store it: {in_words(status['requests'])}. On S3 they would cost "
          f"${status['cost_usd']:.6f}.")
    print(f"   Requests to restore it: {in_words(report['requests'])}.")
    print(f"   {'All is back, to the byte.' if good else 'THE RESTORED CLUSTER DIFFERS.'}")
    return good


def main():
    parser = argparse.ArgumentParser(prog="scripts/demo")
    parser.add_argument("binary")
    parser.add_argument("--scale", type=int, default=10)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--s3", action="store_true")
    options = parser.parse_args()

    # A termination ends the servers and removes the folder, just as an error does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    folder = Path(tempfile.mkdtemp(prefix="varve-demo-"))
    folder.chmod(0o755)
    server = None
    try:
        if options.s3:
            print("\n0. An S3 server is started on loopback: Ceph's radosgw.", flush=True)
            server = start_s3(folder)
        remote = S3Remote(server, tls=True, prefix="demo") if server else FileRemote(folder / "remote")
        good = tell(folder, Varve(options.binary), options.scale, remote)
    except (VarveError, postgres.PostgresError, RadosgwError) as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr)
        good = False
    finally:
        if server is not None:
            server.stop()
            print("   The S3 server is stopped.")
        if options.keep:
            print(f"   The folder of the demo is left: {folder}")
        else:
            shutil.rmtree(folder)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
