"""Exports from files to files, beside what UELer 0.5.0 took for the same, and beside drawing from memory alone.

Its numbers were recorded on data of this size on two cores; they are scaled by how long two of the pieces that they
consist of take here, in turns with what is measured: the formulas in plain NumPy for one field of view, and its PNG
written by Pillow. The smaller one of the two factors counts, and of everything the fastest turn. The limit is drawing
the same items in as many threads from pixels in memory, without a file.
"""

import gc
import io
import os
import shutil
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks import exportdata as data
from benchmarks import exportrender as drawing
from benchmarks.conditions import folder, is_quick, rounds
from benchmarks.contest import LIMIT, OURS, memory
from benchmarks.row import Row
from coverslip.catalog import Catalog
from coverslip.export import Job
from coverslip.export.pacing import Pace
from coverslip.export.pieces import Painter, tasks_of
from coverslip.model.exporting import ExportItem, ExportJob, ExportMode
from coverslip.readers import open_image

DRAWN_SECONDS, WRITTEN_SECONDS = 0.196, 0.825
"""What plain NumPy and a PNG of one field of view took where UELer was measured."""
DRAWN_TIMES = 5
"""How often one turn draws: as long as exports take, so that both meet the same mean of quiet and busy moments."""
WORKERS = 2
PALETTE = {
    "mask": "whole_cell",
    "column": "cluster",
    "classes": [
        {"value": name, "color": color}
        for name, color in zip(data.CLASSES, ("#ff0000", "#00ff00", "#0000ff", "#ffff00"), strict=True)
    ],
}
OUTLINES: Mapping[str, Any] = {"masks": ["whole_cell"]}
SMALL = 32
"""Side of the crops of which there are very many."""

_runs = count()


@dataclass(frozen=True)
class Case:
    """One export, and what UELer needed."""

    work: str
    mode: ExportMode
    items: int
    """Of the data in full size."""
    recorded: float
    """Seconds for each item."""
    times: float
    overrides: Mapping[str, Any]
    compression: str | None = None
    file_format: str = "png"
    peak: float | None = None
    """Megabytes that its process had, at most."""


CASES = (
    Case("full fields of view, PNG, outlines", "fov", 8, 1.23, 5, OUTLINES, peak=895),
    Case("full fields of view, PNG, cells in colours of their classes", "fov", 8, 1.64, 5, {"cells": PALETTE}),
    Case("full fields of view, TIFF, outlines", "fov", 8, 0.45, 5, OUTLINES, file_format="tiff"),
    Case("full fields of view, JPEG, outlines", "fov", 8, 0.51, 5, OUTLINES, file_format="jpeg"),
    Case("1,000 cells of 128 x 128, PNG, outlines", "cells", 1000, 0.0220, 20, OUTLINES, peak=723),
    Case("1,000 cells, PNG, in colours of their classes", "cells", 1000, 0.0742, 20, {"cells": PALETTE}),
    Case("100 cells, PNG, outlines, from TIFFs with zlib", "cells", 100, 0.229, 20, OUTLINES, "zlib"),
    Case("50 regions of 128 to 512, PNG, outlines", "rois", 50, 0.0689, 10, OUTLINES, peak=725),
)
MANY, FEW = 100_000, 10_000
NOTHING_TO_DO, FEWER = 20_000, 2_000
MANY_AT_LEAST = 0.7
"""Part of the rate of a tenth as many items that very many still have."""


def rows() -> list[Row]:
    """Return a row for each case, for the memory of three of them, and for very many items."""
    plain_equals_ours()
    found = [_row(case) for case in CASES]
    found += [row for case in CASES if case.peak is not None for row in _memory(case)]
    found += [_many(), _nothing_to_do()]
    for place in folder().glob("export-*"):
        shutil.rmtree(place)
    return found


