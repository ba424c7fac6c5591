"""Stands between a client and a PostgreSQL server on a Unix socket, and lets things go wrong.

It reads what the server says message by message
(https://www.postgresql.org/docs/15/protocol-message-formats.html); what the client says it passes on.
A fault is a function that is given the content of each message of copied data, which is what base
backups and WAL come in, and gives what is passed on in its place: nothing for None. ReplicationProxy.fault
is the one in force; it may be replaced at any time.
"""

import contextlib
import socket
import struct
import threading

COPY_DATA = b"d"
# Of a stream of WAL: start, end of the server's WAL, time, and the bytes.
WAL = b"w"
WAL_HEADER = struct.Struct(">cQQq")
# Of a base backup: a part of an archive.
ARCHIVE = b"d"


class CutConnection(Exception):
    """Raised by a fault: so much of the message's content still goes out."""

    def __init__(self, content):
        super().__init__()
        self.content = content


def pass_on(content):
    return content


def once(applies, fault):
    """`fault` for the first message to which it applies."""
    done = threading.Event()

    def apply(content):
        if done.is_set() or not applies(content):
            return content
        done.set()
        return fault(content)

    apply.done = done
    return apply


def _of_wal_with(marker, fault):
    return once(lambda content: content.startswith(WAL) and marker in content[WAL_HEADER.size:],
                fault)


def flip_byte(marker):
    """Of the first WAL that has `marker` in it, one of its bytes."""
    def flip(content):
        at = content.index(marker, WAL_HEADER.size) + len(marker) // 2
        return content[:at] + bytes([content[at] ^ 1]) + content[at + 1:]

    return _of_wal_with(marker, flip)


def drop_message(marker):
    """The first one of WAL that has `marker` in it never arrives."""
    return _of_wal_with(marker, lambda content: None)


def cut_message(marker):
    """In the middle of the first one of WAL that has `marker` in it the connection breaks."""
    def cut(content):
        raise CutConnection(content[:len(content) // 2])

    return _of_wal_with(marker, cut)


class Hold:
    """A fault: from the first message of that kind on, nothing comes any more."""

    def __init__(self, kind=ARCHIVE):
        self.kind = kind
        self.reached = threading.Event()
        self.released = threading.Event()

    def __call__(self, content):
        if content.startswith(self.kind):
            self.reached.set()
            self.released.wait()
        return content


class ReplicationProxy:
    """As a context manager; the socket is in `folder`, and its port that of the server."""

    def __init__(self, cluster, folder):
        self.folder = folder
        self.port = cluster.port
        self.fault = pass_on
        self._upstream = f"{cluster.socket_folder}/.s.PGSQL.{cluster.port}"
        self._sockets = set()
        self._lock = threading.Lock()

    @property
    def conninfo(self):
        return f"host={self.folder} port={self.port} user=postgres"

    def __enter__(self):
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(f"{self.folder}/.s.PGSQL.{self.port}")
        self._listener.listen()
        self._start(self._accept)
        return self

    def __exit__(self, *_):
        if isinstance(self.fault, Hold):
            self.fault.released.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut_all()

    def release(self):
        """Ends a Hold."""
        self.fault.released.set()
        self.fault = pass_on

    def cut_all(self):
        """Breaks all connections off."""
        with self._lock:
            for each in self._sockets:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _start(work, *arguments):
        threading.Thread(target=work, args=arguments, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(self._upstream)
            except OSError:
                client.close()
                server.close()
                continue
            with self._lock:
                self._sockets |= {client, server}
            self._start(self._pass_on_from_client, client, server)
            self._start(self._pass_on_from_server, server, client)

    def _close(self, *sockets):
        with self._lock:
            for each in sockets:
                # Ends what the other thread waits for; it closes the other socket.
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
            self._sockets.discard(sockets[0])
        sockets[0].close()

    def _pass_on_from_client(self, client, server):
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                server.sendall(data)
        self._close(client, server)

    def _pass_on_from_server(self, server, client):
        with contextlib.suppress(OSError), server.makefile("rb") as stream:
            while header := stream.read(5):
                kind, size = struct.unpack(">cI", header)
                content = stream.read(size - 4)
                if kind == COPY_DATA:
                    try:
                        content = self.fault(content)
                    except CutConnection as cut:
                        client.sendall(header + cut.content)
                        break
                    if content is None:
                        continue
                client.sendall(header + content)
        self._close(server, client)
