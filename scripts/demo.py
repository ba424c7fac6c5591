"""The story that scripts/demo tells, told by doing it."""

import argparse
import contextlib
import hashlib
import shlex
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from demo_primary import (ACCOUNTS_OF_A_BRANCH, SETTINGS, TIME_IN_UTC, Ledger, Transfers, parse_lsn,
                          strike)
from support import daemon, postgres
from support.postgres import Cluster
from support.radosgw import Radosgw, RadosgwError
from support.remotes import FileRemote, S3Remote
from support.varve import Server, Varve, VarveError

# What arrives is remote this many seconds later; the default of `varve serve` is 10.
RPO = 3
WATCHED = 15
LOOK_EVERY = 3
# Of `varve wait`: far more than it takes.
PATIENCE = 120


class Story:
    """Says what happens, and keeps how long it took and whether it was as it should be."""

    def __init__(self, varve):
        self.varve = varve
        self.times = []
        self.all_holds = True
        self._number = 0

    @contextlib.contextmanager
    def step(self, title):
        self._number += 1
        print(f"\n{self._number}. {title}", flush=True)
        started = time.monotonic()
        yield
        seconds = time.monotonic() - started
        self.times.append((title, seconds))
        print(f"   done in {seconds:.1f} s", flush=True)

    def run(self, *arguments):
        """A command of varve, shown as a user would type it; gives its JSON document."""
        say("$ varve " + shlex.join(map(str, arguments)))
        return self.ask(*arguments)

    def ask(self, *arguments):
        """The same, without a word."""
        process = self.varve.start(*arguments, "--json")
        try:
            outcome = process.wait()
        except BaseException:
            process.kill()
            process.wait()
            raise
        if outcome.code != 0:
            raise VarveError(str(outcome))
        return outcome.document()

    def check(self, holds, what):
        say(f"{'right' if holds else 'WRONG'}: {what}")
        self.all_holds = self.all_holds and holds


def say(text):
    print("   " + text, flush=True)


def megabytes(size):
    return f"{size / 1e6:,.1f} MB"


def size_of(folder):
    return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())


def in_words(requests):
    return ", ".join(f"{count} {kind.upper()}" for kind, count in requests.items() if count)


class Contents(NamedTuple):
    """What a server has of the money, the accounts, and the ledger."""

    accounts: int
    transfers: int
    sums: tuple  # by account, branch and teller, and of the history
    entries: int
    last_entry: int


def look(cluster):
    numbers = [int(number) for number in cluster.sql("""
        SELECT accounts.*, branches.*, tellers.*, history.*, entries.* FROM
          (SELECT count(*), sum(abalance) FROM pgbench_accounts) accounts,
          (SELECT sum(bbalance) FROM pgbench_branches) branches,
          (SELECT sum(tbalance) FROM pgbench_tellers) tellers,
          (SELECT count(*), coalesce(sum(delta), 0) FROM pgbench_history) history,
          (SELECT count(*), coalesce(max(number), 0) FROM ledger) entries""").split("|")]
    accounts, by_account, by_branch, by_teller, transfers, moved, entries, last_entry = numbers
    return Contents(accounts, transfers, (by_account, by_branch, by_teller, moved), entries,
                    last_entry)


def examine(story, cluster, *, accounts, entries, besides):
    """Starts a restored cluster, holds it to what is known, and gives what `besides` does with it."""
    at_least, at_most = entries
    with cluster.running():
        story.check("redo starts" not in cluster.log_text(),
                    "PostgreSQL started on it without recovery.")
        found = look(cluster)
        story.check(found.accounts == accounts, f"{found.accounts:,} accounts of {accounts:,}.")
        story.check(found.transfers > 0 and len(set(found.sums)) == 1,
                    f"after {found.transfers:,} transfers, the sums of accounts, branches, tellers "
                    f"and history are the same: {', '.join(f'{total:,}' for total in found.sums)}.")
        expected = str(at_least) if at_least == at_most else f"{at_least} to {at_most}"
        story.check(found.entries == found.last_entry and at_least <= found.entries <= at_most,
                    f"the ledger has the {found.entries} entries that had committed by then "
                    f"({expected}), without a gap.")
        return besides(cluster)


