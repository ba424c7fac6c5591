"""A small client of S3 for the tests: it shows what is in a bucket whatever Varve thinks of it.

Nothing but Python: requests signed as the documentation of AWS says ("Signature Version 4"), path style,
keys of characters that need no encoding.
"""

import hashlib
import hmac
import http.client
import time
import xml.etree.ElementTree
from dataclasses import dataclass
from urllib.parse import quote, urlencode


class S3Error(Exception):
    def __init__(self, method, target, status, body):
        super().__init__(f"{method} {target}: {status}\n{body.decode(errors='replace')}")
        self.status = status


@dataclass(frozen=True)
class Entry:
    """An object in a listing."""

    size: int
    modified: str


class S3Client:
    """Talks to a server on loopback, without TLS."""

    def __init__(self, port, access_key, secret_key, region):
        self._port = port
        self._access_key = access_key
        self._secret_key = secret_key
        self._region = region

    def list_buckets(self):
        self._request("GET", "/")

    def make_bucket(self, bucket):
        self._request("PUT", f"/{bucket}")

    def list(self, bucket, prefix=""):
        """All objects, by key."""
        entries = {}
        more = {}
        while True:
            answer = xml.etree.ElementTree.fromstring(self._request(
                "GET", f"/{bucket}", {"list-type": "2", "prefix": prefix, **more}))
            for entry in answer.iterfind("{*}Contents"):
                entries[entry.findtext("{*}Key")] = Entry(int(entry.findtext("{*}Size")),
                                                          entry.findtext("{*}LastModified"))
            if answer.findtext("{*}IsTruncated") != "true":
                return entries
            more = {"continuation-token": answer.findtext("{*}NextContinuationToken")}

    def get(self, bucket, key):
        return self._request("GET", f"/{bucket}/{key}")

    def put(self, bucket, key, body):
        self._request("PUT", f"/{bucket}/{key}", body=body)

    def delete(self, bucket, key):
        self._request("DELETE", f"/{bucket}/{key}")

    def head(self, path):
        """Whether it is there."""
        try:
            self._request("HEAD", path)
        except S3Error as error:
            if error.status != 404:
                raise
            return False
        return True

    def _request(self, method, path, query=None, body=b""):
        query = urlencode(sorted((query or {}).items()), quote_via=quote, safe="-._~")
        host = f"127.0.0.1:{self._port}"
        now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        headers = {"host": host, "x-amz-content-sha256": hashlib.sha256(body).hexdigest(),
                   "x-amz-date": now}
        names = ";".join(headers)
        canonical = "\n".join([method, quote(path), query,
                               *(f"{name}:{value}" for name, value in headers.items()), "", names,
                               headers["x-amz-content-sha256"]])
        scope = f"{now[:8]}/{self._region}/s3/aws4_request"
        text = "\n".join(["AWS4-HMAC-SHA256", now, scope,
                          hashlib.sha256(canonical.encode()).hexdigest()])
        key = ("AWS4" + self._secret_key).encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        signature = hmac.digest(key, text.encode(), "sha256").hex()
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self._access_key}/{scope},SignedHeaders={names},"
            f"Signature={signature}")
        connection = http.client.HTTPConnection(host, timeout=30)
        try:
            target = path + ("?" + query if query else "")
            connection.request(method, target, body, headers)
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        if response.status >= 300:
            raise S3Error(method, target, response.status, answer)
        return answer
