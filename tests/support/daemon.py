"""A running `varve serve`, and requests to its HTTP API."""

import contextlib
import http.client
import json
import os
import signal
import ssl
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

START_TIMEOUT = 60
POLL_INTERVAL = 0.02


def until(condition, what, timeout=60):
    """What `condition` gives once it is true."""
    deadline = time.monotonic() + timeout
    while not (result := condition()):
        assert time.monotonic() < deadline, f"{what}: not within {timeout} s"
        time.sleep(POLL_INTERVAL)
    return result


@dataclass
class Answer:
    status: int
    headers: dict
    body: bytes

    def json(self):
        return json.loads(self.body)

    def problem(self):
        """The problem document of a request that failed."""
        assert self.headers["content-type"] == "application/problem+json", self
        document = self.json()
        assert document["status"] == self.status, self
        return document


class Daemon:
    """Made by starting(). Settings in the environment reach it as they do any command."""

    def __init__(self, server, process):
        self.server = server
        self.process = process
        self.token = None

    @property
    def pid_file(self):
        return self.server.workdir / "varve.pid"

    def _read_pid_file(self):
        assert self.process.is_running(), self.process.wait()
        try:
            content = json.loads(self.pid_file.read_text())
        except FileNotFoundError:
            return None
        # One that was left by a process that was killed names another.
        return content if content["pid"] == self.process.pid else None

    def wait_until_ready(self):
        self.content = until(self._read_pid_file, "varve serve is ready", START_TIMEOUT)
        assert self.get("/v1/ready", token=None).status == 200

    @property
    def port(self):
        return urlsplit(self.url).port

    @property
    def url(self):
        return self.content["url"]

    def connect(self, timeout=60):
        if not self.content["certificate"]:
            return http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=timeout)
        context = ssl.create_default_context(cafile=self.content["certificate"])
        context.check_hostname = False
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout,
                                           context=context)

    def request(self, method, path, body=None, *, headers=None, token=..., raw=None):
        """`body` is sent as JSON, `raw` as it is; both with the type of JSON unless headers say else."""
        headers = dict(headers or {})
        token = self.token if token is ... else token
        if token is not None:
            headers.setdefault("Authorization", f"Bearer {token}")
        if method == "POST":
            headers.setdefault("Content-Type", "application/json")
            raw = json.dumps({} if body is None else body).encode() if raw is None else raw
        connection = self.connect()
        with contextlib.closing(connection):
            connection.request(method, path, body=raw, headers=headers)
            response = connection.getresponse()
            return Answer(response.status,
                          {name.lower(): value for name, value in response.getheaders()},
                          response.read())

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def post(self, path, body=None, **options):
        return self.request("POST", path, body, **options)

    def signal(self, number):
        os.kill(self.process.pid, number)

    def stop(self, timeout=60):
        """Stops it as an operator does; gives the outcome."""
        self.signal(signal.SIGTERM)
        return self.process.wait(timeout)


TOKEN = "0123456789abcdef0123456789abcdef"


def token_file(folder, content=TOKEN + "\n", mode=0o600):
    path = folder / "token"
    path.write_text(content)
    path.chmod(mode)
    return path


@contextlib.contextmanager
def starting(server, *options, port=0, token=None):
    """A daemon on a free port of loopback, ready; killed in the end if the test has not ended it."""
    process = server.start("serve", "--listen", f"127.0.0.1:{port}", *options)
    daemon = Daemon(server, process)
    daemon.token = token
    try:
        daemon.wait_until_ready()
        yield daemon
    finally:
        if process.is_running():
            process.kill()
            process.wait()