def check_pages(cluster):
    cluster.amcheck()
    say("right: pg_amcheck compared every index with its table, and found nothing.")


def digest_of_dump(cluster):
    return hashlib.sha256(cluster.dump().encode()).hexdigest()


def digest_and_work(cluster):
    digest = digest_of_dump(cluster)
    cluster.pgbench("-n", "-c", "4", "-t", "250")
    say("1,000 more transfers went through.")
    return digest


class Demo:
    """The things of the story; whatever runs is ended by the stack."""

    def __init__(self, folder, varve, scale, remote, stack):
        self.story = Story(varve.with_environment(remote.environment))
        self.folder = folder
        self.scale = scale
        self.remote = remote
        self.stack = stack
        self.work = folder / "work"
        self.cluster = Cluster.create(folder / "primary", settings=SETTINGS)
        self.stack.callback(self.cluster.kill)
        self.server = Server(varve, self.work, remote)

    def all_accounts(self):
        return self.scale * ACCOUNTS_OF_A_BRANCH

    def fill(self):
        self.cluster.start()
        self.cluster.pgbench("-i", "-q", "-s", self.scale)
        self.cluster.sql("CREATE ROLE varve LOGIN REPLICATION")
        say(f"An ordinary PostgreSQL 15 with {self.all_accounts():,} bank accounts, "
            f"{megabytes(size_of(self.cluster.pgdata))}; and a role that may replicate.")

    def work_begins(self):
        self.transfers = Transfers(self.cluster, self.scale)
        self.stack.callback(self.transfers.close)
        self.ledger = Ledger(self.cluster)
        self.stack.callback(self.ledger.close)
        say("pgbench moves money all the time, with 4 clients. A fifth one keeps a ledger: a row every "
            "0.1 s, and")
        say("with each, after its commit, the LSN and the time of the primary. The ledger tells "
            "later what must be there.")

    def start_varve(self):
        say("$ varve init ... and varve serve ...")
        self.server.succeed("init", "--remote", self.remote.url)
        self.daemon = self.stack.enter_context(
            daemon.starting(self.server, "--rpo", str(RPO), "--log-level", "warning"))
        self.story.run("tenant", "create", "--name", "acme", "--workdir", self.work)

    def protect(self):
        before = look(self.cluster).transfers
        primary = f"host={self.cluster.socket_folder} port={self.cluster.port} user=varve"
        timeline = self.story.run("protect", "acme", "--name", "main", "--primary", primary,
                                  "--workdir", self.work)
        say(f"The base backup is in the remote storage: {megabytes(self.stored())} in "
            f"{len(self.remote.objects())} objects.")
        remote, oldest = timeline["remote_consistent_lsn"], timeline["oldest_lsn"]
        self.story.check(parse_lsn(oldest) <= parse_lsn(remote),
                         f"from LSN {oldest} on it can be restored, and up to {remote} already.")
        say(f"The primary was not stopped: {look(self.cluster).transfers - before:,} transfers "
            "went on meanwhile.")

    def stored(self):
        return sum(self.remote.objects().values())

    def status(self):
        self.last_status = self.story.ask("status", "acme/main", "--workdir", self.work)
        timeline, = self.last_status["timelines"]
        self.reported = timeline["remote_consistent_lsn"]
        return timeline

    def watch(self, seconds):
        """A line every few seconds; gives the most that would have been lost at any of them."""
        end = time.monotonic() + seconds
        worst = 0.0
        while time.monotonic() < end:
            time.sleep(LOOK_EVERY)
            timeline = self.status()
            primary = timeline["primary"]
            exposed = self.ledger.seconds_beyond(parse_lsn(self.reported))
            worst = max(worst, exposed)
            say(f"{primary['state']}: {look(self.cluster).transfers:8,} transfers; "
                f"{primary['lag_bytes'] / 1e6:5.1f} MB of WAL behind; remote up to "
                f"{self.reported:>10}; lost if all burned now: the last {exposed:.1f} s")
        return worst

    def accident(self):
        self.before_accident = self.cluster.sql(f"SELECT {TIME_IN_UTC}")
        time.sleep(1)
        statement = f"DELETE FROM pgbench_accounts WHERE bid = {self.scale}"
        self.cluster.sql(statement)
        accident = self.cluster.sql("SELECT pg_current_wal_insert_lsn()")
        say(f"At {self.before_accident} all was well. A second later: {statement}")
        say(f"{self.all_accounts() - look(self.cluster).accounts:,} accounts are gone, for good.")
        self.story.run("wait", "acme/main", "--lsn", accident, "--for", "remote", "--timeout",
                       PATIENCE, "--workdir", self.work)
        say("So much for a copy that only follows: the accident is in the remote storage, too.")

    def disaster(self):
        self.status()
        objects = self.remote.objects()
        strike(self.cluster)
        self.daemon.process.kill()
        self.daemon.process.wait()
        lost = self.ledger.seconds_beyond(parse_lsn(self.reported))
        self.ledger.close()
        self.transfers.close()
        shutil.rmtree(self.cluster.pgdata)
        shutil.rmtree(self.work)
        say("SIGKILL for every process of the primary and for varve serve; then the data directory "
            "and the work directory are deleted.")
        say(f"What is left: {self.remote.url}")
        say(f"{megabytes(sum(objects.values()))} in {len(objects)} objects. Up to {self.reported} "
            "Varve had reported it as remote; of what")
        say(f"the primary had acknowledged, the last {lost:.1f} s lie beyond that.")
        return lost

    def restore(self, name, *point):
        folder = self.folder / name
        report = self.story.run("restore", "acme/main", *point, "--remote", self.remote.url,
                                "--to", folder)
        say(f"{megabytes(size_of(folder))} at LSN {report['lsn']}, by {in_words(report['requests'])}.")
        return Cluster(folder), report

    def branch(self):
        work = self.folder / "work-of-another-machine"
        say("$ varve init ...")
        self.story.varve.succeed("init", "--workdir", work, "--remote", self.remote.url)
        self.story.run("tenant", "attach", "acme", "--workdir", work)
        branch = self.story.run("timeline", "branch", "acme/main", "--time", self.before_accident,
                                "--name", "before-the-accident", "--workdir", work)
        say(f"It begins at LSN {branch['ancestor_lsn']} of acme/main, and shares all that was before "
            "with it.")
        folder = self.folder / "branch"
        self.story.run("restore", "acme/before-the-accident", "--workdir", work, "--to", folder)
        return Cluster(folder)

    def verify(self):
        outcome = self.story.varve.succeed("remote", "verify", "--deep", "--remote",
                                           self.remote.url)
        say("$ varve remote verify --deep ...")
        say(outcome.stdout.strip().splitlines()[-1])


