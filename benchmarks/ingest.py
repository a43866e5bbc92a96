"""Ingests of cryo-ET: one annotation more in a crowded run, beside ingesting everything again; and doing nothing."""

import json
import shutil
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from typer.testing import CliRunner

from benchmarks.conditions import folder, is_quick, rounds
from benchmarks.deposition import Crowded
from benchmarks.row import Row
from coverslip.cli.building import open_builder
from coverslip.cli.ingest import app
from coverslip.cli.output import amount
from coverslip.derive import build_all, open_executor
from coverslip.derive.kinds import ENTITY_KINDS
from coverslip.settings import Settings

ALL_AGAIN = "everything again"
"""What a system does that cannot tell what changed: all files are written, all that is shown is built. Done here by the
same commands, without what they remember."""
MOST_OF_TIME, MOST_OF_BYTES = 0.1, 0.01
"""How much of what ingesting everything again takes one annotation may take."""
MOST_OF_FIRST = 0.1
"""How much of the time of the first ingest one that changes nothing may take."""
MOST_OF_OFF = 1.1
"""How much more time an ingest of everything at once may take because annotations make views stale."""
SIDE = 256
"""Of every tomogram, in voxels."""
PARTS = 5
"""In how many parts annotations come after their tomograms."""


@dataclass(slots=True)
class Done:
    """What some commands did."""

    ms: float = 0.0
    building_ms: float = 0.0
    """Of these."""
    layout_bytes: int = 0
    artifact_bytes: int = 0
    built: Counter[str] = field(default_factory=Counter)
    """Artifacts by kind."""
    volumes_opened: int = 0
    steps: Counter[str] = field(default_factory=Counter)

    @property
    def bytes(self) -> int:
        """Written to the layout and to the storage of artifacts."""
        return self.layout_bytes + self.artifact_bytes


@dataclass(frozen=True, slots=True)
class Place:
    """A home, and the layout that is ingested to."""

    home: Path
    layout: Path
    is_following: bool = True

    def ingest(self, config: Path, done: Done, *words: str) -> None:
        """Do ``coverslip ingest apply --no-views`` in this process."""
        sides = ["--input", str(config.parent), "--output", str(self.layout)]
        given = {"COVERSLIP_HOME": str(self.home), "COVERSLIP_FOLLOW_ANNOTATIONS": str(self.is_following)}
        self.layout.mkdir(parents=True, exist_ok=True)
        start = time.perf_counter()
        result = CliRunner().invoke(app, ["apply", str(config), *sides, "--no-views", "--json", *words], env=given)
        done.ms += (time.perf_counter() - start) * 1e3
        if result.exit_code:
            raise RuntimeError(f"{config} cannot be ingested: {result.output} {result.exception}")
        report: Mapping[str, Any] = json.loads(result.stdout)
        done.layout_bytes += report["bytes_written"]
        done.volumes_opened += report["volumes_opened"]
        done.steps.update(report["counts"])

    def build(self, done: Done) -> None:
        """Build what is stale as ``coverslip worker --until-done`` does, in this process."""
        settings = Settings.load(home=self.home, follow_annotations=self.is_following)
        before, start = self._artifact_bytes(), time.perf_counter()
        stop = threading.Event()
        with open_builder(settings) as (_, builder), open_executor(settings, builder, 2, stop) as (executor, step):
            build_all(step, executor, concurrency=2, should_stop=stop)
            counts = builder.metrics.counts()
        ms = (time.perf_counter() - start) * 1e3
        if counts.failed:
            raise RuntimeError(f"builds failed: {counts.failed}")
        done.ms, done.building_ms = done.ms + ms, done.building_ms + ms
        done.built.update(counts.built)
        done.artifact_bytes += self._artifact_bytes() - before

    def _artifact_bytes(self) -> int:
        return sum(path.stat().st_size for path in (self.home / "artifacts").rglob("*.*") if path.is_file())


def rows() -> list[Row]:
    """Return the rows of one annotation more, of an ingest that changes nothing, and of following annotations."""
    with TemporaryDirectory(dir=folder()) as place:
        top = Path(place)
        crowd = Crowded(top / "in", 4, 10, side=32) if is_quick() else Crowded(top / "in", side=SIDE)
        first = crowd.write()
        return [*_added(top / "added", crowd, first), _again(top / "again", first), *_following(top, crowd, first)]


