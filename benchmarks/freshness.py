"""Saves, claims and marks in a large catalog, and the time from a change to the fresh picture. On both databases."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import tifffile
from sqlalchemy import event
from sqlalchemy.pool import Pool

from benchmarks.conditions import folder, is_quick, rounds
from benchmarks.library import FRAMES_EACH, KINDS, annotate_many, fill, settle
from benchmarks.row import Row
from coverslip.catalog import Catalog
from coverslip.derive import Builder, open_catalog, run_builder
from coverslip.ingest import add
from coverslip.model.annotations import AnnotationContent, Frames
from coverslip.model.records import SeenFile, SyncItem
from coverslip.storage import open_storage
from tests.services.postgres import postgres

WORKERS = 4
DURABLE = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}
FORGETFUL = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}

type Where = Callable[[], "Any"]


def rows() -> list[Row]:
    """Return the rows of each database in turn."""
    return [
        *_saves("SQLite, synchronous=full", _sqlite),
        *_saves("SQLite, synchronous=off", _forgetful_sqlite),
        *_saves("PostgreSQL, fsync on", lambda: postgres(**DURABLE)),
        *_saves("PostgreSQL, fsync off", lambda: postgres(**FORGETFUL)),
        _cycles("SQLite, synchronous=full", _sqlite, 3_000),
        _cycles("PostgreSQL, fsync on", lambda: postgres(**DURABLE), 4_000),
        _marks("SQLite", _sqlite, 100),
        _marks("PostgreSQL", lambda: postgres(**DURABLE), 600),
        *_lag("SQLite", _sqlite),
        *_lag("PostgreSQL", lambda: postgres(**DURABLE)),
    ]


@contextmanager
def _sqlite() -> Iterator[str]:
    with TemporaryDirectory(dir=folder()) as place:
        yield f"sqlite:///{place}/catalog.sqlite"


@contextmanager
def _forgetful_sqlite() -> Iterator[str]:
    """Let SQLite leave the writing to the system, as it never does in the product."""

    def forget(connection: Any, *_: object) -> None:
        connection.execute("PRAGMA synchronous=OFF")

    event.listen(Pool, "checkout", forget)
    try:
        with _sqlite() as url:
            yield url
    finally:
        event.remove(Pool, "checkout", forget)


def _saves(name: str, where: Where) -> list[Row]:
    """Boundaries are moved in a catalog of many annotations; each save moves a neighbour and marks two artifacts."""
    count, saves = (2_000, 50) if is_quick() else (100_000, 1_000)
    with where() as url, Catalog.open(url, versions={}, annotation_versions={"noop": 1}) as catalog:
        images = fill(catalog, count // FRAMES_EACH)
        annotate_many(url, images)
        settle(url)
        dice = np.random.default_rng(1)
        taken = []
        for number in range(saves):
            ranges = catalog.annotations_of(images[int(dice.integers(len(images)))])
            chosen = ranges[int(dice.integers(1, len(ranges) - 1))]
            last = chosen.frames.last + (1 if chosen.frames.last - chosen.frames.first < 3 else -1)
            frames = {**chosen.frames.model_dump(mode="json"), "last": last}
            start = time.perf_counter()
            saved = catalog.save_annotation(
                chosen.id, {"frames": frames}, revision=chosen.revision, save_id=f"save {number}", tiled=True
            )
            taken.append((time.perf_counter() - start) * 1e3)
            assert len(saved.neighbours) == 1
    p50, p99 = (float(f"{value:.3g}") for value in np.percentile(taken, [50, 99]))
    work = f"save of moved boundaries, p99, {count:,} annotations ({name})"
    note = f"median {p50:g} ms; two annotations, their revisions, a change, two marks and events in one transaction"
    return [Row(work=work, ours=p99, unit="ms", goal="under 5 ms", reached=p99 < 5, note=note)]


def _cycles(name: str, where: Where, goal: float) -> Row:
    """Four processes claim, build and finish artifacts that cost nothing."""
    count = 2_000 if is_quick() else 30_000
    found, waits, shares = [], [], []
    with where() as url, TemporaryDirectory() as storage, Catalog.open(url, versions={"noop": 1}) as catalog:
        fill(catalog, count)
        for _ in range(rounds(3)):
            catalog.rebuild()
            context = get_context("spawn")
            start, told = context.Barrier(WORKERS), context.Queue()
            crew = [context.Process(target=drain, args=(url, storage, start, told)) for _ in range(WORKERS)]
            for process in crew:
                process.start()
            results = [told.get() for _ in crew]
            for process in crew:
                process.join()
            built = [number for number, _, _, _ in results]
            assert sum(built) == count
            found.append(count / (max(end for *_, end in results) - min(begin for _, _, begin, _ in results)))
            waits.append(max(wait for _, wait, _, _ in results))
            shares.append(min(built) / (count / WORKERS))
    ours = float(f"{np.median(found):.3g}")
    note = f"the worker with least did {min(shares):.0%} of its share, the longest wait was {max(waits) * 1e3:.0f} ms"
    return Row(
        work=f"claim, build and finish of a kind that does nothing, {WORKERS} processes ({name})",
        ours=ours,
        unit="/s",
        goal=f"at least {goal:,.0f}/s, none starved",
        reached=ours >= goal and min(shares) > 0.5,
        note=note,
    )


def drain(url: str, storage: str, start: Any, told: Any) -> None:
    """Build what there is; tell how many, the longest wait for something to build, and when it began and ended."""
    with Catalog.open(url, versions={"noop": 1}) as catalog:
        builder = Builder(catalog, open_storage(storage), lease_seconds=30, kinds=KINDS)
        start.wait()
        begin = end = time.perf_counter()
        built, longest = 0, 0.0
        while outcomes := builder.build_some():
            built += len(outcomes)
            longest, end = max(longest, time.perf_counter() - end), time.perf_counter()
        told.put((built, longest, begin, end))


def _marks(name: str, where: Where, goal: float) -> Row:
    """One file changes that many annotations are about."""
    count = 2_000 if is_quick() else 100_000
    taken = []
    with where() as url, Catalog.open(url, versions={}, annotation_versions={"noop": 1}) as catalog:
        (image,) = fill(catalog, 1)
        annotate_many(url, [image], count)
        path = catalog.get_image(image).path
        metadata = catalog.get_image(image).metadata
        for number in range(rounds(5)):
            settle(url)
            item = SyncItem(SeenFile(path=path, size=1, mtime_ns=2 + number), "ok", None, (metadata,))
            start = time.perf_counter()
            catalog.sync_files([item], read_by="bench")
            taken.append((time.perf_counter() - start) * 1e3)
            assert catalog.stale_by_kind({"noop": 1})["noop"].count == count
    ours = float(f"{np.median(taken):.3g}")
    work = f"{count:,} artifacts marked by one change of their file ({name})"
    note = "reading nothing: the file's row, the marks and the events in one transaction"
    return Row(work=work, ours=ours, unit="ms", goal=f"under {goal:,.0f} ms", reached=ours < goal, note=note)


def _lag(name: str, where: Where) -> list[Row]:
    """Save ten times a second, as annotators do together, while the server's own builder builds."""
    saves = 20 if is_quick() else 300
    with where() as url, TemporaryDirectory(dir=folder()) as place, open_catalog(url) as catalog:
        film = Path(place) / "film.tif"
        pixels = np.random.default_rng(1).poisson(50, (60, 256, 256)).astype(np.uint8)
        tifffile.imwrite(film, pixels, imagej=True, metadata={"axes": "TYX"})
        add([film], catalog=catalog)
        image_id = catalog.list_images().images[0].id
        builder = Builder(catalog, open_storage(f"{place}/artifacts"), lease_seconds=30)
        ranges = [
            catalog.create_annotation(
                image_id, AnnotationContent(frames=Frames(first=first, last=first + 9)), tiled=True
            ).annotation.id
            for first in range(0, 60, 10)
        ]
        while builder.build_some():
            pass
        before = builder.metrics.counts().built.get("combined", 0)
        lags = _noted_lags(builder)
        stop, wake = threading.Event(), threading.Event()
        catalog.when_marked(lambda _: wake.set())
        thread = threading.Thread(target=run_builder, args=(builder, 2, stop, wake))
        thread.start()
        try:
            for number in range(saves):
                chosen = catalog.annotation(ranges[1 + number % (len(ranges) - 2)])
                last = chosen.frames.last + (1 if len(chosen.frames) < 10 else -1)
                frames = {**chosen.frames.model_dump(mode="json"), "last": last}
                catalog.save_annotation(chosen.id, {"frames": frames}, revision=chosen.revision, tiled=True)
                time.sleep(0.1)
            while catalog.stale_by_kind(builder.versions)["combined"].count:
                time.sleep(0.05)
        finally:
            stop.set()
            thread.join()
        built = builder.metrics.counts().built["combined"] - before
    p50, p99 = (float(f"{1e3 * value:.3g}") for value in np.percentile(lags, [50, 99]))
    work = f"from a save to the fresh combined image, p99 ({name})"
    note = f"median {p50:g} ms; {saves} saves, {built} builds of about ten frames of 256 x 256, no pause waited for"
    return [Row(work=work, ours=p99, unit="ms", goal="reported", reached=True, note=note)]


def _noted_lags(builder: Builder) -> list[float]:
    """Return the list into which the lags of a builder go from now on."""
    lags: list[float] = []
    record = builder.metrics.record

    def note(outcome: Any) -> None:
        record(outcome)
        if outcome.lag is not None:
            lags.append(outcome.lag)

    builder.metrics.record = note  # type: ignore[method-assign]
    return lags