def tell(demo):
    story = demo.story
    with story.step("A primary is made, and filled by pgbench."):
        demo.fill()
    with story.step("It goes to work."):
        demo.work_begins()
    with story.step("Varve gets a work directory, a remote storage, a tenant, and is started."):
        demo.start_varve()
    with story.step("The running primary is protected."):
        demo.protect()
    with story.step(f"What that gives, while the work goes on (rpo is {RPO} s here, 10 by default)."):
        worst = demo.watch(WATCHED)
    with story.step("An accident."):
        demo.accident()
    with story.step("The work goes on."):
        worst = max(worst, demo.watch(2 * LOOK_EVERY))
    with story.step("Disaster: primary and Varve die at the same moment, and their disk with them."):
        lost = demo.disaster()

    with story.step("Back from the remote storage alone, as of the last LSN that was reported."):
        cluster, at_the_end = demo.restore("at-the-end", "--lsn", demo.reported)
    with story.step("Is everything there that had committed up to that LSN, the accident included?"):
        examine(story, cluster, accounts=demo.all_accounts() - ACCOUNTS_OF_A_BRANCH,
                entries=demo.ledger.committed_by_lsn(parse_lsn(demo.reported)), besides=check_pages)
    with story.step("The same, as of the moment before the accident."):
        cluster, before = demo.restore("before", "--time", demo.before_accident)
    with story.step("Are the deleted rows back?"):
        entries = demo.ledger.committed_by_time(demo.before_accident)
        dump = examine(story, cluster, accounts=demo.all_accounts(), entries=entries,
                       besides=digest_of_dump)
    with story.step("Another machine takes the tenant over, and makes a branch at that moment."):
        cluster = demo.branch()
    with story.step("Does the branch have the same?"):
        same = dump == examine(story, cluster, accounts=demo.all_accounts(), entries=entries,
                               besides=digest_and_work)
        story.check(same, "pg_dumpall gives the same text as of the directory restored before.")
    with story.step("Is every byte of the remote storage still good?"):
        demo.verify()

    status = demo.last_status
    print("\nIn short")
    for title, seconds in story.times:
        print(f"   {seconds:6.1f} s  {title}")
    print(f"   At most the last {max(worst, lost):.1f} s were not remote yet at any look; at the end "
          f"{lost:.1f} s were lost.")
    print(f"   Requests to store it all: {in_words(status['requests'])}, "
          f"{megabytes(status['bytes_sent'])} sent. On S3 they would cost ${status['cost_usd']:.6f}.")
    print(f"   Requests to restore it: {in_words(at_the_end['requests'])}; as of before the accident: "
          f"{in_words(before['requests'])}.")
    print("   All is as it should be." if story.all_holds
          else "   NOT ALL IS AS IT SHOULD BE: look for WRONG.")
    return story.all_holds


