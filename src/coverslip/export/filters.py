"""Expressions that choose rows of a cell table, such as ``cluster == "immune" and area > 50``.

The whole language; nothing in an expression is ever run as Python::

    either     = both { ("or" | "|") both }
    both       = negation { ("and" | "&") negation }
    negation   = ("not" | "!") negation | comparison
    comparison = "(" either ")"
               | column ("==" | "!=" | "<" | "<=" | ">" | ">=") (value | column)
               | column ["not"] "in" "[" value { "," value } "]"
               | column "contains" text
               | column "is" ["not"] "empty"
    column     = name of letters, digits, "_" and "." | "`" any name "`"
    value      = number | text in "..." or '...'

Numbers are compared with columns of numbers and text with columns of text; letter case counts. Where a value is empty
every comparison but ``!=``, ``not in`` and ``is empty`` is false.
"""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coverslip.errors import InvalidRequestError

MAX_LENGTH = 10_000
MAX_DEPTH = 50

type Columns = Mapping[str, NDArray[Any]]
"""Columns of equal length: numbers, where an empty one is NaN, or objects that are text or None."""
type Mask = NDArray[np.bool_]
type Predicate = Callable[[Columns], Mask]
"""Says which rows are meant: shape N."""

COMPARISONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
TOKENS = re.compile(
    r"""\s*(?:
    (?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.]))
    |(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<quoted>`[^`]+`)
    |(?P<word>[^\W\d][\w.]*)
    |(?P<sign>==|!=|<=|>=|[<>()\[\],&|!])
    )""",
    re.VERBOSE,
)
SAME = {"&": "and", "|": "or", "!": "not"}
WORDS = frozenset({"and", "or", "not", "in", "is", "contains", "empty"})


@dataclass(frozen=True, slots=True)
class Token:
    """A word of an expression."""

    kind: str
    text: str
    at: int
    """Its first character, counted from 1."""


def parse(expression: str) -> tuple[Predicate, frozenset[str]]:
    """Return what an expression says of rows, and the columns it asks for.

    Raises
    ------
    InvalidRequestError
        It is no expression; the message says where. The predicate raises it where a column is not there, or is
        compared with a value of another kind.
    """
    if len(expression) > MAX_LENGTH:
        raise InvalidRequestError(f"a filter has at most {MAX_LENGTH} characters, this one has {len(expression)}")
    reading = _Reading(expression)
    found = reading.either(0)
    reading.end()
    return found, frozenset(reading.columns)


class _Reading:
    """Reads an expression from left to right."""

    def __init__(self, expression: str) -> None:
        self._tokens = _tokens(expression)
        self._next = 0
        self.columns: set[str] = set()

    def either(self, depth: int) -> Predicate:
        parts = [self._both(depth)]
        while self._take("or"):
            parts.append(self._both(depth))
        return parts[0] if len(parts) == 1 else lambda columns: np.logical_or.reduce([part(columns) for part in parts])

    def end(self) -> None:
        token = self._here
        if token.kind != "end":
            raise _wrong(token, "the end")

    def _both(self, depth: int) -> Predicate:
        parts = [self._negation(depth)]
        while self._take("and"):
            parts.append(self._negation(depth))
        return parts[0] if len(parts) == 1 else lambda columns: np.logical_and.reduce([part(columns) for part in parts])

    def _negation(self, depth: int) -> Predicate:
        if depth > MAX_DEPTH:
            raise InvalidRequestError(f"a filter may be nested {MAX_DEPTH} deep")
        if self._take("not"):
            inner = self._negation(depth + 1)
            return lambda columns: ~inner(columns)
        return self._comparison(depth)

    def _comparison(self, depth: int) -> Predicate:
        if self._take("("):
            inner = self.either(depth + 1)
            self._expect(")")
            return inner
        name = self._column()
        token = self._here
        if token.text in COMPARISONS and token.kind == "sign":
            self._next += 1
            return self._compared(name, token.text)
        if self._take("is"):
            negated = self._take("not")
            self._expect("empty")
            return lambda columns: _is_empty(_column(columns, name)) ^ negated
        if self._take("contains"):
            part = self._value()
            if not isinstance(part, str):
                raise _wrong(token, "a text in quotes after 'contains'")
            return lambda columns: _containing(_column(columns, name), part, name)
        negated = self._take("not")
        if not self._take("in"):
            raise _wrong(token, "==, !=, <, <=, >, >=, in, not in, contains, is empty or is not empty")
        values = self._list()
        return lambda columns: _one_of(_column(columns, name), values, name) ^ negated

    def _compared(self, name: str, sign: str) -> Predicate:
        compare = COMPARISONS[sign]
        if self._here.kind in {"number", "text"}:
            value = self._value()
            return lambda columns: _compare(_column(columns, name), value, sign, compare, name)
        other = self._column()
        return lambda columns: _compare_columns(columns, name, other, sign, compare)

    def _list(self) -> Sequence[float | str]:
        self._expect("[")
        values = [self._value()]
        while self._take(","):
            values.append(self._value())
        self._expect("]")
        return values

    def _column(self) -> str:
        token = self._here
        if token.kind == "quoted" or (token.kind == "word" and token.text not in WORDS):
            self._next += 1
            name = token.text.strip("`")
            self.columns.add(name)
            return name
        raise _wrong(token, "the name of a column")

    def _value(self) -> float | str:
        token = self._here
        self._next += 1
        if token.kind == "number":
            return float(token.text)
        if token.kind == "text":
            return re.sub(r"\\(.)", r"\1", token.text[1:-1])
        raise _wrong(token, "a number or a text in quotes")

    @property
    def _here(self) -> Token:
        return self._tokens[self._next]

    def _take(self, text: str) -> bool:
        token = self._here
        if token.kind in {"word", "sign"} and SAME.get(token.text, token.text) == text:
            self._next += 1
            return True
        return False

    def _expect(self, text: str) -> None:
        if not self._take(text):
            raise _wrong(self._here, repr(text))


