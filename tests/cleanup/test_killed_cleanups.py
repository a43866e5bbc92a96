"""Commands that remove, bring back and purge records, killed at any instant: of each step all is done, or nothing."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import make_url

from coverslip.catalog import Catalog
from coverslip.cleanup import asking, make_plan
from coverslip.derive import open_catalog
from coverslip.model.entities import EntitySeen
from coverslip.model.removal import CleanupPlan, Scope
from coverslip.sources import RemoteRules
from tests.services.postgres import postgres

pytestmark = pytest.mark.kill

ROWS, GONE = 300, 240
PLANS = 4
"""Plans that one purge is to purge."""
TIMES = 4
"""So often the same command is killed before it may end."""
SHORT, LONG = 3, 34
"""Kills of each command."""
SPACING = "datasets/1/runs/TS_1/spacings/10.000"
FOLDER = "1/TS_1/Reconstructions/VoxelSpacing10.000"
RULES = RemoteRules((), Path("/nowhere"), 0)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.service)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'catalog.sqlite'}"
        return
    with postgres() as address:
        name = f"killed_{uuid4().hex}"
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        yield make_url(address).set(database=name).render_as_string(hide_password=False)


@dataclass
class Killer:
    """Kills commands, and counts where."""

    home: Path
    url: str
    catalog: Catalog
    chance: random.Random = field(default_factory=lambda: random.Random(17))
    killed: Counter[str] = field(default_factory=Counter)
    while_writing: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    """Kills after which the step turned out to be done."""

    def __post_init__(self) -> None:
        self.prepare()

    def prepare(self) -> None:
        """Prepare for looking at the database from outside."""

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        variables = {**os.environ, "COVERSLIP_HOME": str(self.home), "COVERSLIP_DATABASE_URL": self.url}
        return subprocess.Popen(
            [sys.executable, "-m", "coverslip", *words],
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def run(self, *words: str) -> None:
        """Run a command to its end."""
        process = self.start(*words)
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 0, said.decode()

    def until(self, is_done: Callable[[], bool], *words: str) -> None:
        """Kill a command again and again until it is done all the same; let it be after some times."""
        for _ in range(TIMES):
            was_killed = self.kill(*words)
            if is_done():
                self.done[words[0]] += was_killed
                return
        self.run(*words)
        assert is_done()

    def kill(self, *words: str) -> bool:
        """Start a command and kill it once it writes to the catalog, or some time later; return whether it was."""
        process = self.start(*words)
        looks_before_the_kill = self.chance.choice((1, 2, 4, 8, 16, 32))
        was_writing, deadline = False, time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            if self.is_written_to():  # the right to clean first, then the plan itself
                looks_before_the_kill -= 1
                if looks_before_the_kill <= 0:
                    break
            time.sleep(0.001)
        time.sleep(self.chance.choice((0, self.chance.uniform(0, 0.02), self.chance.uniform(0, 0.2))))
        was_writing = process.poll() is None and self.is_written_to()
        process.send_signal(signal.SIGKILL)
        process.communicate()
        self._wait_for_its_connections()
        self._end_its_lease()
        if process.returncode != -signal.SIGKILL:
            return False
        self.killed[words[0]] += 1
        self.while_writing[words[0]] += was_writing
        return True

    def is_written_to(self) -> bool:
        """Return whether somebody else is in a transaction that writes."""
        raise NotImplementedError

    def _wait_for_its_connections(self) -> None:
        """Return when what the killed command sent to the server has arrived or is taken back."""

    def _end_its_lease(self) -> None:
        """Let the right to clean end, which the killed command would have kept for a minute."""
        with self.catalog._database.writing() as connection:
            connection.exec_driver_sql("DELETE FROM chore WHERE substr(name, 1, 8) = 'cleanup '")

    def check_database(self) -> None:
        """Fail when the database is damaged or the log does not hold together."""
        assert self.catalog.verify_audit()[1] == ()


class SqliteKiller(Killer):
    """With SQLite, whoever writes has the lock."""

    def is_written_to(self) -> bool:
        import sqlite3

        path = self.url.removeprefix("sqlite:///")
        probe = sqlite3.connect(path, timeout=0, isolation_level=None)
        try:
            probe.execute("BEGIN IMMEDIATE")
            probe.execute("ROLLBACK")
        except sqlite3.OperationalError:
            return True
        finally:
            probe.close()
        return False

    def check_database(self) -> None:
        super().check_database()
        with self.catalog._database.reading() as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall() == []


class PostgresKiller(Killer):
    """With PostgreSQL, whoever has a number of a transaction writes."""

    def prepare(self) -> None:
        self.eye = psycopg.connect(self.url, autocommit=True, application_name="eye")

    def is_written_to(self) -> bool:
        wanted = "SELECT count(*) FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()"
        return self.eye.execute(wanted).fetchone() != (0,)

    def _wait_for_its_connections(self) -> None:
        self.catalog.close()  # ours come back with the next statement
        others = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        deadline = time.monotonic() + 30
        while self.eye.execute(others).fetchone() != (0,):
            assert time.monotonic() < deadline, "the server does not notice that a client is gone"
            time.sleep(0.005)


@dataclass
class Ground:
    """Layouts of one catalog and how many of their rows are gone."""

    folder: Path
    catalog: Catalog

    def layout(self, gone: int) -> str:
        """Return a layout of which so many annotations have no document."""
        top = self.folder / uuid4().hex
        entities = [
            EntitySeen("dataset", "datasets/1", None, "1", key="1/dataset_metadata.json"),
            EntitySeen("run", "datasets/1/runs/TS_1", "datasets/1", "TS_1", key="1/TS_1/run_metadata.json"),
            EntitySeen("voxel_spacing", SPACING, "datasets/1/runs/TS_1", "10.000", key=FOLDER),
        ]
        for number in range(ROWS):
            key = f"{FOLDER}/Annotations/{100 + number}/a-1.0.json"
            document = {"annotation_object": {"name": "membrane"}, "authors": [{"name": "A"}]}
            identity = f"{SPACING}/annotations/10301/{number}/100"
            entities.append(EntitySeen("annotation", identity, SPACING, "a", "10301", key=key, document=document))
        for one in entities[: len(entities) - gone]:
            if one.key.endswith(".json"):
                (top / one.key).parent.mkdir(parents=True, exist_ok=True)
                (top / one.key).write_bytes(b"{}")
        self.catalog.sync_entities(str(top), entities)
        return str(top)

    def plan(self, layout: str, some: tuple[int, ...] = ()) -> CleanupPlan:
        """Return a plan to remove what is gone."""
        scope = Scope("annotation", layout=layout, entity_ids=some)
        return make_plan(self.catalog, scope, asking(RULES), actor="somebody")

    def rows(self, layout: str) -> dict[int, Any]:
        """Return every row of a layout just as it is."""
        with self.catalog._database.reading() as connection:
            quoted = layout.replace("'", "''")
            found = connection.exec_driver_sql(f"SELECT * FROM entity WHERE layout = '{quoted}'")
            return {row.id: dict(row._mapping) for row in found}

    def removed(self, layout: str) -> set[int]:
        """Return the rows that are tombstones."""
        return {number for number, row in self.rows(layout).items() if row["deleted_at"] is not None}

    def lines(self, plan: CleanupPlan, action: str) -> list[int]:
        """Return the rows that the log names for a plan and an action."""
        found = self.catalog.audit(plan_id=plan.id, limit=10_000)
        return [line.record["id"] for line in found if line.action == action]


def test_commands_killed_at_random_instants(
    url: str, tmp_path: Path, request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> None:
    kills = LONG if request.config.getoption("--long") else SHORT
    with open_catalog(url) as catalog:
        kind = SqliteKiller if url.startswith("sqlite") else PostgresKiller
        killer = kind(tmp_path / "home", url, catalog)
        ground = Ground(tmp_path / "layouts", catalog)
        layout = ground.layout(GONE)
        for _ in range(10 * kills):
            if min(killer.killed["clean"], killer.killed["undo"]) >= kills:
                break
            removed_and_brought_back(ground, killer, layout)
        for _ in range(10 * kills):
            if killer.killed["purge"] >= kills:
                break
            purged(ground, killer)
        killer.check_database()
        if isinstance(killer, PostgresKiller):
            killer.eye.close()
    shutil.rmtree(tmp_path / "layouts")
    for name in ("clean", "undo", "purge"):
        words = f"{killer.killed[name]} kills, {killer.while_writing[name]} of them while it wrote"
        record_property("proof", f"{name}: {words}, after {killer.done[name]} the step was done as a whole")
    record_property("proof", f"kills {killer.killed.total()}, steps done by half 0, rows lost 0")  # or it had failed
    assert all(killer.killed[name] >= kills for name in ("clean", "undo", "purge"))


def removed_and_brought_back(ground: Ground, killer: Killer, layout: str) -> None:
    """Kill applications and undos of one plan until they are done all the same; in the end all is as it was."""
    catalog = ground.catalog
    before = ground.rows(layout)
    plan = ground.plan(layout)
    going = {one.id for one in plan.removals}
    assert len(going) == GONE

    def is_applied() -> bool:
        state, removed = catalog.plan(plan.id).state, ground.removed(layout)
        assert (state, removed) in (("open", set()), ("applied", going)), f"half of plan {plan.id} is applied"
        assert sorted(ground.lines(plan, "remove")) == sorted(removed)
        return state == "applied"

    def is_undone() -> bool:
        state, removed = catalog.plan(plan.id).state, ground.removed(layout)
        assert (state, removed) in (("applied", going), ("undone", set())), f"half of plan {plan.id} is undone"
        assert sorted(ground.lines(plan, "restore")) == sorted(going - removed)
        return state == "undone"

    apply = ("clean", "annotations", "--plan", plan.id, "--no-dry-run", "--yes", "--allow-removal", str(GONE))
    killer.until(is_applied, *apply)
    killer.until(is_undone, "undo", plan.id)
    assert ground.rows(layout) == before
    killer.check_database()


def purged(ground: Ground, killer: Killer) -> None:
    """Kill a purge of several plans again and again; each of them is purged as a whole, or not."""
    catalog = ground.catalog
    layout = ground.layout(GONE)
    ids = sorted({one.id for one in ground.plan(layout).removals})
    plans = [ground.plan(layout, tuple(ids[first::PLANS])) for first in range(PLANS)]
    for plan in plans:
        catalog.apply_plan(plan.id, actor="somebody", allow=GONE)
    purge = ("purge", "--older-than-days", "0", "--yes")
    rows = ground.rows(layout)

    def is_purged() -> bool:
        left_rows = ground.rows(layout)
        states = []
        for plan in plans:
            going, state = {one.id for one in plan.removals}, catalog.plan(plan.id).state
            left = going & left_rows.keys()
            assert (state, left) in (("applied", going), ("purged", set())), f"half of plan {plan.id} is purged"
            assert sorted(ground.lines(plan, "purge")) == sorted(going - left)
            states.append(state)
        return set(states) == {"purged"}

    killer.until(is_purged, *purge)
    killer.check_database()
    left_rows = ground.rows(layout)
    assert left_rows.keys() == rows.keys() - set(ids)
    assert all(row["deleted_at"] is None for row in left_rows.values())
