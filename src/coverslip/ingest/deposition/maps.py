"""Tables that say more about runs: one row for each, found by its name."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from coverslip.ingest.deposition.problems import Problem, Severity, described, did_you_mean

MOST_BYTES = 16 * 1024 * 1024
"""The largest real map has 31 kB."""

MAPS = {
    "run_data_map_file": "",
    "run_to_tomo_map_csv": "mapped_tomo_name",
    "run_to_frame_map_csv": "mapped_frame_name",
    "run_to_ts_map_csv": "mapped_ts_name",
}
"""The maps a config may name: one with a header line and any columns, and three of two columns without a header."""

State = Literal["unnamed", "missing", "broken", "read"]


@dataclass(frozen=True, slots=True)
class RunMap:
    """One table.

    Parameters
    ----------
    file
        Where it was read.
    columns
        What it says about a run.
    rows
        Of each run the line it stands in, counted from 1, and its values by column.
    """

    file: str = ""
    columns: tuple[str, ...] = ()
    rows: Mapping[str, tuple[int, Mapping[str, str]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunMaps:
    """All maps of one config.

    Parameters
    ----------
    maps
        Those that were read, by their key in the config.
    states
        Of every key, what became of it.
    """

    maps: Mapping[str, RunMap] = field(default_factory=dict)
    states: Mapping[str, State] = field(default_factory=dict)

    def row(self, run: str) -> dict[str, str]:
        """Return everything the maps say about a run."""
        found: dict[str, str] = {}
        for table in self.maps.values():
            if run in table.rows:
                found |= table.rows[run][1]
        return found

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of all maps that were read."""
        return tuple(dict.fromkeys(column for table in self.maps.values() for column in table.columns))

    @property
    def runs(self) -> tuple[str, ...]:
        """The runs of all maps that were read, in their order."""
        return tuple(dict.fromkeys(run for table in self.maps.values() for run in table.rows))

    def might_have(self, column: str) -> bool:
        """Return whether a map that was not read may have a column."""
        unread = {key for key, state in self.states.items() if state in ("missing", "broken")}
        return "run_data_map_file" in unread or any(MAPS[key] == column for key in unread)


class MapError(ValueError):
    """A map cannot be read at all; the message says why."""


def find_map(name: str, folders: tuple[Path, ...]) -> Path | None:
    """Return the file of a map in the first folder that has it.

    Raises
    ------
    MapError
        Its path leads out of the folder.
    """
    if not name.strip() or "\0" in name or Path(name).is_absolute() or ".." in Path(name).parts or "://" in name:
        raise MapError(f"A map is named by its path below the source, not by {described(name)}.")
    for folder in folders:
        path = folder / name
        try:
            if path.is_file() and path.resolve().is_relative_to(folder.resolve()):
                return path
        except OSError:
            continue
    return None


def read_map(path: Path, column: str) -> tuple[RunMap, list[Problem]]:
    """Return a map, and what is wrong with its rows.

    Parameters
    ----------
    path
        A table with commas or tabs between its cells.
    column
        What its second column is called when it has no header line; empty when it has one.

    Raises
    ------
    MapError
        It cannot be opened, is no text, or has no column of run names.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise MapError(f"It is larger than {MOST_BYTES // 1024**2} MiB.")
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise MapError(f"It cannot be opened: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise MapError(f"It is no UTF-8 text from byte {error.start} on.") from error
    return parse_map(text, str(path), column)


def parse_map(text: str, file: str, column: str) -> tuple[RunMap, list[Problem]]:
    """Return the map in a text; see ``read_map``.

    Raises
    ------
    MapError
        It is no table, or has no column of run names.
    """
    first = text.partition("\n")[0]
    delimiter = "\t" if "\t" in first and ("," not in first or file.endswith(".tsv")) else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        lines = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except csv.Error as error:
        raise MapError(f"It is no table: {error} in line {reader.line_num}.") from error
    lines = [(number, row) for number, row in lines if any(row)]
    if not lines:
        raise MapError("It is empty.")
    header = ["run_name", column] if column else lines.pop(0)[1]
    if "run_name" not in header:
        hint = did_you_mean("run_name", header)
        raise MapError(f"It has no column 'run_name'. {hint}".strip())
    problems = [
        Problem("error", file, 1, 1, name, f"The column {name!r} stands here twice.")
        for name in sorted({name for name in header if name and header.count(name) > 1})
    ]
    rows: dict[str, tuple[int, Mapping[str, str]]] = {}
    for number, cells in lines:
        severity, problem = _take(rows, number, cells, header, is_fixed=not column)
        if problem:
            problems.append(Problem(severity, file, number, 1, "", problem))
    return RunMap(file, tuple(name for name in header if name), rows), problems


def _take(
    rows: dict[str, tuple[int, Mapping[str, str]]],
    number: int,
    cells: list[str],
    header: list[str],
    *,
    is_fixed: bool,
) -> tuple[Severity, str]:
    """Add one line to the rows and return what is wrong with it, or an empty text."""
    if is_fixed and any(cells[len(header) :]):
        return "error", f"The line has {len(cells)} cells, and there are {len(header)} columns."
    if not is_fixed and len(cells) < 2:
        return "error", "The line needs two cells: the run and what it is mapped to."
    values = dict(zip(header, [*cells, *([""] * len(header))], strict=False))
    values.pop("", None)
    run = values["run_name"]
    if not run:
        return "error", "The line has no run name."
    if run in rows:
        line, before = rows[run]
        same = before == values
        which = "with the same values" if same else f"with other values; line {line} counts"
        return ("warning" if same else "error"), f"The run {run!r} has a row in line {line} already, {which}."
    rows[run] = (number, values)
    return "error", ""
