"""Cell tables as columns: CSV, and Parquet and AnnData where the packages for them are installed."""

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from coverslip.errors import InvalidRequestError, MissingDependencyError, ReadError, UnreadableFileError
from coverslip.model import Cell

if TYPE_CHECKING:
    import h5py

MAX_BYTES = 2 << 30
"""Larger tables are refused: a table is held in memory."""
MAX_COLUMNS = 20_000
INDEX = "obs_names"
"""Column with the names of the observations of an AnnData file."""

type Column = NDArray[Any]
"""Numbers, an empty one NaN, as float64 or int64; or objects that are text or None."""


@dataclass(frozen=True)
class CellTable:
    """A cell table."""

    path: Path
    columns: Mapping[str, Column]
    """By name, all of equal length."""

    @property
    def row_count(self) -> int:
        """How many rows there are."""
        return len(next(iter(self.columns.values()), ()))

    def column(self, name: str) -> Column:
        """Return a column by its exact name.

        Raises
        ------
        InvalidRequestError
            There is none; the message names those that are there.
        """
        if name not in self.columns:
            known = ", ".join(list(self.columns)[:20])
            raise InvalidRequestError(f"{self.path}: there is no column {name!r}; there are: {known}")
        return self.columns[name]

    def numbers(self, name: str) -> Column:
        """Return a column of numbers.

        Raises
        ------
        InvalidRequestError
            There is none, or it holds text.
        """
        found = self.column(name)
        if found.dtype == object:
            raise InvalidRequestError(f"{self.path}: the column {name!r} holds text, numbers are needed")
        return found

    def row(self, index: int) -> dict[str, Cell]:
        """Return one row, values as Python has them."""
        return {name: plain(values[index]) for name, values in self.columns.items()}


def read_table(path: Path) -> CellTable:
    """Return a cell table, read by what its name ends with: ``.csv``, ``.parquet`` or ``.h5ad``.

    Raises
    ------
    InvalidRequestError
        It is called otherwise.
    UnreadableFileError
        It is not there or cannot be read.
    ReadError
        It is damaged or larger than a table may be.
    MissingDependencyError
        The package for it is not installed.
    """
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise InvalidRequestError(f"{path}: a cell table is called {', '.join(f'*{ending}' for ending in _READERS)}")
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ReadError(f"{path}: a cell table may have {MAX_BYTES >> 30} GiB, this has {size / (1 << 30):.1f}")
        columns = read(path)
    except ReadError:
        raise
    except OSError as error:
        raise UnreadableFileError(f"{path} cannot be read: {error.strerror or error}") from error
    lengths = {len(values) for values in columns.values()}
    if len(lengths) > 1:
        raise ReadError(f"{path}: its columns have different lengths")
    return CellTable(path, columns)