@cache
def pieces() -> Mapping[str, Callable[[], object]]:
    """Return the two pieces of work that tell how fast this machine is now."""
    planes, labels = drawing.field(2048)
    picture = drawing.plain(planes, labels)

    def drawn() -> None:
        for _ in range(DRAWN_TIMES):
            drawing.plain_sum(planes)[drawing.plain_boundary(labels)] = 1

    def written() -> None:
        Image.fromarray(picture).save(io.BytesIO(), "png")

    return {"drawn": drawn, "written": written}


def factor_of(taken: Mapping[str, float]) -> float:
    """Return how many times as long as where UELer was measured the two pieces took, in milliseconds, here."""
    return min(taken["drawn"] / 1e3 / DRAWN_TIMES / DRAWN_SECONDS, taken["written"] / 1e3 / WRITTEN_SECONDS)


def fastest(contestants: Mapping[str, Callable[[], object]], turns: int) -> dict[str, float]:
    """Return the milliseconds of the fastest turn of each contestant: the one that others disturbed least."""
    taken = dict.fromkeys(contestants, float("inf"))
    for _ in range(turns):
        for name, call in contestants.items():
            gc.collect()
            began = time.perf_counter()
            call()
            taken[name] = min(taken[name], (time.perf_counter() - began) * 1e3)
    return taken


@cache
def catalog() -> Catalog:
    """Return the catalog that jobs are kept in; a person has one before an export begins."""
    return Catalog.open(f"sqlite:///{folder()}/exports-{os.getpid()}.sqlite", versions={})


def export(case: Case, images: Path, table: Path | None = None, *, size: int = 128) -> ExportJob:
    """Run an export as the command does, into a folder that is not there yet: planned, drawn, written, noted."""
    out = folder() / f"export-{os.getpid()}-{next(_runs)}"
    choice: dict[str, Any] = {"data": images}
    if case.mode == "cells":
        choice |= {"table": table or data.table(_count(case)), "size": size}
    overrides = {"workers": WORKERS, **case.overrides}
    done = Job(case.mode, choice, "Immune", out, case.file_format, overrides, catalog=catalog()).start()
    if done.state != "completed":
        raise RuntimeError(f"{case.work}: {done.state}, {done.message}")
    return done


def _row(case: Case) -> Row:
    images = data.images(case.compression)
    made = _count(case)
    drawn = _in_memory(case, images)
    taken = fastest({OURS: partial(once, case), LIMIT: drawn, **pieces()}, rounds(5))
    factor = factor_of(taken)
    ours, limit = (float(f"{made / taken[name] * 1e3:.3g}") for name in (OURS, LIMIT))
    theirs = float(f"{1 / (case.recorded * factor):.3g}")
    return Row(
        work=case.work,
        ours=ours,
        unit="/s",
        limit=limit,
        peers={"UELer, scaled": theirs},
        goal=f"at least {case.times:g}x UELer",
        reached=ours >= case.times * theirs,
        note=f"{ours / theirs:.1f}x; recorded {1 / case.recorded:.3g}/s, such work takes {factor:.2f}x as long here",
    )


def once(case: Case) -> None:
    """Run an export and remove its files; very many stay to the end: ext4 is slow to give their inodes away again."""
    done = export(case, data.images(case.compression))
    if case.mode != "cells":
        shutil.rmtree(done.output_dir)


def _in_memory(case: Case, images: Path) -> Callable[[], object]:
    """Return work that draws the items in as many threads, all planes decoded before."""
    choice: dict[str, Any] = {"data": images}
    if case.mode == "cells":
        choice["table"] = data.table(_count(case))
    plan = Job(case.mode, choice, "Immune", folder() / "nowhere", "png", dict(case.overrides)).plan
    tasks = tasks_of(plan, (ExportItem(item, "pending") for item in plan.items))
    painter = Painter(plan.request, open_image, Pace(None), idle=data.fields())

    def draw(number: int) -> None:
        for task in tasks[number::WORKERS]:
            with painter.shown(task) as item:
                item.figure  # noqa: B018  # drawn when it is asked for

    def work() -> None:
        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(draw, range(WORKERS)))

    work()
    return work


