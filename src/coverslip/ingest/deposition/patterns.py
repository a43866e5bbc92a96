"""Regular expressions and globs of a config: whether they can work, and how a glob is compared."""

import re
import warnings
from fnmatch import translate
from functools import lru_cache

from coverslip.errors import InvalidRequestError
from coverslip.ingest.deposition.problems import shortened

LONGEST = 100_000
"""Characters of one regular expression. Real ones that name every run have 5,000."""

_REPEAT = re.compile(r"[*+]|\{\d*,\}")


class PatternError(ValueError):
    """A regular expression or glob cannot work; the message says why."""


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> re.Pattern[str]:
    """Return a regular expression, compiled.

    Raises
    ------
    PatternError
        It is none.
    """
    if len(pattern) > LONGEST:
        raise PatternError(f"The regular expression is longer than {LONGEST:,} characters.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what a later Python may read otherwise is no concern of a curator
            return re.compile(pattern)
    except re.error as error:
        place = f" at character {error.pos + 1}" if error.pos is not None else ""
        raise PatternError(f"This is no regular expression: {error.msg}{place}.") from error
    except (OverflowError, RecursionError) as error:
        raise PatternError("This regular expression is too large or too deep.") from error


def check_name_regex(pattern: str) -> None:
    """Check a regular expression that takes the name out of a file name with its first group.

    Raises
    ------
    PatternError
        It is none, or it has no group.
    """
    if compiled(pattern).groups == 0:
        raise PatternError("The name is what the first group matches, and there is no group (...).")


def may_take_forever(pattern: str) -> bool:
    """Return whether a repeat stands inside a repeated group: the time of a match may double with each character."""
    unbounded_inside = [False]
    index, length = 0, len(pattern)
    while index < length:
        char = pattern[index]
        step = 1
        if char == "\\":
            step = 2
        elif char == "[":
            step = class_end(pattern, index) - index
        elif char == "(":
            unbounded_inside.append(False)
        elif char == ")" and len(unbounded_inside) > 1:
            inside = unbounded_inside.pop()
            repeated = _REPEAT.match(pattern, index + 1) is not None
            if inside and repeated:
                return True
            unbounded_inside[-1] |= inside or repeated
        elif match := _REPEAT.match(pattern, index):
            unbounded_inside[-1] = True
            step = len(match[0])
        index += step
    return False


def class_end(pattern: str, start: int) -> int:
    """Return the position after the set of characters that begins at ``start``, or the end of the text."""
    index = start + 1
    if pattern[index : index + 1] == "^":
        index += 1
    index += 1  # a bracket that comes first is a character of the set
    while index < len(pattern) and pattern[index] != "]":
        index += 2 if pattern[index] == "\\" else 1
    return index + 1


def check_glob(glob: str) -> str:
    """Return what is odd about a glob, as a sentence, or nothing.

    Raises
    ------
    PatternError
        It can find nothing, or would look outside the source.
    """
    if not glob.strip():
        raise PatternError("The glob is empty.")
    parts = glob.split("/")
    if ".." in parts:
        raise PatternError("A glob cannot go up with '..': it starts at the source_prefix.")
    if "\0" in glob:
        raise PatternError("A glob cannot hold a NUL character.")
    if glob != glob.strip():
        return "The glob begins or ends with a space, which is part of it."
    if glob.startswith("/") or "" in parts[:-1] or "." in parts:
        return "Empty parts of the path (//, a leading / or .) are left out."
    if any(_open_bracket(part) for part in parts):
        return "The bracket [ is never closed, so it stands for itself."
    if any("**" in part and part != "**" for part in parts):
        return "** within a name means no more than *; it crosses folders only when it stands alone: a/**/b."
    return ""


def _open_bracket(part: str) -> bool:
    index = part.find("[")
    while index >= 0:
        start = index + (2 if part[index + 1 : index + 2] == "!" else 1)
        end = part.find("]", start + 1)
        if end < 0:
            return True
        index = part.find("[", end + 1)
    return False


@lru_cache(maxsize=4096)
def name_pattern(part: str) -> re.Pattern[str]:
    """Return one part of a glob as a regular expression of names. ``*`` matches hidden names too."""
    return re.compile(translate(part))


def is_pattern(part: str) -> bool:
    """Return whether a part of a glob is more than a name."""
    return any(char in part for char in "*?[")


def escaped(name: str) -> str:
    """Return a name for a place in a glob, where it stands for itself."""
    return re.sub(r"([*?[])", r"[\1]", name)


def glob_parts(glob: str) -> tuple[str, ...]:
    """Return the parts of a glob, empty ones left out."""
    return tuple(part for part in glob.split("/") if part not in ("", "."))


def prefix_parts(prefix: str) -> list[str]:
    """Return the folders that a ``source_prefix`` names, from the outside in.

    Raises
    ------
    InvalidRequestError
        It leads out of the source, or is no path.
    """
    parts = [part for part in prefix.split("/") if part]
    if ".." in parts or "\0" in prefix or "://" in prefix:
        raise InvalidRequestError(f"source_prefix: {shortened(prefix)!r} is no path below a folder")
    return parts
