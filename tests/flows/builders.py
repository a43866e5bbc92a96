"""The shipped commands as processes, with all services, and the means to kill them in the middle of something.

Who died in the middle of a build is read from the catalog, where every claim has a token: what nobody has finished some
time after the death of the only process that builds can only have been its.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from uuid import uuid4

import psutil
import psycopg
from sqlalchemy import make_url

from coverslip.derive import open_catalog
from tests.services.postgres import postgres
from tests.services.valkey import serve_valkey

SECONDS = 120.0
"""Deadline of whatever must happen at some time."""
DURABLE = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}

TAKEN_EARLY = """
    CREATE SCHEMA watched;
    CREATE TABLE watched.taken_early (artifact_id text, lasted interval);
    CREATE FUNCTION watched.look() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.token <> OLD.token AND OLD.lease_until > clock_timestamp() THEN
            INSERT INTO watched.taken_early VALUES (OLD.id, OLD.lease_until - clock_timestamp());
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER look AFTER UPDATE ON artifact FOR EACH ROW EXECUTE FUNCTION watched.look();
"""
"""Notes every claim that was given to a second builder while the lease of the first was not over."""

SCHEDULER_FILE = "scheduler.json"
LOOPBACK = ("--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0")
WORDS = {
    "server": ("coverslip", "serve", "--port", "0"),
    "server that builds nothing": ("coverslip", "serve", "--port", "0", "--no-build"),
    "worker": ("coverslip", "worker", "--interval", "0.3"),
    "queue worker": ("coverslip", "queue-worker", "--interval", "1"),
    "cluster's worker": ("coverslip", "worker", "--interval", "0.3", "--concurrency", "2"),
    "scheduler": ("dask", "scheduler", *LOOPBACK, "--port", "0"),  # nobody kills it
    "Dask worker": ("dask", "worker", *LOOPBACK, "--no-nanny", "--nthreads", "2"),
}


@dataclass
class Running:
    """One process, and the processes that it has started."""

    name: str
    process: "subprocess.Popen[str]"
    held_before: frozenset[str]
    """Tokens of claims from before it was started: of the dead."""

    def kill(self) -> list[psutil.Process]:
        """End it and its process group now; return what it has started outside of the group."""
        try:
            children: list[psutil.Process] = psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            children = []
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.close()
        return children

    def close(self) -> None:
        """Let go of its output."""
        if self.process.stdout is not None:
            self.process.stdout.close()


@dataclass
class Ground:
    """A catalog in PostgreSQL, a queue in Valkey, a Dask scheduler, and the processes that use them."""

    folder: Path
    database_url: str
    queue_url: str
    database: "psycopg.Connection[tuple[str, ...]]"
    running: dict[str, Running] = field(default_factory=dict)
    children: list[psutil.Process] = field(default_factory=list)
    whole: set[Path] = field(default_factory=set)
    """Published files that were looked at."""
    asking: threading.Lock = field(default_factory=threading.Lock)
    """Held by whoever asks the server for a picture, which it would build if need be."""
    address: str = ""
    is_over: bool = False

    @cached_property
    def cluster(self) -> str:
        """The address of the Dask scheduler."""
        deadline = time.monotonic() + SECONDS
        while True:
            assert self.running["scheduler"].process.poll() is None, self.log("scheduler")
            assert time.monotonic() < deadline, self.log("scheduler")
            with suppress(FileNotFoundError, json.JSONDecodeError):
                return str(json.loads((self.folder / SCHEDULER_FILE).read_text())["address"])
            time.sleep(0.05)

    @property
    def home(self) -> Path:
        """Where catalog, uploads and artifacts are."""
        return self.folder / "home"

    def start(self, name: str, **settings: str) -> None:
        """Start a command, and wait for the address of a server."""
        words = WORDS[name]
        if name == "scheduler":
            words = (*words, "--scheduler-file", SCHEDULER_FILE)
        if name == "Dask worker":
            words = (*words, "--local-directory", str(self.folder), self.cluster)
        held = self.held() if name != "scheduler" else frozenset()
        process = self.run(name, *words, **settings)
        self.running[name] = Running(name, process, held)
        if name.startswith("server"):
            assert process.stdout is not None
            line = process.stdout.readline()
            assert " at http" in line, self.log(name)
            self.address = line.split(" at ")[1].split(" ")[0].rstrip("/")

    def run(self, name: str, *words: str, **settings: str) -> "subprocess.Popen[str]":
        """Start a program with the settings of this place, in a group of its own."""
        given = {"lease_seconds": "2", "database_url": self.database_url, "queue_url": self.queue_url} | settings
        environment = {f"COVERSLIP_{key.upper()}": text for key, text in given.items()}
        environment |= {"COVERSLIP_HOME": str(self.home), "PYTHONUNBUFFERED": "1"}
        output = subprocess.PIPE if name.startswith("server") else subprocess.DEVNULL
        with (self.folder / f"{name}.log").open("a") as log:
            return subprocess.Popen(
                [sys.executable, "-m", *words],
                env=os.environ | environment,
                stdout=output,
                stderr=log,
                text=True,
                cwd=self.folder,
                start_new_session=True,
            )

    def log(self, name: str) -> str:
        """Return what a command has said last."""
        return (self.folder / f"{name}.log").read_text(errors="replace")[-3000:]

    def add(self, path: Path) -> None:
        """Let the catalog know of a file that is new or has changed."""
        process = self.run("add", "coverslip", "add", str(path))
        assert process.wait(SECONDS) == 0, self.log("add")

    def held(self) -> frozenset[str]:
        """Return the tokens of all claims that nobody has finished, those of the dead too."""
        found = self.database.execute("SELECT token FROM artifact WHERE token IS NOT NULL")
        return frozenset(token for (token,) in found)

    def being_built(self) -> list[str]:
        """Return the annotations of which somebody builds a picture now."""
        words = "SELECT annotation_id FROM artifact WHERE annotation_id IS NOT NULL AND lease_until > now()"
        return sorted({one for (one,) in self.database.execute(words)})

    def kill(self, name: str) -> frozenset[str]:
        """Kill a command and return the claims that it may have left, those that nobody else can have."""
        one = self.running.pop(name)
        assert one.process.poll() is None, f"the {name} ended by itself: {self.log(name)}"
        self.children += one.kill()
        return self.held() - one.held_before

    def wait_for_a_claim(self, name: str, seconds: float = 20.0) -> None:
        """Return when the command has claimed something, or after some time in which nothing was stale."""
        known, deadline = self.held(), time.monotonic() + seconds
        while self.held() <= known and time.monotonic() < deadline:
            assert self.running[name].process.poll() is None, self.log(name)
            time.sleep(0.01)

    def check_files(self) -> None:
        """Fail when a published file is not what its name says. May be asked at any time."""
        for path in sorted((self.home / "artifacts").rglob("*")):
            if path not in self.whole and not path.name.startswith(".") and path.suffix and path.is_file():
                assert hashlib.sha256(path.read_bytes()).hexdigest() == path.stem, f"{path.name} is torn"
                self.whole.add(path)

    def stop(self) -> None:
        """Stop our commands as one does; each must end well, or, as servers do, with the signal that it was sent."""
        ours = {name: one for name, one in self.running.items() if WORDS[name][0] == "coverslip"}
        for one in ours.values():
            one.process.send_signal(signal.SIGTERM)
        for name, one in ours.items():
            code = one.process.wait(SECONDS)
            assert code in {0, -signal.SIGTERM}, f"the {name} ended with {code}: {self.log(name)}"
        self.close()

    def close(self) -> None:
        """End all processes that still run."""
        self.is_over = True
        for one in self.running.values():
            self.children += one.kill()
        self.running.clear()


@contextmanager
def ground(folder: Path) -> Iterator[Ground]:
    """Start all services, and end them and all processes afterwards."""
    with ExitStack() as stack:
        server = stack.enter_context(postgres(**DURABLE))
        queue = stack.enter_context(serve_valkey())
        name = f"killed{uuid4().hex}"
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        url = make_url(server).set(database=name).render_as_string(hide_password=False)
        database = stack.enter_context(psycopg.connect(url, autocommit=True))
        place = Ground(folder, url, queue, database)
        stack.callback(place.close)
        place.start("scheduler")
        open_catalog(url).close()  # makes the tables
        database.execute(TAKEN_EARLY)
        yield place
