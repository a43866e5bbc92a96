"""What is wrong with a config: where, what, and what was probably meant."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from itertools import islice
from typing import Literal

Severity = Literal["error", "warning"]
"""``error``: it cannot be ingested as it stands. ``warning``: it can, and somebody should look."""

type Step = str | int
"""One step into a document: a key, or a position counted from 0."""


@dataclass(frozen=True, slots=True)
class Remark:
    """A problem by its path, before anybody has looked up the line.

    Parameters
    ----------
    severity
        Whether it can be ingested nevertheless.
    steps
        The way to the value from the top of the document.
    sentence
        What is wrong.
    hint
        What was probably meant, as a sentence, or nothing.
    """

    severity: Severity
    steps: tuple[Step, ...]
    sentence: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem with its place.

    Parameters
    ----------
    severity
        Whether it can be ingested nevertheless.
    file
        The config or map.
    line, column
        Counted from 1; 0 when it is the file as a whole.
    path
        Such as ``annotations[2].sources[0].Point.glob_string``; empty for the whole file.
    sentence
        What is wrong.
    hint
        What was probably meant, as a sentence, or nothing.
    """

    severity: Severity
    file: str
    line: int
    column: int
    path: str
    sentence: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: " if self.line else f"{self.file}: "
        parts = [f"{self.path}: " if self.path else "", "warning: " if self.severity == "warning" else ""]
        return place + "".join(parts) + self.sentence + (f" {self.hint}" if self.hint else "")


MOST = 1000
"""Problems said of one file; a file that is not a config at all has one in every line."""


def path_text(steps: Iterable[Step]) -> str:
    """Return a path as people write it: ``annotations[2].sources[0]``."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return text.removeprefix(".")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a hint with the known word nearest to one that is not known, or nothing."""
    by_lower = {name.lower(): name for name in islice(known, 200)}  # comparing each with each takes its time
    close = get_close_matches(word.lower(), by_lower, n=1) if len(word) < 100 else []
    return f"Did you mean {by_lower[close[0]]!r}?" if close else ""


def described(value: object) -> str:
    """Return what a value of a document is, for a sentence: ``the text 'REQUIRED'``."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | tuple):
        return "a mapping" if isinstance(value, dict) else "a list"
    sort = "text" if isinstance(value, str) else "date" if isinstance(value, date) else "number"
    return f"the {sort} {shortened(value)!r}" if isinstance(value, str) else f"the {sort} {shortened(str(value))}"


def shortened(text: str, length: int = 60) -> str:
    """Return text that fits into a sentence."""
    return text if len(text) <= length else text[: length - 3] + "..."


def listed(words: Sequence[str], joint: str = "or") -> str:
    """Return words as a list for a sentence: ``a, b or c``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {joint} {words[-1]}"


def merged(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return problems without repetitions, errors first, then by place.

    A value behind an anchor is wrong in every place that uses it; its line is named once, with the first path.
    """
    first: dict[tuple[object, ...], Problem] = {}
    count: dict[tuple[object, ...], set[str]] = {}
    for problem in problems:
        place: tuple[object, ...] = (problem.severity, problem.file, problem.line, problem.column, problem.sentence)
        first.setdefault(place, problem)
        count.setdefault(place, set()).add(problem.path)
    found = []
    for same, problem in first.items():
        more = len(count[same]) - 1
        also = (
            f" (and in {more} more {'place that uses' if more == 1 else 'places that use'} this anchor)" if more else ""
        )
        found.append(
            Problem(
                problem.severity,
                problem.file,
                problem.line,
                problem.column,
                problem.path,
                problem.sentence + also,
                problem.hint,
            )
        )
    found.sort(key=lambda one: (one.severity, one.file, one.line, one.column, one.path))
    if len(found) > MOST:
        last = Problem(found[MOST].severity, found[0].file, 0, 0, "", f"And {len(found) - MOST:,} problems more.")
        return (*found[:MOST], last)
    return tuple(found)
