"""Other programs, told to use the S3 server of the benchmark."""

import base64
import os
import shutil
import subprocess
import time

from driver import machine
from support import radosgw
from support.postgres import as_postgres

# Not the caller's: a CA or a profile of theirs would be used in place of ours.
_CLEAN = {name: value for name, value in os.environ.items()
          if not name.startswith(("AWS_", "RCLONE_", "PGBACKREST_"))}
_PATH = "/usr/bin:/bin"


def installed(program):
    return shutil.which(program, path=_PATH) is not None


def _digest(path, algorithm):
    return subprocess.run(["openssl", "dgst", algorithm, "-binary", path], check=True,
                          capture_output=True).stdout


class Peers:
    def __init__(self, server, folder):
        self._server = server
        self._folder = folder

    def _rclone(self, tls):
        settings = self._server.settings
        remote = {"TYPE": "s3", "PROVIDER": "Ceph", "ACCESS_KEY_ID": settings.access_key,
                  "SECRET_ACCESS_KEY": settings.secret_key, "REGION": radosgw.REGION,
                  "ENDPOINT": self._server.endpoint(tls=tls), "FORCE_PATH_STYLE": "true"}
        return _CLEAN | {f"RCLONE_CONFIG_BENCH_{name}": value for name, value in remote.items()} | {
            "RCLONE_CONFIG": str(self._folder / "no-rclone.conf")}

    def rclone_copy(self, source, prefix, *, tls):
        return machine.timed("/usr/bin/rclone", "--ca-cert", self._server.ca, "copy", "--transfers",
                             "8", source, f"bench:{radosgw.BUCKET}/{prefix}", env=self._rclone(tls))

    def aws_sync(self, source, prefix, *, tls):
        configuration = self._folder / "aws-config"
        configuration.write_text("[default]\ns3 =\n  addressing_style = path\n")
        environment = _CLEAN | self._server.environment() | {
            "PATH": _PATH, "AWS_CONFIG_FILE": str(configuration),
            "AWS_DEFAULT_REGION": radosgw.REGION,
            "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required"}
        return machine.timed("/usr/bin/aws", "--endpoint-url", self._server.endpoint(tls=tls), "s3",
                             "sync", "--only-show-errors", source,
                             f"s3://{radosgw.BUCKET}/{prefix}", env=environment)

    def curl(self, *options, key, tls, payload_hash="UNSIGNED-PAYLOAD"):
        settings = self._server.settings
        return machine.timed(
            "curl", "-sS", "-f", "--cacert", self._server.ca, "--aws-sigv4",
            f"aws:amz:{radosgw.REGION}:s3", "-u", f"{settings.access_key}:{settings.secret_key}",
            "-H", f"x-amz-content-sha256: {payload_hash}", *options,
            f"{self._server.endpoint(tls=tls)}/{radosgw.BUCKET}/{key}")

    def checked_curl(self, source, *, key, tls):
        """Seconds of an upload that the server compares with a digest, which curl must be given."""
        start = time.monotonic()
        if tls:
            md5 = base64.b64encode(_digest(source, "-md5")).decode()
            self.curl("-T", source, "-H", f"content-md5: {md5}", key=key, tls=tls)
        else:
            self.curl("-T", source, key=key, tls=tls, payload_hash=_digest(source, "-sha256").hex())
        return time.monotonic() - start


class PgBackRest:
    """Of a stopped cluster, as Varve's import is; it speaks to S3 over TLS only."""

    CONFIGURATION = """\
[global]
repo1-type=s3
repo1-path=/{prefix}
repo1-s3-bucket={bucket}
repo1-s3-endpoint=localhost
repo1-s3-region={region}
repo1-s3-key={access_key}
repo1-s3-key-secret={secret_key}
repo1-s3-uri-style=path
repo1-storage-host=localhost
repo1-storage-port={tls_port}
repo1-storage-ca-file={ca}
repo1-bundle=y
repo1-retention-full=100
compress-type=zst
process-max=2
log-level-file=off
log-path={folder}
lock-path={folder}/lock
spool-path={folder}/spool
[bench]
pg1-path={pgdata}
"""

    def __init__(self, server, folder, pgdata, prefix):
        self._configuration = folder / "pgbackrest.conf"
        settings = server.settings
        work = folder / "pgbackrest"
        work.mkdir()
        if as_postgres():
            shutil.chown(work, "postgres")
        self._configuration.write_text(self.CONFIGURATION.format(
            prefix=prefix, bucket=radosgw.BUCKET, region=radosgw.REGION, ca=server.ca, folder=work,
            pgdata=pgdata, access_key=settings.access_key, secret_key=settings.secret_key,
            tls_port=settings.tls_port))
        self._run("--no-online", "stanza-create")

    def back_up(self):
        return self._run("--no-online", "--type=full", "backup")

    def restore(self, target):
        target.mkdir(mode=0o700)
        if as_postgres():
            shutil.chown(target, "postgres", "postgres")
        return self._run(f"--pg1-path={target}", "--type=none", "restore")

    def _run(self, *words):
        return machine.timed("/usr/bin/pgbackrest", f"--config={self._configuration}",
                             "--stanza=bench", "--log-level-console=warn", *words, cwd="/",
                             env=_CLEAN, **as_postgres())