def plain(value: Any) -> Cell:
    """Return a value of a column as Python has it; ``None`` where it is empty."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and np.isnan(value):
        return None
    found: Cell = value
    return found


def as_column(texts: Sequence[str]) -> Column:
    """Return the column that texts stand for: whole numbers, numbers, or text. Empty texts are empty values."""
    for convert, kind in ((int, np.int64), (float, np.float64)):
        try:
            if convert is float:
                return np.array([float(text) if text.strip() else np.nan for text in texts], kind)
            return np.array([convert(text) for text in texts], kind)
        except (ValueError, OverflowError):
            continue
    found = np.empty(len(texts), object)
    found[:] = [text or None for text in texts]
    return found


def _read_csv(path: Path) -> dict[str, Column]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        try:
            reader = csv.reader(stream, strict=True)
            names = [name.strip() for name in next(reader, [])]
            if not names or len(set(names)) != len(names) or len(names) > MAX_COLUMNS:
                raise ReadError(f"{path}: its first line must name the columns, each once")
            rows = [row for row in reader if row]
        except (csv.Error, UnicodeDecodeError) as error:
            raise ReadError(f"{path}: it is no CSV: {error}") from error
    width = len(names)
    wrong = next((number for number, row in enumerate(rows, start=2) if len(row) != width), None)
    if wrong is not None:
        raise ReadError(f"{path}: row {wrong} has {len(rows[wrong - 2])} values, the first has {width}")
    texts = zip(*rows, strict=True) if rows else ([] for _ in names)
    return {name: as_column(column) for name, column in zip(names, texts, strict=True)}


def _read_parquet(path: Path) -> dict[str, Column]:
    try:
        import pyarrow as arrow  # noqa: PLC0415  # optional, and slow to import
        from pyarrow import parquet  # noqa: PLC0415  # the same
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f'{path}: Parquet needs the package pyarrow: pip install "coverslip[tables]"', "pyarrow"
        ) from error
    try:
        table = parquet.read_table(path)
        return {name: _from_list(table.column(name).to_pylist()) for name in table.column_names}
    except arrow.ArrowException as error:
        raise ReadError(f"{path}: it is no Parquet file: {error}") from error


def _from_list(values: Sequence[Any]) -> Column:
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int, bool} and None not in values:
        return np.array(values, np.int64)
    if kinds <= {int, float, bool}:
        return np.array([np.nan if value is None else value for value in values], np.float64)
    found = np.empty(len(values), object)
    found[:] = [None if value is None else str(value) for value in values]
    return found


def _read_h5ad(path: Path) -> dict[str, Column]:
    """Read ``obs``, then ``X`` by the names of ``var``, as AnnData writes them from 0.7 on.

    https://anndata.readthedocs.io/en/stable/fileformat-prose.html
    """
    try:
        import h5py  # noqa: PLC0415  # optional, and slow to import
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f'{path}: AnnData needs the package h5py: pip install "coverslip[tables]"', "h5py"
        ) from error
    try:
        with h5py.File(path, "r") as file:
            return _observations(file)
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, AttributeError, IndexError) as error:
        if isinstance(error, FileNotFoundError | PermissionError):
            raise
        raise ReadError(f"{path}: it is no AnnData file: {error}") from error


def _observations(file: "h5py.File") -> dict[str, Column]:
    table = file["obs"]
    index = _text(table.attrs["_index"])
    columns = {INDEX: _obs_column(table, index)}
    for name in map(_text, table.attrs["column-order"]):
        columns[name] = _obs_column(table, name)
    if "X" in file:
        variables = file["var"]
        names = [str(name) for name in _obs_column(variables, _text(variables.attrs["_index"]))]
        values = _matrix(file["X"], len(names))
        columns |= {name: values[:, n] for n, name in enumerate(names) if name not in columns}
    return columns


def _obs_column(table: "h5py.Group", name: str) -> Column:
    """Return a column: a dataset, or a group of codes and categories."""
    import h5py  # noqa: PLC0415  # the caller has it

    stored = table[name]
    if isinstance(stored, h5py.Group):
        codes = stored["codes" if "codes" in stored else "mask"][()]
        if "categories" not in stored:  # nullable numbers: values and a mask of what is empty
            return np.where(codes, np.nan, stored["values"][()].astype(float))
        categories = [_text(one) for one in stored["categories"][()]]
        return _categorical(codes, categories)
    if "categories" in stored.attrs:  # as AnnData 0.7 wrote them
        return _categorical(stored[()], [_text(one) for one in table[stored.attrs["categories"]][()]])
    values = stored[()]
    if values.dtype.kind in "OSU":
        return _from_list([_text(one) for one in values])
    numbers: Column = values.astype(np.int64 if values.dtype.kind in "iub" else np.float64)
    return numbers


def _categorical(codes: NDArray[Any], categories: Sequence[str]) -> Column:
    found = np.empty(len(codes), object)
    found[:] = [categories[code] if code >= 0 else None for code in codes]
    return found


def _matrix(stored: Any, width: int) -> NDArray[Any]:
    """Return X as a dense array; only a compressed sparse one is anything else on disk."""
    kind = _text(stored.attrs.get("encoding-type", "array"))
    if kind == "array":
        return np.asarray(stored[()], float).reshape(-1, width)
    rows, columns = (int(one) for one in stored.attrs["shape"])
    dense = np.zeros((rows, columns))
    pointers, indices, data = (stored[name][()] for name in ("indptr", "indices", "data"))
    along = np.repeat(np.arange(len(pointers) - 1), np.diff(pointers))
    if kind == "csr_matrix":
        dense[along, indices] = data
    elif kind == "csc_matrix":
        dense[indices, along] = data
    else:
        raise ValueError(f"X is stored as {kind!r}")
    return dense


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


_READERS: Mapping[str, Callable[[Path], dict[str, Column]]] = {
    ".csv": _read_csv,
    ".parquet": _read_parquet,
    ".h5ad": _read_h5ad,
}