def _added(top: Path, crowd: Crowded, first: Path) -> list[Row]:
    """Add one annotation to a run: time, bytes, and what was built."""
    here = Place(top / "home", top / "layout")
    begun = Done()
    here.ingest(first, begun)
    here.build(begun)
    shutil.copytree(here.layout, top / "before")
    ours, everything = list[Done](), list[Done]()
    for number in range(1, rounds(5) + 1):
        config = crowd.add(number)
        ours.append(Done())
        here.ingest(config, ours[-1])
        here.build(ours[-1])
        there = Place(top / f"home-{number}", top / f"layout-{number}")
        shutil.copytree(top / "before", there.layout)
        everything.append(Done())
        there.ingest(first, everything[-1])
        there.ingest(config, everything[-1])
        there.build(everything[-1])
        for path in (there.home, there.layout):
            shutil.rmtree(path)
    expected = Counter({"precomputed-point": 1, **dict.fromkeys(ENTITY_KINDS.of_tomograms, crowd.tomograms)})
    work = f"one annotation more in a run with {crowd.annotations} and {crowd.tomograms} tomograms"
    mine, theirs = _median(ours, lambda one: one.ms), _median(everything, lambda one: one.ms)
    building = _median(ours, lambda one: one.building_ms)
    written, all_written = (_median(some, lambda one: one.bytes / 1e3) for some in (ours, everything))
    in_layout, of_all = (_median(some, lambda one: one.layout_bytes / 1e3) for some in (ours, everything))
    return [
        Row(
            work=f"{work}: ingest and builds",
            ours=mine,
            unit="ms",
            peers={ALL_AGAIN: theirs},
            goal=f"within {MOST_OF_TIME}x of {ALL_AGAIN}",
            reached=mine <= MOST_OF_TIME * theirs,
            note=f"{mine / theirs:.3f}x; {building:,.0f} ms of it builds",
        ),
        Row(
            work=f"{work}: bytes written",
            ours=written,
            unit="kB",
            peers={ALL_AGAIN: all_written},
            goal=f"within {MOST_OF_BYTES}x of {ALL_AGAIN}",
            reached=written <= MOST_OF_BYTES * all_written,
            note=f"{written / all_written:.3f}x; to the layout {in_layout:,.1f} kB, beside {of_all:,.0f} kB, the rest "
            "is artifacts",
        ),
        Row(
            work=f"{work}: artifacts built",
            ours=ours[-1].built.total(),
            unit="artifacts",
            peers={ALL_AGAIN: everything[-1].built.total()},
            goal="one precompute and the views of the tomograms, each once",
            reached=all(one.built == expected for one in ours),
            note=_said(ours[-1].built),
        ),
    ]


def _again(top: Path, first: Path) -> Row:
    """Ingest the same config twice."""
    once, twice = list[Done](), list[Done]()
    for number in range(rounds(5)):
        place = Place(top / f"home-{number}", top / f"layout-{number}")
        for some in (once, twice):
            some.append(Done())
            place.ingest(first, some[-1])
        shutil.rmtree(place.layout)
    ours, before = _median(twice, lambda one: one.ms), _median(once, lambda one: one.ms)
    opened, written = (
        max(numbers) for numbers in zip(*((one.volumes_opened, one.bytes) for one in twice), strict=True)
    )
    return Row(
        work=f"ingest of {once[-1].steps.total():,} steps that changes nothing",
        ours=ours,
        unit="ms",
        peers={"the first time": before},
        goal=f"within {MOST_OF_FIRST}x of the first time, nothing opened or written",
        reached=ours <= MOST_OF_FIRST * before and not (opened or written) and set(twice[-1].steps) == {"unchanged"},
        note=f"{ours / before:.3f}x; {opened} volumes opened, {written} bytes written; the first time "
        f"{once[-1].volumes_opened} and {once[-1].bytes / 1e6:.1f} MB",
    )


def _following(top: Path, crowd: Crowded, first: Path) -> list[Row]:
    """Let annotations make views stale, or not: all ingested at once, and tomograms before annotations."""
    tens = -(-crowd.annotations // 10)
    each = -(-tens // PARTS)
    starts = range(0, tens, each)
    parts: list[Sequence[str]] = [("--exclude", "annotation=.*")]
    parts += [("--filter", f"annotation=picks-[{start}-{min(start + each, tens) - 1}]") for start in starts]
    ways: Mapping[str, Sequence[Sequence[str]]] = {
        "ingest and builds of everything, at once": [()],
        f"the same, tomograms first, annotations in {amount(len(starts), 'part')}, built after each": parts,
    }
    found = []
    for number, (work, way) in enumerate(ways.items()):
        on, off = list[Done](), list[Done]()
        for turn in range(rounds(3)):
            both = ((on, True), (off, False))
            for some, is_following in both if turn % 2 else reversed(both):
                name = f"{number}-{turn}-{is_following}"
                place = Place(top / f"following-{name}", top / f"followed-{name}", is_following)
                some.append(Done())
                for words in way:
                    place.ingest(first, some[-1], *words)
                    place.build(some[-1])
                shutil.rmtree(place.layout)
        ours, without = _median(on, lambda one: one.ms), _median(off, lambda one: one.ms)
        is_at_once = len(way) == 1
        found.append(
            Row(
                work=work,
                ours=ours,
                unit="ms",
                peers={"follow_annotations off": without},
                goal=f"within {MOST_OF_OFF}x of off, the same builds" if is_at_once else "reported",
                reached=not is_at_once or (ours <= MOST_OF_OFF * without and on[-1].built == off[-1].built),
                note=f"{ours / without:.2f}x; {on[-1].built.total()} artifacts built, off {off[-1].built.total()}: "
                + "; ".join(f"{name} {_said(_views(some[-1].built))}" for name, some in (("on", on), ("off", off)))
                + ("" if is_at_once else "; off, the views do not show the annotations"),
            )
        )
    return found


def _views(built: Counter[str]) -> Counter[str]:
    """Return what was built that shows annotations."""
    return Counter({kind: count for kind, count in built.items() if kind in ENTITY_KINDS.of_tomograms})


def _said(built: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(built.items()))


def _median(some: Sequence[Done], value: Callable[[Done], float]) -> float:
    return float(f"{statistics.median(map(value, some)):.3g}")
