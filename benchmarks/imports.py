"""What an import pays for looking for stale records: the same layout with the cleanup and without it."""

import json
import shutil
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.conditions import folder, is_quick, rounds
from benchmarks.row import Row
from coverslip.derive import open_catalog
from coverslip.ingest.importing import import_layout, open_layout
from coverslip.ingest.importing.stale import CleanupMode, Sweeping

RUNS = 10
ENDS = {"Point": "point.ndjson", "OrientedPoint": "orientedpoint.ndjson", "InstanceSegmentation": "instances.ndjson"}
"""Shapes of each annotation, and the ends of the names of their files."""
MOST_OF_OFF = 1.2
"""How much more time an import with the cleanup may take."""
MODES: tuple[CleanupMode, ...] = ("on", "off")


def import_rows() -> list[Row]:
    """Return a row for an import of a layout that is as it was, and one where a tenth of the annotations is gone."""
    count = 200 if is_quick() else 5_000
    with TemporaryDirectory(dir=folder()) as place:
        top, kept = Path(place) / "layout", Path(place) / "kept.sqlite"
        for number in range(count):
            _write(top, number)
        _import(top, kept, "off")
        taken = {"nothing stale": _turns(top, kept, 0)}
        stale = [number for number in range(count) if number // RUNS % 10 == 0]
        for number in stale:
            shutil.rmtree(top / _place(number))
        taken["10 % stale"] = _turns(top, kept, len(stale))
    return [
        Row(
            work=f"import of {count:,} annotations in {RUNS} runs again, {what}, cleanup on (SQLite)",
            ours=on,
            unit="ms",
            peers={"cleanup off": off},
            goal=f"within {MOST_OF_OFF}x of off",
            reached=on <= MOST_OF_OFF * off,
            note=f"{on / off:.2f}x",
        )
        for what, (on, off) in taken.items()
    ]


def _turns(top: Path, kept: Path, stale: int) -> tuple[float, float]:
    """Return the least milliseconds of imports into copies of a catalog, with the cleanup and without it."""
    taken: dict[CleanupMode, list[float]] = {mode: [] for mode in MODES}
    for _ in range(rounds(5)):
        for mode in MODES:
            copy = kept.with_name("copy.sqlite")
            shutil.copyfile(kept, copy)
            start = time.perf_counter()
            removed = _import(top, copy, mode)
            taken[mode].append((time.perf_counter() - start) * 1e3)
            assert removed == (stale if mode == "on" else 0)
            copy.unlink()
    on, off = (float(f"{min(taken[mode]):.3g}") for mode in MODES)
    return on, off


def _import(top: Path, catalog_file: Path, mode: CleanupMode) -> int:
    with open_catalog(f"sqlite:///{catalog_file}") as catalog:
        report = import_layout(open_layout(top), catalog, sweeping=Sweeping(lambda _dataset: mode))
    assert not report.cleaned.stops
    return report.cleaned.removed


def _place(number: int) -> str:
    return f"20001/TS_{number % RUNS}/Reconstructions/VoxelSpacing10.000/Annotations/{100 + number}"


def _write(top: Path, number: int) -> None:
    """Write an annotation with its files, and the documents of what it lies in."""
    run = top / "20001" / f"TS_{number % RUNS}"
    at = top / _place(number)
    at.mkdir(parents=True)
    if number < RUNS:
        _put(top / "20001" / "dataset_metadata.json", {"dataset_identifier": 20001, "deposition_id": 10301})
        _put(run / "run_metadata.json", {"run_name": run.name, "deposition_id": 10301})
    document = {
        "annotation_ingest_id": f"membrane {number}",
        "annotation_object": {"name": "membrane", "id": "GO:0016020"},
        "annotation_method": "by hand",
        "authors": [{"name": "Ada"}],
        "deposition_id": 10301,
        "version": "1.0",
        "files": [
            {"format": "ndjson", "path": f"{_place(number)}/membrane-1.0_{end}", "shape": shape}
            for shape, end in ENDS.items()
        ],
    }
    _put(at / "membrane-1.0.json", document)
    for end in ENDS.values():
        (at / f"membrane-1.0_{end}").write_text("{}\n", encoding="utf-8")


def _put(path: Path, document: dict[str, object]) -> None:
    path.write_text(json.dumps(document), encoding="utf-8")
