"""The cell table: a CSV with a row for each object of each field of view."""

import csv
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from coverslip.model import Cell, TableInfo
from coverslip.readers.listing import stamp

FIELD = "fov"
"""Name of the column with the name of the field of view, letter case aside."""
MAX_BYTES = 512 << 20
"""Larger tables are left out: their rows are counted when an image is opened."""
KEPT = 4


@dataclass(frozen=True, slots=True)
class _Index:
    columns: tuple[str, ...]
    counts: Mapping[str, int]


def table_of(path: Path, field: str) -> TableInfo:
    """Return what a table has of one field of view.

    Raises
    ------
    ValueError
        It is no table of cells; the message says why, without the path.
    OSError
        It cannot be read.
    """
    status = stamp(path)
    if status[1] > MAX_BYTES:
        raise ValueError(f"has more than {MAX_BYTES >> 20} MiB")
    index = _index(str(path), *status)
    return TableInfo(path=str(path), columns=index.columns, row_count=index.counts.get(field, 0))


def rows_of(path: Path, field: str) -> Iterator[dict[str, Cell]]:
    """Yield the rows of one field of view, numbers as numbers."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream, strict=True)
        columns = next(reader)
        at = _field_column(columns)
        for row in reader:
            if len(row) > at and row[at] == field:
                yield {name: _value(text) for name, text in zip(columns, row, strict=False)} | {columns[at]: field}


@lru_cache(KEPT)
def _index(path: str, *_stamp: int) -> _Index:
    with Path(path).open(encoding="utf-8-sig", newline="") as stream:
        try:
            reader = csv.reader(stream, strict=True)
            columns = next(reader, [])
            at = _field_column(columns)
            return _Index(tuple(columns), Counter(row[at] for row in reader if len(row) > at))
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(f"is no CSV: {error}") from error


def _field_column(columns: list[str]) -> int:
    names = [name.strip().lower() for name in columns]
    if FIELD not in names:
        raise ValueError(f"has no column {FIELD!r}")
    return names.index(FIELD)


def _value(text: str) -> Cell:
    """Return a number where the text is one; what pandas writes for whole numbers with gaps, ``3.0``, stays a float."""
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    return text or None
