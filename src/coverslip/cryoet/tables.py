"""Points from plain tables: csv, csv with a header, tsv, and the instances of TARDIS.

Columns count by their place, whatever a header calls them: the first three are the axes in the order that was asked
for. Blank lines are skipped, further columns are ignored. Coordinates stay as they are: 0-based or 1-based is for the
one who writes the configuration to know, and nothing is added or taken away.
"""

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from coverslip.cryoet.files import MOST_POINTS, Text, read_text, shown
from coverslip.cryoet.pointset import Options, Points, PointShape, as_asked
from coverslip.errors import ReadError

AXES = ("x", "y", "z")
WHITE_SPACE = " "


def read_csv(path: Path, shape: PointShape, options: Options) -> Points:
    """Return the points of a table without a header.

    Raises
    ------
    ReadError
        A row has fewer than three columns, or no numbers in them.
    """
    text = read_text(path)
    return _points(text, shape, options, _rows(text, options.delimiter))


def read_csv_with_header(path: Path, shape: PointShape, options: Options) -> Points:
    """Return the points of a table whose first row is a header.

    Raises
    ------
    ReadError
        A row has fewer than three columns, or no numbers in them.
    """
    text = read_text(path)
    rows = _rows(text, options.delimiter)
    next(rows, None)
    return _points(text, shape, options, rows)


def read_tsv(path: Path, shape: PointShape, options: Options) -> Points:
    """Return the points of a table with tabs between its columns; a first row without any number is a header.

    Raises
    ------
    ReadError
        A row has fewer than three columns, or no numbers in them.
    """
    text = read_text(path)
    rows = list(_rows(text, "\t"))
    has_header = bool(rows) and not any(_is_number(word) for word in rows[0][1])
    return _points(text, shape, replace(options, delimiter="\t"), iter(rows[has_header:]))


def read_tardis(path: Path, shape: PointShape, options: Options) -> Points:
    """Return the points of instances that TARDIS wrote: a header, then columns id, X, Y, Z.

    TARDIS writes coordinates in angstroms (``X [A]``), so binning is the voxel size, or in pixels.

    Raises
    ------
    ReadError
        A row has fewer than four columns, or no numbers in them.
    """
    text = read_text(path)
    rows = _rows(text, ",")
    next(rows, None)
    ids, found = [], []
    for line, words in rows:
        if len(words) < 4:
            raise text.wrong(line, f"expected an id, x, y and z, found {shown(','.join(words))}")
        ids.append(text.whole(words[0], line, "the id"))
        found.append([text.number(word, line, axis) for word, axis in zip(words[1:4], AXES, strict=True)])
    return as_asked(path, shape, options, _array(found), instance_ids=np.array(ids, np.int64))


def _points(text: Text, shape: PointShape, options: Options, rows: Iterator[tuple[int, list[str]]]) -> Points:
    found: list[list[float]] = []
    for line, words in rows:
        if len(found) >= MOST_POINTS:
            raise text.wrong(line, f"the file has more points than {MOST_POINTS:,}")
        if len(words) < 3:
            raise text.wrong(line, f"expected three columns, found {shown(options.delimiter.join(words))}")
        found.append([text.number(word, line, axis) for word, axis in zip(words[:3], options.order, strict=True)])
    return as_asked(text.path, shape, options, _array(found))


def _rows(text: Text, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and values of every row that has any."""
    if delimiter == WHITE_SPACE:
        yield from text.rows()
        return
    table = csv.reader((f"{line}\n" for line in text.lines), delimiter=delimiter, strict=True)
    while True:
        try:
            words = next(table, None)
        except csv.Error as error:
            raise ReadError(f"{text.path}:{table.line_num}: this is no table: {error}") from error
        if words is None:
            return
        if any(word.strip() for word in words):
            yield table.line_num, words


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _array(rows: list[list[float]]) -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
    return np.array(rows, np.float64).reshape(-1, 3)