def start_s3(folder):
    print("\n0. An S3 server is started on loopback: Ceph's radosgw.", flush=True)
    server = Radosgw.start(folder / "s3")
    say(f"It answers at {server.endpoint(tls=True)}; its certificate is trusted by AWS_CA_BUNDLE, and "
        "its keys are in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.")
    return server


def scale_of_pgbench(text):
    scale = int(text)
    if scale < 2:
        raise argparse.ArgumentTypeError("it takes 2 branches at least: one loses its accounts")
    return scale


def parse_arguments():
    parser = argparse.ArgumentParser(prog="scripts/demo")
    parser.add_argument("binary")
    parser.add_argument("--scale", type=scale_of_pgbench, default=10)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--s3", action="store_true")
    return parser.parse_args()


def clean_up(stack):
    """Not to be interrupted: what runs is ended, and the folder removed."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    stack.close()


def main():
    options = parse_arguments()
    # A termination ends the servers and removes the folder, just as an error does.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    stack = contextlib.ExitStack()
    try:
        folder = Path(tempfile.mkdtemp(prefix="varve-demo-"))
        folder.chmod(0o755)
        if options.keep:
            stack.callback(print, f"   The folder of the demo is left: {folder}")
        else:
            stack.callback(shutil.rmtree, folder)
        if options.s3:
            s3 = start_s3(folder)
            stack.callback(s3.stop)
            remote = S3Remote(s3, tls=True, prefix="demo")
        else:
            remote = FileRemote(folder / "remote")
        good = tell(Demo(folder, Varve(options.binary), options.scale, remote, stack))
    except (VarveError, postgres.PostgresError, RadosgwError, AssertionError) as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr)
        good = False
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        good = False
    finally:
        clean_up(stack)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