def _memory(case: Case) -> list[Row]:
    setup = "from benchmarks import exporting\nexporting.catalog()"
    measured = memory(setup, f"exporting.once(exporting.CASES[{CASES.index(case)}])")
    if measured is None or case.peak is None:
        return []
    return [
        Row(
            work=f"memory at most: {case.work}",
            ours=float(f"{measured[1]:.3g}"),
            unit="MB",
            peers={"UELer": case.peak},
            goal="at most half of UELer's",
            reached=measured[1] <= case.peak / 2,
            note=f"the whole process; {measured[0]:.0f} MB before it begins",
        )
    ]


def _many() -> Row:
    """Return the row of very many small crops."""
    few, many = (200, 1000) if is_quick() else (FEW, MANY)
    case = Case("", "cells", many, 0, 0, {})
    rates = {}
    for number in (few, many):
        table = data.table(number)
        began = time.perf_counter()
        done = export(case, data.images(), table, size=SMALL)
        rates[number] = float(f"{done.total / (time.perf_counter() - began):.3g}")
    return Row(
        work=f"{many:,} cells of {SMALL} x {SMALL}, PNG",
        ours=rates[many],
        unit="/s",
        peers={f"{few:,} cells": rates[few]},
        goal=f"at least {MANY_AT_LEAST:g}x the rate of {few:,}",
        reached=rates[many] >= MANY_AT_LEAST * rates[few],
        note="from the table to the manifest",
    )


def _nothing_to_do() -> Row:
    """Return the row of a job that is gone on with though every file is there."""
    few, many = (100, 500) if is_quick() else (FEWER, NOTHING_TO_DO)
    case = Case("", "cells", many, 0, 0, {})
    rates = {}
    for number in (few, many):
        done = export(case, data.images(), data.table(number), size=SMALL)
        taken = []
        for _ in range(rounds(3)):
            began = time.perf_counter()
            again = Job.kept(done.id, catalog()).resume()
            taken.append(time.perf_counter() - began)
            assert (again.state, again.succeeded) == ("completed", number)
        rates[number] = float(f"{number / min(taken):.3g}")
    factor = factor_of(fastest(pieces(), rounds(3)))
    theirs = float(f"{16_000 / (19.7 * factor):.3g}")
    return Row(
        work=f"{many:,} items of which every file is there, gone on with",
        ours=rates[many],
        unit="/s",
        peers={f"{few:,} items": rates[few], "UELer, 16,000 that do nothing, scaled": theirs},
        goal=f"at least {MANY_AT_LEAST:g}x the rate of {few:,}",
        reached=rates[many] >= MANY_AT_LEAST * rates[few],
        note="the job is read from the catalog, every file is read and its digest compared",
    )


def _count(case: Case) -> int:
    if not is_quick():
        return case.items
    return {"fov": data.QUICK_FIELDS, "cells": 50, "rois": data.REGIONS}[case.mode]


def plain_equals_ours() -> None:
    """Fail unless a file of the data is what the formulas in plain NumPy say."""
    done = export(CASES[0], data.images())
    planes = {name: data.channel(0, number) for number, name in enumerate(data.SHOWN)}
    total = np.zeros((*planes["DAPI"].shape, 3), np.float32)
    for name, color in drawing.COLORS.items():
        grey = np.clip((planes[name].astype(np.float32) - data.LOW) / np.float32(data.HIGH - data.LOW), 0, 1)
        total += grey[..., None] * np.array(color, np.float32)
    total = np.clip(total, 0, 1)
    total[drawing.plain_boundary(data.mask(0))] = 1
    with Image.open(Path(done.output_dir) / "FOV1.png") as image:
        np.testing.assert_array_equal(np.asarray(image), drawing.to_bytes(total))
    shutil.rmtree(done.output_dir)
