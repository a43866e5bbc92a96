"""Servers in processes of their own, and many requests to them from 8 connections."""

import http.client
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.conditions import TOOLS, is_quick

CONNECTIONS = 8
WAIT_SECONDS = 30.0
NGINX = shutil.which("nginx", path=TOOLS)
WRK = shutil.which("wrk", path=TOOLS)

_SCRIPT = """
local paths = {}
for line in io.lines(os.getenv("BENCH_PATHS")) do paths[#paths + 1] = line end
local at = 0
request = function()
  at = at % #paths + 1
  return wrk.format("GET", paths[at])
end
"""

_NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ }}
http {{
  access_log off; keepalive_requests 100000000; sendfile on;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  upstream coverslip {{ server {upstream}; keepalive 16; }}
  server {{
    listen 127.0.0.1:{port};
    root {data};
    location /api/ {{
      proxy_pass http://coverslip; proxy_set_header Host $http_host;
      proxy_http_version 1.1; proxy_set_header Connection "";
    }}
    location /stored/ {{ internal; alias {data}/; disable_symlinks on from={data}; }}
  }}
}}
"""


def usual_seconds() -> int:
    """Return how long everybody is asked at a time."""
    return 1 if is_quick() else 2


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def process(command: Sequence[str], port: int, **environment: str) -> Iterator[str]:
    """Run a server for the time of a ``with`` statement; give its address once it listens."""
    with subprocess.Popen(
        command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as running:
        try:
            _wait_for(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            running.terminate()


@contextmanager
def uvicorn(app: str, folder: Path) -> Iterator[str]:
    """Run an app of ``http_peers`` on uvicorn, with the loop and the parser that ``coverslip serve`` has."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", f"benchmarks.http_peers:{app}", "--port", str(port)]
    with process([*command, "--log-level", "error", "--no-access-log"], port, PEER_FOLDER=str(folder)) as address:
        yield address


@contextmanager
def granian(app: str, folder: Path) -> Iterator[str]:
    """Run an app of ``http_peers`` on granian, one worker."""
    port = free_port()
    command = [sys.executable, "-m", "granian", "--interface", "asginl", "--workers", "1", "--port", str(port)]
    with process([*command, f"benchmarks.http_peers:{app}"], port, PEER_FOLDER=str(folder)) as address:
        yield address


@contextmanager
def nginx(folder: Path, data: Path, upstream: str) -> Iterator[str]:
    """Run nginx: files of a folder as they are, and Coverslip behind it."""
    folder.mkdir()
    port = free_port()
    config = _NGINX.format(folder=folder, data=data, port=port, upstream=urlsplit(upstream).netloc)
    (folder / "nginx.conf").write_text(config)
    with process([str(NGINX), "-c", str(folder / "nginx.conf"), "-p", str(folder)], port) as address:
        yield address


@contextmanager
def coverslip(home: Path, **settings: str) -> Iterator[str]:
    """Run ``coverslip serve``."""
    port = free_port()
    environment = {"COVERSLIP_HOME": str(home), "COVERSLIP_PORT": str(port), **settings}
    with process([sys.executable, "-m", "coverslip", "serve", "--no-build"], port, **environment) as address:
        yield address


def per_second(address: str, paths: Sequence[str], folder: Path) -> float:
    """Return how many answers a second 8 connections get, asking for these paths in turn.

    Raises
    ------
    RuntimeError
        An answer was no 200.
    """
    seconds = usual_seconds()
    listing, script = folder / "paths.txt", folder / "paths.lua"
    listing.write_text("\n".join(paths) + "\n")
    script.write_text(_SCRIPT)
    if WRK is None:
        command = [sys.executable, "-m", "benchmarks.http_client", address, str(listing), str(seconds)]
    else:
        command = [WRK, "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "60s", "-s", str(script), address]
    said = subprocess.run(
        command, env={**os.environ, "BENCH_PATHS": str(listing)}, capture_output=True, text=True, check=True
    ).stdout
    if "Non-2xx" in said or "Requests/sec" not in said:
        raise RuntimeError(f"{address}{paths[0]}: {said}")
    return float(re.findall(r"Requests/sec:\s*([0-9.]+)", said)[0])


def in_turns(contestants: Mapping[str, tuple[str, Sequence[str]]], folder: Path) -> dict[str, float]:
    """Return the median of answers a second of each contestant, given as address and paths, measured in turns."""
    for address, paths in contestants.values():
        _get(address, paths[0])
    found: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(1 if is_quick() else 3):
        for name, (address, paths) in contestants.items():
            found[name].append(per_second(address, paths, folder))
    return {name: statistics.median(values) for name, values in found.items()}


def milliseconds(address: str, paths: Sequence[str]) -> float:
    """Return the median time of one answer on one connection."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc)
    taken = []
    for path in paths:
        start = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        taken.append((time.perf_counter() - start) * 1e3)
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status}")
    connection.close()
    return statistics.median(taken)


def image_ids(address: str) -> dict[str, str]:
    """Return the id of the first image of every file, by file name."""
    listed = json.loads(_get(address, "/api/images/?limit=1000"))["images"]
    return {image["filename"]: image["id"] for image in listed if image["metadata"]["index"] == 0}


def _get(address: str, path: str) -> bytes:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=WAIT_SECONDS)
    connection.request("GET", path)
    body = connection.getresponse().read()
    connection.close()
    return body


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"nobody listens on port {port}")
