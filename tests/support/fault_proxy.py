"""Stands between a client and an S3 server on loopback, and lets things go wrong.

A fault is a function that is given each Exchange and does what is to be done with it. FaultProxy.fault
is the one in force; it may be replaced at any time.
"""

import http.client
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SLOW_DOWN = (b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>SlowDown</Code>'
             b"<Message>Please reduce your request rate.</Message>"
             b"<RequestId>fault-proxy</RequestId></Error>")


def pass_on(exchange):
    exchange.answer(*exchange.forward())


def reset(exchange):
    """The connection breaks before the server has seen anything."""
    exchange.break_off()


def break_upload(exchange):
    """It breaks in the middle of the request."""
    exchange.rfile.read(exchange.length // 2)
    exchange.break_off()


def garble(exchange):
    """A bit of the body is changed on the way to the server."""
    exchange.answer(*exchange.forward(garbled=True))


def lose_answer(exchange):
    """The server does it, and the client never learns."""
    exchange.forward()
    exchange.break_off()


def break_answer(exchange):
    """It breaks in the middle of the answer."""
    status, headers, body = exchange.forward()
    exchange.answer(status, headers, body, sent=len(body) // 2)


def slow_down(exchange):
    exchange.read_body()
    exchange.answer(503, [("Content-Type", "application/xml"), ("Retry-After", "1")], SLOW_DOWN)


def first(count, fault):
    """`fault` for so many requests, and then no longer."""
    left = iter(range(count))
    return lambda exchange: (pass_on if next(left, None) is None else fault)(exchange)


def on_put(fault):
    """`fault` for what stores an object."""
    return lambda exchange: (fault if exchange.command == "PUT" else pass_on)(exchange)


def at(number, fault):
    """`fault` for the request of this number (from 1) alone."""
    return lambda exchange: (fault if exchange.number == number else pass_on)(exchange)


class Exchange(BaseHTTPRequestHandler):
    """A request, and what becomes of it."""

    protocol_version = "HTTP/1.1"

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except ConnectionError:
            self.close_connection = True

    def _exchange(self):
        self.length = int(self.headers.get("Content-Length", 0))
        proxy = self.server.proxy
        with proxy.lock:
            proxy.requests.append((self.command, self.path))
            self.number = len(proxy.requests)
        proxy.fault(self)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _exchange

    def read_body(self):
        return self.rfile.read(self.length)

    def forward(self, *, garbled=False):
        """Status, headers and body that the server answers with."""
        body = bytearray(self.read_body())
        if garbled and body:
            body[len(body) // 2] ^= 1
        connection = http.client.HTTPConnection("127.0.0.1", self.server.proxy.server_port,
                                                timeout=60)
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in ("expect", "connection"):
                    connection.putheader(name, value)
            connection.endheaders(body)
            response = connection.getresponse()
            return response.status, response.getheaders(), response.read()
        finally:
            connection.close()

    def answer(self, status, headers, body, *, sent=None):
        """`sent`: how many bytes of the body come before the connection breaks."""
        self.send_response_only(status)
        kept = [(name, value) for name, value in headers
                if name.lower() not in ("connection", "transfer-encoding")]
        if not any(name.lower() == "content-length" for name, _ in kept):
            kept.append(("Content-Length", str(len(body))))
        for name, value in kept:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body if sent is None else body[:sent])
        if sent is not None:
            self.break_off()

    def break_off(self):
        """Ends the connection; the client sees a reset where it was still sending."""
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_):
        pass


class FaultProxy:
    def __init__(self, server_port):
        self.server_port = server_port
        self.fault = pass_on
        self.lock = threading.Lock()
        self.requests = []  # method and path of all that arrived
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Exchange)
        self._http.daemon_threads = True
        self._http.proxy = self
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self._http.server_port}"

    def restart_with(self, fault):
        """Counts from 1 again, with this fault in force."""
        with self.lock:
            self.requests.clear()
            self.fault = fault

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
