"""Stale records found and removed, and what an import pays for looking for them.

Beside asking for every object by itself and deleting every record as an object of SQLAlchemy's ORM. The catalog is
SQLite and PostgreSQL; the layout lies on a real S3-protocol server on this machine.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import psycopg
from sqlalchemy import make_url

from benchmarks import orm
from benchmarks.conditions import folder, is_quick
from benchmarks.existence import BUCKET, environment, fill
from benchmarks.imports import import_rows
from benchmarks.row import Row
from coverslip.cleanup import apply_plan, asking, make_plan
from coverslip.cleanup.planning import Asked
from coverslip.derive import open_catalog
from coverslip.model.entities import EntityFile, EntitySeen
from coverslip.model.removal import Scope
from coverslip.sources import RemoteRules
from tests.services.postgres import postgres
from tests.services.s3 import S3Server, serve_s3

RUNS = 100
FILES = ("point.ndjson", "orientedpoint.ndjson", "segmentationmask.mrc")
"""Ends of the names of the files of each annotation."""
SHAPES = ("Point", "OrientedPoint", "SegmentationMask")
EVERY_TENTH = 10
"""Of the annotations of every run these are gone."""
SAMPLED = 10_000
"""Objects of which each is asked for; the time is multiplied."""
TIMES = 100
"""How much faster than one request for each object and one object of the ORM for each row it should be."""
MOST_MEGABYTES = 1_000
DOCUMENT = {
    "annotation_object": {"name": "membrane", "id": "GO:0016020"},
    "annotation_method": "by hand",
    "authors": [{"name": f"Author {number}"} for number in range(orm.AUTHORS)],
    "method_links": [{"link": "https://example.org", "link_type": "documentation"}],
}

type Where = Callable[[], AbstractContextManager[str]]


@dataclass(frozen=True, slots=True)
class Cost:
    """What finding and removing took."""

    find_ms: float
    remove_ms: float
    removed: int
    requests: int
    """Of both."""
    catalog_ms: float
    """Of both, without the looks at the bucket."""
    megabytes: float
    """Highest resident memory above that of the idle process."""

    @property
    def ms(self) -> float:
        """Of all."""
        return self.find_ms + self.remove_ms


def rows() -> list[Row]:
    """Return the rows of both databases, then those of imports."""
    count = 2_000 if is_quick() else 100_000
    keys = [key for number in range(count) if number // RUNS % EVERY_TENTH for key in keys_of(number)]
    tops = ["10001/dataset_metadata.json", *(f"10001/TS_{run}/run_metadata.json" for run in range(RUNS))]
    with serve_s3() as server, environment(server.environment):
        server.make_bucket(BUCKET)
        fill(server, [*tops, *keys], "cleanup")
        each = _head_each(server, [key for number in range(count) for key in keys_of(number)])
        listing = _list_all(server)
        found = [
            row
            for name, where in (("SQLite", _sqlite), ("PostgreSQL", _postgres))
            for row in _rows(name, where, count, each, listing)
        ]
    return [*found, *import_rows()]


def keys_of(number: int) -> list[str]:
    """Return the keys of an annotation: its document, then its files."""
    name = f"10001/TS_{number % RUNS}/Reconstructions/VoxelSpacing10.000/Annotations/{100 + number}/membrane-1.0"
    return [f"{name}.json", *(f"{name}_{end}" for end in FILES)]


def _list_all(server: S3Server) -> float:
    """Return the milliseconds of one listing of everything that is there."""
    client = server.client()
    start = time.perf_counter()
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="cleanup/"):
        assert page["KeyCount"]
    taken = (time.perf_counter() - start) * 1e3
    client.close()
    return taken


def _head_each(server: S3Server, keys: Sequence[str]) -> float:
    """Return the milliseconds of one request for each object, by those for some of them."""
    client = server.client()
    sample = keys[:: max(1, len(keys) // SAMPLED)]
    start = time.perf_counter()
    for key in sample:
        with suppress(client.exceptions.ClientError):  # 404
            client.head_object(Bucket=BUCKET, Key=f"cleanup/{key}")
    taken = (time.perf_counter() - start) * 1e3
    client.close()
    return taken * len(keys) / len(sample)


@contextmanager
def _sqlite() -> Iterator[str]:
    with TemporaryDirectory(dir=folder()) as place:
        yield f"sqlite:///{place}/catalog.sqlite"


@contextmanager
def _postgres() -> Iterator[str]:
    with postgres(fsync="on", full_page_writes="on", synchronous_commit="on") as address:
        name = f"cleanup_{uuid4().hex}"
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        yield make_url(address).set(database=name).render_as_string(hide_password=False)


def _rows(name: str, where: Where, count: int, each: float, listing: float) -> list[Row]:
    stale = count // EVERY_TENTH
    with where() as url:
        _catalog(url, count)
        cost = _clean(url)
    assert cost.removed == stale
    with where() as url:
        orm.fill(url, stale)
        start = time.perf_counter()
        assert orm.delete_each(url) == stale
        deleting = (time.perf_counter() - start) * 1e3
    objects = count * (1 + len(FILES))
    head, delete = f"boto3, HEAD each of {objects:,} objects ({min(SAMPLED, objects):,} measured)", "ORM, row by row"
    work = f"{count:,} annotations with {len(FILES)} files each, 10 % stale"
    return [
        Row(
            work=f"{work}: found and removed ({name})",
            ours=_short(cost.ms),
            unit="ms",
            peers={f"{head} + {delete}": _short(each + deleting)},
            goal=f"{TIMES} times as fast",
            reached=cost.ms * TIMES <= each + deleting,
            note=f"{(each + deleting) / cost.ms:.0f} times as fast; {cost.requests:,} requests; "
            f"{_short(cost.catalog_ms):,.0f} ms of it in the catalog",
        ),
        Row(
            work=f"{work}: found ({name})",
            ours=_short(cost.find_ms),
            unit="ms",
            peers={head: _short(each), "boto3, one bare listing": _short(listing)},
            goal="reported",
            reached=True,
            note=f"{each / cost.find_ms:.0f} times as fast",
        ),
        Row(
            work=f"{stale:,} of them looked at once more and removed ({name})",
            ours=_short(cost.remove_ms),
            unit="ms",
            peers={f"{delete}, {orm.ROWS_EACH} rows each": _short(deleting)},
            goal="reported",
            reached=True,
            note="with another look at each, the log and what an undo needs; the ORM looks at and keeps nothing",
        ),
        Row(
            work=f"{work}: memory ({name})",
            ours=_short(cost.megabytes),
            unit="MB",
            goal=f"within {MOST_MEGABYTES:,} MB",
            reached=cost.megabytes <= MOST_MEGABYTES,
            note="resident memory above that of the idle process",
        ),
    ]


def _catalog(url: str, count: int) -> None:
    """Catalog all annotations, those that are gone too, run by run."""
    dataset = EntitySeen("dataset", "datasets/10001", None, "10001", key="10001/dataset_metadata.json")
    with open_catalog(url) as catalog:
        for run in range(min(RUNS, count)):
            of_run = f"datasets/10001/runs/TS_{run}"
            spacing = f"{of_run}/spacings/10.000"
            at = f"10001/TS_{run}"
            entities = [
                dataset,
                EntitySeen("run", of_run, dataset.identity, f"TS_{run}", key=f"{at}/run_metadata.json"),
                EntitySeen("voxel_spacing", spacing, of_run, "10.000", key=f"{at}/Reconstructions/VoxelSpacing10.000"),
                *(_annotation(number, spacing) for number in range(run, count, RUNS)),
            ]
            catalog.sync_entities(f"s3://{BUCKET}/cleanup", entities)


def _annotation(number: int, spacing: str) -> EntitySeen:
    document, *files = keys_of(number)
    made = tuple(EntityFile(key, key.rpartition(".")[2], shape, "1") for key, shape in zip(files, SHAPES, strict=True))
    identity = f"{spacing}/annotations/10301/{number}/{100 + number}"
    return EntitySeen(
        "annotation",
        identity,
        spacing,
        "membrane",
        "10301",
        100 + number,
        document,
        {**DOCUMENT, "number": number},
        made,
    )


def _clean(url: str) -> Cost:
    """Find and remove in a process of its own, whose memory is watched."""
    context = get_context("spawn")
    told = context.Queue()
    process = context.Process(target=clean, args=(url, told))
    process.start()
    cost: Cost = told.get()
    process.join()
    return cost


def clean(url: str, told: Any) -> None:
    """Make a plan for all annotations and apply it; tell what it took."""
    asked: list[Asked] = []
    ask = asking(RemoteRules((), Path("/nowhere"), 0))

    def look(*words: Any, **more: Any) -> Asked:
        asked.append(ask(*words, **more))
        return asked[-1]

    with open_catalog(url) as catalog:
        catalog.candidates(Scope("annotation", layout="s3://nowhere"))
        memory = Memory()
        start = time.perf_counter()
        plan = make_plan(catalog, Scope("annotation", everything=True), look, actor="bench")
        found = time.perf_counter()
        applied = apply_plan(catalog, plan.id, look, actor="bench")
        end = time.perf_counter()
        assert not plan.stops
        assert not plan.unknown
        looking = sum(one.seconds for one in asked)
        told.put(
            Cost(
                (found - start) * 1e3,
                (end - found) * 1e3,
                len(applied.removed),
                sum(one.requests for one in asked),
                (end - start - looking) * 1e3,
                memory.above(),
            )
        )


class Memory:
    """The highest resident memory since it was made, watched by a thread; Linux alone."""

    def __init__(self) -> None:
        self._idle = self._top = resident()
        self._stop = threading.Event()
        self._watcher = threading.Thread(target=self._watch)
        self._watcher.start()

    def above(self) -> float:
        """Stop watching and return the megabytes above those of the beginning."""
        self._stop.set()
        self._watcher.join()
        return self._top - self._idle

    def _watch(self) -> None:
        while not self._stop.wait(0.02):
            self._top = max(self._top, resident())


def resident() -> float:
    """Return the resident memory of this process in megabytes."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096 / 1e6


def _short(value: float) -> float:
    return float(f"{value:.3g}")
