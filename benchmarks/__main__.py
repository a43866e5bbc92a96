"""Run the benchmarks and print the table: ``dev.py bench [--quick] [--only NAME ...] [--rounds N] [--write]``."""

import argparse
import importlib
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import table
from benchmarks.conditions import FOLDER, QUICK, ROUNDS, described
from benchmarks.row import Row

TABLES = {
    "reading": ("tiff", "czi", "mrc", "ome_zarr", "chunks", "loading", "cataloging", "confined", "http"),
    "median": ("median",),
    "freshness": ("freshness",),
    "states": ("states",),
    "volumes": ("volumes",),
    "exporting": ("exportrender", "exporting"),
    "ingest": ("ingest",),
    "existence": ("existence",),
    "cleanup": ("cleanup",),
}
"""The tables of the page, and the families in each."""
FAMILIES = tuple(name for names in TABLES.values() for name in names)
"""Modules of this package, each with ``rows() -> list[Row]``."""
PAGE = Path(__file__).parent.parent / "docs" / "performance.md"


def main() -> None:
    """Run every family, print its rows as they come, and write the page where that was asked for."""
    parser = argparse.ArgumentParser(prog="dev.py bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small files, few rounds: whether it runs, not how fast")
    parser.add_argument("--only", nargs="+", choices=FAMILIES, default=FAMILIES, metavar="NAME", help=f"of {FAMILIES}")
    parser.add_argument("--rounds", type=int, help="turns of every contestant, at most")
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    parser.add_argument("--folder", help="where the generated files go (5 GB); kept when given")
    chosen = parser.parse_args()
    tables = {name: families for name, families in TABLES.items() if set(families) <= set(chosen.only)}
    if chosen.write and (chosen.quick or {one for families in tables.values() for one in families} != set(chosen.only)):
        sys.exit("dev.py bench: only whole tables in full size are written down")
    if chosen.rounds:
        os.environ[ROUNDS] = str(chosen.rounds)
    if chosen.quick:
        os.environ[QUICK] = "1"
    with tempfile.TemporaryDirectory(prefix="coverslip-bench-") as temporary:
        folder = Path(chosen.folder or temporary)
        folder.mkdir(parents=True, exist_ok=True)
        os.environ[FOLDER] = str(folder / ("quick" if chosen.quick else "full"))
        Path(os.environ[FOLDER]).mkdir(exist_ok=True)
        found = {name: _run(name) for name in chosen.only}
    if chosen.write:
        for name, families in tables.items():
            table.put_into(PAGE, name, _text({one: found[one] for one in families}))
    else:
        print(f"\n{_text(found)}")


def _text(families: Mapping[str, Sequence[Row]]) -> str:
    return f"{_conditions()}\n\n{table.markdown(families)}"


def _run(name: str) -> list[Row]:
    print(f"\n{name}", flush=True)
    rows: list[Row] = importlib.import_module(f"benchmarks.{name}").rows()
    for row in rows:
        print(table.printed(row), flush=True)
    return rows


def _conditions() -> str:
    return f"Measured on {time.strftime('%Y-%m-%d', time.gmtime())}: {described()}"


if __name__ == "__main__":
    main()
