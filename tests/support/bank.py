"""Clients that move money between accounts, and what must be true of it wherever it is restored."""

import contextlib
import random
import subprocess
import threading
from dataclasses import dataclass

from support.postgres import BIN_DIR, PostgresError, as_postgres
from support.wal_records import parse_lsn

DATABASE = "bank"
ACCOUNTS = 200
BALANCE = 1000

_TABLES = f"""
CREATE TABLE accounts (id int PRIMARY KEY, balance bigint NOT NULL, note text);
INSERT INTO accounts SELECT i, {BALANCE}, repeat('n', i % 50) FROM generate_series(1, {ACCOUNTS}) i;
CREATE INDEX ON accounts (balance);
CREATE TABLE ledger (client int, number int, transaction bigint NOT NULL, source int, target int,
  amount bigint, PRIMARY KEY (client, number));
CREATE INDEX ON ledger USING hash (source);
"""

# In the order of accounts, so that nobody waits for each other.
_TRANSFER = (
    "BEGIN; "
    "UPDATE accounts SET balance = balance - {low_change} WHERE id = {low}; "
    "UPDATE accounts SET balance = balance + {low_change} WHERE id = {high}; "
    "INSERT INTO ledger VALUES ({client}, {number}, pg_current_xact_id()::text::bigint, {source}, "
    "{target}, {amount}); "
    "COMMIT; SELECT pg_current_wal_flush_lsn();\n")

_LEDGER = "SELECT client, number, transaction, source, target, amount FROM ledger"


@dataclass(frozen=True)
class Transfer:
    """A row of the ledger."""

    client: int
    number: int
    transaction: int
    source: int
    target: int
    amount: int

    @property
    def key(self):
        return self.client, self.number


def ledger(cluster):
    """The transfers in it, by client and number."""
    rows = [Transfer(*map(int, line.split("|")))
            for line in cluster.sql(_LEDGER, DATABASE).splitlines()]
    return {row.key: row for row in rows}


def check_balances(cluster, transfers):
    """That the accounts hold what these transfers, and nothing else, have left there."""
    expected = dict.fromkeys(range(1, ACCOUNTS + 1), BALANCE)
    for transfer in transfers:
        expected[transfer.source] -= transfer.amount
        expected[transfer.target] += transfer.amount
    rows = cluster.sql("SELECT id, balance FROM accounts", DATABASE).splitlines()
    balances = [tuple(map(int, row.split("|"))) for row in rows]
    assert len(balances) == ACCOUNTS, balances
    assert sum(balance for _, balance in balances) == ACCOUNTS * BALANCE
    wrong = [(account, balance, expected[account]) for account, balance in balances
             if balance != expected[account]]
    assert not wrong, f"(account, balance, by the ledger): {wrong}"


class _Client:
    """One session after the other. It never repeats a transfer, since it may have happened."""

    def __init__(self, bank, number):
        self._bank = bank
        self._number = number
        self._chance = random.Random(number)
        self._next = 0
        self.attempted = set()
        self.acknowledged = {}  # key -> an LSN that is not before its commit
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        while not self._bank.stopped.wait(0.1):
            session = subprocess.Popen(
                [BIN_DIR / "psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1",
                 *map(str, self._bank.primary.connection(DATABASE))],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                bufsize=1, cwd="/", env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}, **as_postgres())
            # Whether the last one happened is unknown when the connection is lost.
            with contextlib.suppress(BrokenPipeError), session:
                while not self._bank.stopped.wait(self._bank.pause) and self._transfer(session):
                    pass

    def _transfer(self, session):
        source, target = self._chance.sample(range(1, ACCOUNTS + 1), 2)
        amount = self._chance.randrange(1, 100)
        key = self._number, self._next
        self._next += 1
        self.attempted.add(key)
        session.stdin.write(_TRANSFER.format(
            client=self._number, number=key[1], source=source, target=target, amount=amount,
            low=min(source, target), high=max(source, target),
            low_change=amount if source < target else -amount))
        answer = session.stdout.readline()
        if not answer.endswith("\n"):
            return False
        self.acknowledged[key] = parse_lsn(answer.strip())
        return True


class Bank:
    """The clients of a primary, from start() to stop()."""

    def __init__(self, primary, *, clients=2, pause=0.005):
        self.primary = primary
        self.pause = pause
        self.stopped = threading.Event()
        primary.sql(f"CREATE DATABASE {DATABASE}")
        primary.sql(_TABLES, DATABASE)
        self._clients = [_Client(self, number) for number in range(clients)]

    def start(self):
        for client in self._clients:
            client.thread.start()

    def stop(self):
        self.stopped.set()
        for client in self._clients:
            if client.thread.ident is not None:
                client.thread.join()

    def acknowledged(self):
        """Those that a client knows of, each with an LSN that is not before its commit."""
        return {key: lsn for client in self._clients
                for key, lsn in client.acknowledged.copy().items()}

    def attempted(self):
        """All others have never happened."""
        return {key for client in self._clients for key in client.attempted.copy()}


class Pgbench:
    """pgbench, again and again: it gives up when it loses a connection."""

    DATABASE = "pgbench"

    def __init__(self, primary, *options):
        self._primary = primary
        self._options = options
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        primary.sql(f"CREATE DATABASE {self.DATABASE}")
        primary.pgbench("-i", "-q", "-s", "1", "--foreign-keys", database=self.DATABASE)

    def _run(self):
        while not self._stopped.wait(0.1):
            try:
                self._primary.pgbench("-n", "-T", "2", *self._options, database=self.DATABASE)
            except PostgresError:
                pass

    def start(self):
        self._thread.start()

    def stop(self):
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join()

    @classmethod
    def check(cls, cluster):
        """That each of its transactions is there as a whole or not at all."""
        sums = cluster.sql(
            "SELECT (SELECT sum(abalance) FROM pgbench_accounts), (SELECT sum(tbalance) FROM "
            "pgbench_tellers), (SELECT sum(bbalance) FROM pgbench_branches), "
            "(SELECT coalesce(sum(delta), 0) FROM pgbench_history)", cls.DATABASE).split("|")
        assert len(set(sums)) == 1, f"accounts, tellers, branches, history: {sums}"
        return int(cluster.sql("SELECT count(*) FROM pgbench_history", cls.DATABASE))
