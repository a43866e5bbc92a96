"""STAR files as RELION, STOPGAP and Gctf write them: data blocks with pairs or one table.

Format: S. R. Hall, "The STAR file", J. Chem. Inf. Comput. Sci. 31 (1991) 326, in the part that these programs write: a
row of a table is one line. Text fields over several lines, frames and nested loops are refused.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from coverslip.cryoet.files import Text, read_text, shown

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_COLUMNS = 1000
WORD = re.compile(r"""#.*|'(.*?)'(?=\s|$)|"(.*?)"(?=\s|$)|(\S+)""")
"""A comment, a value in quotes (which end only where white space follows), or a plain value. No part of it takes white
space: a long run of that would be tried again from each of its places."""


@dataclass(frozen=True, slots=True)
class Table:
    """The table of a data block."""

    text: Text
    columns: tuple[str, ...]
    """Names without the leading underscore: ``"rlnCoordinateX"``."""
    rows: tuple[int, ...]
    """The line that each row stands in. Its values are taken apart when they are asked for: a file of a million
    particles is one text, not fifty million."""

    def __contains__(self, column: str) -> bool:
        return column in self.columns

    def words(self, column: str) -> list[str]:
        """Return one column as it is written.

        Raises
        ------
        ReadError
            There is no such column.
        """
        at = self._at(column)
        return [_words(self.text, line)[at] for line in self.rows]

    def numbers(self, columns: Sequence[str]) -> "NDArray[np.float64]":
        """Return columns of finite numbers: shape (rows, columns), float64.

        Raises
        ------
        ReadError
            A column is missing, or a value is no finite number.
        """
        places = [self._at(column) for column in columns]
        values = np.empty((len(self.rows), len(places)))
        for n, line in enumerate(self.rows):
            words = _words(self.text, line)
            values[n] = [self.text.number(words[at], line, name) for at, name in zip(places, columns, strict=True)]
        return values

    def where(self, wanted: Sequence[bool]) -> "Table":
        """Return the table with only some of its rows."""
        return Table(self.text, self.columns, tuple(line for line, keep in zip(self.rows, wanted, strict=True) if keep))

    def _at(self, column: str) -> int:
        try:
            return self.columns.index(column)
        except ValueError:
            raise self.text.wrong(
                0, f"the table has no column _{column}. It has: {shown(', '.join(self.columns))}"
            ) from None


@dataclass(slots=True)
class Block:
    """A data block: pairs, a table, or both."""

    name: str
    pairs: dict[str, str] = field(default_factory=dict)
    table: Table | None = None


@dataclass(frozen=True, slots=True)
class Star:
    """A whole file."""

    text: Text
    blocks: Mapping[str, Block]
    """By name: ``data_optics`` is ``"optics"``, a bare ``data_`` is ``""``."""

    def table_with(self, column: str) -> Table:
        """Return the one table that has a column.

        Raises
        ------
        ReadError
            None has, or several have.
        """
        found = [block.table for block in self.blocks.values() if block.table is not None and column in block.table]
        if len(found) == 1:
            return found[0]
        names = ", ".join(f"data_{name}" for name in self.blocks) or "no data block at all"
        count = "no table has" if not found else "more than one table has"
        raise self.text.wrong(0, f"{count} a column _{column}; the file has {shown(names)}")


def read_star(path: Path) -> Star:
    """Return the data blocks of a STAR file.

    Raises
    ------
    UnreadableFileError
        The system did not let us look.
    ReadError
        It is damaged: a row is shorter or longer than its table, a quote does not end, a name comes twice.
    """
    return _Parser(read_text(path)).parse()


class _Parser:
    """Goes through the lines once."""

    def __init__(self, text: Text) -> None:
        self._text = text
        self._blocks: dict[str, Block] = {}
        self._block: Block | None = None
        self._columns: list[str] = []
        self._rows: list[int] = []
        self._in_table = False

    def parse(self) -> Star:
        for number in range(1, len(self._text.lines) + 1):
            if words := _words(self._text, number):
                self._take(words, number)
        self._end_table()
        return Star(self._text, self._blocks)

    def _take(self, words: list[str], line: int) -> None:
        first = words[0]
        if first.startswith("data_"):
            self._begin_block(first.removeprefix("data_"), line)
        elif self._block is None:
            raise self._text.wrong(line, f"this is no STAR file: it begins with {shown(' '.join(words))}")
        elif first == "loop_":
            self._begin_table(self._block, line)
        elif self._in_table and not self._rows and first.startswith("_"):
            self._column(first[1:], line)
        elif self._in_table:
            self._row(words, line)
        else:
            self._pair(self._block, words, line)

    def _begin_block(self, name: str, line: int) -> None:
        self._end_table()
        if name in self._blocks:
            raise self._text.wrong(line, f"the data block data_{name} is there twice")
        self._block = self._blocks[name] = Block(name)

    def _begin_table(self, block: Block, line: int) -> None:
        if self._in_table or block.table is not None:
            raise self._text.wrong(line, f"the data block data_{block.name} has two tables")
        self._in_table = True

    def _column(self, name: str, line: int) -> None:
        if name in self._columns or len(self._columns) >= MOST_COLUMNS:
            raise self._text.wrong(line, f"the column _{shown(name)} is there twice, or there are too many columns")
        self._columns.append(name)

    def _row(self, words: list[str], line: int) -> None:
        if len(words) != len(self._columns):
            raise self._text.wrong(line, f"the row has {len(words)} values, its table {len(self._columns)} columns")
        self._rows.append(line)

    def _pair(self, block: Block, words: list[str], line: int) -> None:
        name = words[0].removeprefix("_")
        if name == words[0] or len(words) != 2 or name in block.pairs:
            raise self._text.wrong(line, f"expected a new name and its value, found {shown(' '.join(words))}")
        block.pairs[name] = words[1]

    def _end_table(self) -> None:
        if self._in_table and self._block is not None:
            self._block.table = Table(self._text, tuple(self._columns), tuple(self._rows))
        self._in_table, self._columns, self._rows = False, [], []


def _words(text: Text, number: int) -> list[str]:
    """Return the values in a line, quotes taken off and the comment left out."""
    line = text.lines[number - 1]
    if line.startswith(";"):
        raise text.wrong(number, "text fields over several lines are not read")
    if "#" not in line and "'" not in line and '"' not in line:
        return line.split()
    words = []
    for found in WORD.finditer(line):
        if found.lastindex is None:
            continue
        word = found[found.lastindex]
        if found.lastindex == 3 and word.startswith(("'", '"')):
            raise text.wrong(number, f"a quote does not end: {shown(line.strip())}")
        words.append(word)
    return words
