"""A real S3 server: Ceph's radosgw with the one monitor and the one OSD it needs, on loopback.

Needs no root, no service manager and no authentication between its parts. All it has and writes is in
one folder. `memstore` keeps the objects in memory and loses them when stopped; `bluestore` keeps them
in a sparse file, also over a kill.
"""

import json
import os
import random
import re
import shlex
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from support.s3_client import S3Client, S3Error

STORES = ("memstore", "bluestore")
START_TIMEOUT = 60
STOP_TIMEOUT = 20
BUCKET = "test"
REGION = "us-east-1"

# In the order in which they start; the programs and how they are told who they are.
DAEMONS = {"mon": ["ceph-mon", "-i", "a"], "osd": ["ceph-osd", "-i", "0"],
           "rgw": ["radosgw", "-n", "client.rgw"]}

# tcp_nodelay: without it every small answer waits 40 ms for the client's acknowledgement.
# ms_mon_client_mode: the default asks for encryption, which needs the authentication that is off.
CONFIGURATION = """\
[global]
fsid = {fsid}
mon_host = [v2:127.0.0.1:{mon_port}]
ms_bind_msgr1 = false
ms_bind_ipv6 = false
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
ms_mon_client_mode = crc
ms_mon_service_mode = crc
ms_mon_cluster_mode = crc
auth_allow_insecure_global_id_reclaim = false
run_dir = {folder}/run
crash_dir = {folder}/run
admin_socket =
log_file = {folder}/log/$name.log
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pgp_num = 4
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
paxos_propose_interval = 0.05
paxos_min_wait = 0.01
debug_ms = 0/0
debug_osd = 0/0
debug_bluestore = 0/0
debug_bluefs = 0/0
debug_rocksdb = 0/0
debug_mon = 0/0
debug_paxos = 0/0
[mon]
mon_data = {folder}/mon
mon_cluster_log_file = {folder}/log/cluster.log
mon_data_avail_warn = 1
mon_data_avail_crit = 1
pid_file = {folder}/mon.pid
[osd]
osd_data = {folder}/osd
osd_objectstore = {store}
memstore_device_bytes = {capacity}
bluestore_block_size = {capacity}
bluestore_block_create = true
bluestore_block_db_create = false
bluestore_block_wal_create = false
osd_memory_target = 1073741824
osd_heartbeat_grace = 60
pid_file = {folder}/osd.pid
[client.rgw]
rgw_frontends = beast tcp_nodelay=1 endpoint=127.0.0.1:{port} ssl_endpoint=127.0.0.1:{tls_port} ssl_certificate={folder}/tls/server.pem
rgw_data = {folder}/rgw
rgw_dns_name = localhost
rgw_enable_usage_log = false
rgw_thread_pool_size = 64
rgw_gc_obj_min_wait = 10
rgw_gc_processor_period = 10
rgw_gc_processor_max_time = 10
debug_rgw = 1/1
pid_file = {folder}/rgw.pid
"""

CAPACITY = 20 * 2**30

_REQUEST = re.compile(r' beast: .* "(?P<method>[A-Z]+) (?P<target>\S+) HTTP/[\d.]+" (?P<status>\d+) ')


def _is_there(pid):
    """Also one that is ending: then it has no command any more, and still its locks."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class RadosgwError(Exception):
    pass


@dataclass
class Settings:
    """What a server keeps in its folder besides its data."""

    store: str
    port: int
    tls_port: int
    mon_port: int
    access_key: str
    secret_key: str


@dataclass(frozen=True)
class Request:
    """A line of the server's log."""

    method: str
    target: str  # path and query
    status: int


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port():
    """One outside of the range that the kernel hands out by itself."""
    while True:
        port = random.SystemRandom().randrange(20000, 32000)
        if is_free(port):
            return port


