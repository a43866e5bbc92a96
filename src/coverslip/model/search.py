"""What a list of images may be narrowed to, how it may be sorted, and where in it one page ended."""

import base64
import binascii
import json
import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, Self, get_args

Sort = Literal[
    "-added", "added", "name", "-name", "acquired", "-acquired", "size", "-size", "pixel_size", "-pixel_size"
]
"""Orders of a list; a minus turns one round. ``size`` is the number of pixels, ``pixel_size`` their width."""

Key = int | float | str | None

_ID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LARGEST = 2**63 - 1
_LAST_PLACE = 2**31
_LONGEST = 4096
_KEYS = {"added": 3, "name": 2, "acquired": 2, "size": 2, "pixel_size": 2}
"""How many values say where an image stands in each order; the last is always its identifier."""


@dataclass(frozen=True, slots=True)
class ImageFilter:
    """What images must be like. ``None`` asks for nothing; an image that lacks a fact meets no condition on it."""

    format: str | None = None
    """Family or dialect, whole: ``"TIFF"``, ``"OME-TIFF"``; letter case does not count."""
    channel: str | None = None
    """Part of the name or dye of one of its channels; letter case does not count."""
    objective: str | None = None
    """Part of the name, magnification (``63x``) or immersion of its objective; letter case does not count."""
    min_pixel_size: float | None = None
    """Smallest pixel size along X in micrometres, inclusive."""
    max_pixel_size: float | None = None
    """Largest pixel size along X in micrometres, inclusive."""
    acquired_after: datetime | None = None
    """Earliest time of acquisition, aware, inclusive."""
    acquired_before: datetime | None = None
    """Time before which it was acquired, aware, exclusive: so spans that meet share no image."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """The place in one order after which the next page begins. What is added or deleted meanwhile moves nothing."""

    sort: Sort
    key: tuple[Key, ...]
    """Values of the last image in this order; times as ISO text in UTC, unknown ones as ``None``."""

    def write(self) -> str:
        """Return the cursor as text for addresses."""
        document = json.dumps([self.sort, *self.key], separators=(",", ":"), ensure_ascii=False)
        return base64.urlsafe_b64encode(document.encode(errors="surrogatepass")).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str, sort: Sort) -> Self:
        """Return the cursor that ``write`` made into this text.

        Parameters
        ----------
        text
            From an address: nothing about it is trusted.
        sort
            The order that the list is asked for in.

        Raises
        ------
        ValueError
            It is no such text, or of another order.
        """
        if len(text) > _LONGEST:
            raise ValueError(_WRONG)
        try:
            padded = text + "=" * (-len(text) % 4)
            found = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        except (binascii.Error, ValueError, RecursionError) as error:
            raise ValueError(_WRONG) from error
        if not isinstance(found, list) or not found or found[0] not in get_args(Sort):
            raise ValueError(_WRONG)
        if found[0] != sort:
            raise ValueError(f"the cursor is of a list sorted by {found[0]}, not by {sort}")
        if not _is_key(sort.removeprefix("-"), found[1:]):
            raise ValueError(_WRONG)
        return cls(sort, tuple(found[1:]))


_WRONG = "expected next_cursor of the page before"


def _is_key(order: str, key: list[object]) -> bool:
    """Return whether these can be the values of an image in this order."""
    if len(key) != _KEYS[order] or not isinstance(key[-1], str) or not _ID.fullmatch(key[-1]):
        return False
    match order:
        case "added":
            return _is_time(key[0]) and _is_whole(key[1], _LAST_PLACE)
        case "name":
            return isinstance(key[0], str)
        case "acquired":
            return key[0] is None or _is_time(key[0])
        case "size":
            return _is_whole(key[0], _LARGEST)
        case _:
            return key[0] is None or (isinstance(key[0], float) and math.isfinite(key[0]))


def _is_whole(value: object, largest: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < largest


def _is_time(value: object) -> bool:
    return isinstance(value, str) and to_utc(value) is not None


def to_utc(text: str) -> datetime | None:
    """Return the time that ISO text names, in UTC; without a zone it is taken as UTC. ``None`` where it names none."""
    try:
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