def _tokens(expression: str) -> list[Token]:
    found, at = [], 0
    while expression[at:].strip():
        match = TOKENS.match(expression, at)
        if match is None or match.lastgroup is None:
            rest = expression[at:].lstrip()
            place = len(expression) - len(rest) + 1
            raise InvalidRequestError(f"the filter has no meaning from character {place} on: {rest[:40]!r}")
        found.append(Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup) + 1))
        at = match.end()
    return [*found, Token("end", "", len(expression) + 1)]


def _wrong(token: Token, expected: str) -> InvalidRequestError:
    seen = "its end" if token.kind == "end" else repr(token.text)
    return InvalidRequestError(f"the filter at character {token.at}: expected {expected}, found {seen}")


def _column(columns: Columns, name: str) -> NDArray[Any]:
    if name not in columns:
        known = ", ".join(list(columns)[:20])
        raise InvalidRequestError(f"the table has no column {name!r}; it has: {known}")
    return columns[name]


def _is_text(values: NDArray[Any]) -> bool:
    return values.dtype == object


def _is_empty(values: NDArray[Any]) -> Mask:
    empty: Mask = values == None if _is_text(values) else np.isnan(values.astype(float))  # noqa: E711  # element by element
    return empty


def _compare(
    values: NDArray[Any], value: float | str, sign: str, compare: Callable[[Any, Any], Any], name: str
) -> Mask:
    _check_kind(values, value, name)
    if not _is_text(values):
        found: Mask = compare(values, value)
        return found
    empty = sign == "!="
    return np.fromiter((empty if one is None else compare(one, value) for one in values), bool, len(values))


def _compare_columns(columns: Columns, name: str, other: str, sign: str, compare: Callable[[Any, Any], Any]) -> Mask:
    left, right = _column(columns, name), _column(columns, other)
    if _is_text(left) != _is_text(right):
        raise InvalidRequestError(f"columns {name!r} and {other!r} cannot be compared: one is text, one is numbers")
    if not _is_text(left):
        found: Mask = compare(left, right)
        return found
    empty = sign == "!="
    pairs = zip(left, right, strict=True)
    return np.fromiter((empty if None in pair else compare(*pair) for pair in pairs), bool, len(left))


def _containing(values: NDArray[Any], part: str, name: str) -> Mask:
    _check_kind(values, part, name)
    return np.fromiter((one is not None and part in one for one in values), bool, len(values))


def _one_of(values: NDArray[Any], wanted: Sequence[float | str], name: str) -> Mask:
    for value in wanted:
        _check_kind(values, value, name)
    if not _is_text(values):
        return np.isin(values, np.array(wanted, float))
    chosen = set(wanted)
    return np.fromiter((one in chosen for one in values), bool, len(values))


def _check_kind(values: NDArray[Any], value: float | str, name: str) -> None:
    if _is_text(values) != isinstance(value, str):
        kind, other = ("text", "a number") if _is_text(values) else ("numbers", "a text")
        raise InvalidRequestError(f"column {name!r} holds {kind} and cannot be compared with {other}, {value!r}")