class Radosgw:
    """The server in a folder, running or not."""

    def __init__(self, folder):
        self.folder = Path(folder).absolute()
        try:
            self.settings = Settings(**json.loads((self.folder / "settings.json").read_text()))
        except FileNotFoundError:
            raise RadosgwError(f"{self.folder} holds no S3 server: start one there first") from None

    @classmethod
    def start(cls, folder, *, store="memstore", port=None, tls_port=None):
        """A new server with an empty bucket, ready; `folder` must be absent or empty."""
        folder = Path(folder).absolute()
        if store not in STORES:
            raise RadosgwError(f"there is no store '{store}': take one of {', '.join(STORES)}")
        missing = [program for program in ("ceph-mon", "ceph-osd", "radosgw", "openssl")
                   if shutil.which(program, path=_path()) is None]
        if missing:
            raise RadosgwError(f"{', '.join(missing)}: not installed; run scripts/setup")
        if folder.exists() and any(folder.iterdir()):
            raise RadosgwError(f"{folder} is not empty")
        for wanted in (port, tls_port):
            if wanted is not None and not is_free(wanted):
                raise RadosgwError(f"port {wanted} of 127.0.0.1 is taken")
        for name in ("mon", "osd", "rgw", "log", "run", "tls"):
            (folder / name).mkdir(parents=True)
        settings = Settings(store, port or free_port(), tls_port or free_port(), free_port(),
                            "test-" + uuid.uuid4().hex[:12], uuid.uuid4().hex)
        fsid = str(uuid.uuid4())
        (folder / "ceph.conf").write_text(CONFIGURATION.format(
            fsid=fsid, folder=folder, capacity=CAPACITY, **asdict(settings)))
        (folder / "settings.json").write_text(json.dumps(asdict(settings)))
        server = cls(folder)
        try:
            server._make(fsid)
            server._wait_until_ready()
            server.client().make_bucket(BUCKET)
        except BaseException:
            server.kill()
            raise
        return server

    def _make(self, fsid):
        self._make_certificates()
        self._run("monmaptool", "--create", "--fsid", fsid, "--addv", "a",
                  f"[v2:127.0.0.1:{self.settings.mon_port}]", self.folder / "monmap")
        self._run("ceph-mon", "-i", "a", "--mkfs", "--monmap", self.folder / "monmap")
        self._launch("mon")
        osd = str(uuid.uuid4())
        self._run("ceph", "--connect-timeout", START_TIMEOUT, "osd", "new", osd)
        self._run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd)
        self._launch("osd")
        self._run("radosgw-admin", "user", "create", "--uid=test", "--display-name=test",
                  f"--access-key={self.settings.access_key}",
                  f"--secret-key={self.settings.secret_key}")
        self._launch("rgw")

    def _make_certificates(self):
        tls = self.folder / "tls"
        new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
               "-nodes", "-days", "3650"]
        self._run(*new, "-subj", "/CN=CA of the test", "-keyout", tls / "ca.key", "-out", self.ca)
        self._run(*new, "-CA", self.ca, "-CAkey", tls / "ca.key", "-subj", "/CN=localhost",
                  "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                  "-addext", "basicConstraints=CA:FALSE",
                  "-keyout", tls / "server.key", "-out", tls / "server.crt")
        (tls / "server.pem").write_text(
            (tls / "server.key").read_text() + (tls / "server.crt").read_text())

    def _run(self, *command):
        """A program of Ceph, told the folder; raises with what it printed."""
        words = [str(word) for word in command]
        if words[0] != "openssl":
            words[1:1] = ["-c", str(self.folder / "ceph.conf")] if words[0] != "monmaptool" else []
        result = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                check=False, timeout=START_TIMEOUT, cwd=self.folder,
                                env=_environment())
        if result.returncode != 0:
            raise RadosgwError(f"{shlex.join(words)} exited with {result.returncode}; logs are in "
                               f"{self.folder / 'log'}\n{result.stdout}{result.stderr}")

    def _launch(self, daemon):
        program, *identity = DAEMONS[daemon]
        self._run(program, *identity)

    def _pid(self, daemon):
        """None when it does not run. The number may have gone to somebody else since."""
        try:
            pid = int((self.folder / f"{daemon}.pid").read_text())
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError, ValueError):
            return None
        return pid if os.fsencode(self.folder / "ceph.conf") in command else None

    def _signal(self, number, daemons=tuple(DAEMONS)):
        """Gives the numbers of the processes that got it."""
        pids = [pid for daemon in daemons if (pid := self._pid(daemon)) is not None]
        for pid in pids:
            os.kill(pid, number)
        return pids

    def _wait_until_ready(self):
        deadline = time.monotonic() + START_TIMEOUT
        log = self.folder / "log" / "client.rgw.log"
        while True:
            try:
                self.client().list_buckets()
                return
            except OSError:
                pass
            except S3Error as error:
                raise RadosgwError(f"radosgw does not know its own user: see {log}") from error
            if self._pid("rgw") is None:
                time.sleep(0.2)  # The one that launches it ends before the number is written.
                if self._pid("rgw") is None:
                    raise RadosgwError(f"radosgw ended while it started: see {log}\n{_end_of(log)}")
            if time.monotonic() > deadline:
                raise RadosgwError(f"radosgw does not answer after {START_TIMEOUT} s: see {log}\n"
                                   f"{_end_of(log)}")
            time.sleep(0.05)

    def stop(self):
        """A clean end."""
        self._signal(signal.SIGCONT)
        for daemon in reversed(DAEMONS):
            if not self._have_ended(self._signal(signal.SIGTERM, [daemon])):
                self._have_ended(self._signal(signal.SIGKILL, [daemon]))

    def kill(self, daemons=tuple(DAEMONS)):
        """All of it at once, as when the machine dies; or parts of it."""
        self._have_ended(self._signal(signal.SIGKILL, daemons))

    @staticmethod
    def _have_ended(pids):
        deadline = time.monotonic() + STOP_TIMEOUT
        while any(_is_there(pid) for pid in pids):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def resume(self):
        """Starts what of it does not run, on the data it had."""
        if self.settings.store == "memstore" and self._pid("osd") is None:
            raise RadosgwError(f"{self.folder}: a memstore forgets everything when it is stopped; "
                               "start a new server, or take --store bluestore")
        for daemon in DAEMONS:
            if self._pid(daemon) is None:
                self._launch(daemon)
        self._wait_until_ready()

    def pause(self):
        """From now on connections are accepted by the kernel and nothing is answered."""
        self._signal(signal.SIGSTOP, ["rgw"])

    def unpause(self):
        self._signal(signal.SIGCONT, ["rgw"])

    @property
    def ca(self):
        """The certificate to trust."""
        return self.folder / "tls" / "ca.pem"

    def endpoint(self, *, tls=False):
        return (f"https://localhost:{self.settings.tls_port}" if tls
                else f"http://127.0.0.1:{self.settings.port}")

    def url(self, prefix="", *, bucket=BUCKET, tls=False, endpoint=None):
        """The URL of a remote storage; `endpoint` is that of somebody in between."""
        return (f"s3://{bucket}/{prefix}?endpoint={endpoint or self.endpoint(tls=tls)}"
                f"&path_style=true&region={REGION}")

    def environment(self):
        """What a client needs besides the URL."""
        return {"AWS_ACCESS_KEY_ID": self.settings.access_key,
                "AWS_SECRET_ACCESS_KEY": self.settings.secret_key,
                "AWS_CA_BUNDLE": str(self.ca),
                "AWS_EC2_METADATA_DISABLED": "true",
                "no_proxy": "127.0.0.1,localhost"}

    def client(self):
        return S3Client(self.settings.port, self.settings.access_key, self.settings.secret_key,
                        REGION)

    def requests(self):
        """All that were answered so far, in that order."""
        # The log is written in the background, in order: a request of our own shows where it is.
        marker = f"/{BUCKET}/marker-{uuid.uuid4().hex}"
        self.client().head(marker)
        deadline = time.monotonic() + STOP_TIMEOUT
        while True:
            requests = _parse_log(self.folder / "log" / "client.rgw.log")
            if any(request.target == marker for request in requests):
                return [request for request in requests
                        if not request.target.startswith(f"/{BUCKET}/marker-")]
            if time.monotonic() > deadline:
                raise RadosgwError("the request is not in the log")
            time.sleep(0.02)


def kind_of(request):
    """The operation of S3 that a request is, as it is priced."""
    query = request.target.partition("?")[2]
    match request.method:
        case "GET" if re.search(r"(^|&)(list-type|prefix|uploads)(=|&|$)", query):
            return "list"
        case "POST" if re.search(r"(^|&)delete(=|&|$)", query):
            return "delete"
        case "POST":
            return "multipart"
        case "PUT" if "uploadId=" in query:
            return "part"
        case method:
            return method.lower()


def count(requests):
    """How many of each kind."""
    return Counter(map(kind_of, requests))


def _parse_log(path):
    matches = filter(None, map(_REQUEST.search, path.read_text(errors="replace").splitlines()))
    return [Request(match["method"], match["target"], int(match["status"])) for match in matches]


def _end_of(log):
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-15:])
    except FileNotFoundError:
        return ""


def _path():
    return "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"


def _environment():
    # Without the caller's: CEPH_ARGS and the like would change everything.
    return {"PATH": _path(), "LC_ALL": "C.UTF-8"}
