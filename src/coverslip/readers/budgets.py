"""The budgets that hold while a file is opened or read, and the checks that readers make against them."""

import math
import os
from contextvars import ContextVar
from functools import cache

from coverslip.errors import BudgetError, ReadError
from coverslip.model import Budgets, ImageMetadata

HARMLESS_BYTES = 64 << 20
"""A piece that unpacks to no more than this (64 MiB) hurts nobody, however few bytes it came from."""

_HELD: ContextVar[Budgets] = ContextVar("budgets", default=Budgets())  # noqa: B039  # a frozen value


def budgets() -> Budgets:
    """Return the budgets that hold here."""
    return _HELD.get()


class within:  # noqa: N801  # reads like contextlib's own; entered for every read, so no generator
    """Let other budgets hold for the time of a ``with`` statement, in this thread and what it starts for itself.

    Parameters
    ----------
    chosen
        The budgets.
    """

    __slots__ = ("_chosen", "_token")

    def __init__(self, chosen: Budgets) -> None:
        self._chosen = chosen

    def __enter__(self) -> None:
        self._token = _HELD.set(self._chosen)

    def __exit__(self, *_: object) -> None:
        _HELD.reset(self._token)


@cache
def machine_memory() -> int:
    """Return the memory of this machine in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def most_at_once(chosen: Budgets) -> int:
    """Return how many bytes of pixels one read may give."""
    return min(chosen.memory_bytes or machine_memory(), machine_memory())


def check_pixels(meta: ImageMetadata) -> None:
    """Refuse an image that promises more samples than the budget.

    Raises
    ------
    BudgetError
        ``pixels``.
    """
    _check("pixels", math.prod(meta.shape), f"the image {meta.name!r} promises {math.prod(meta.shape):,} pixels")


def check_pages(count: int, what: str) -> None:
    """Refuse a file that lists more pieces than the budget.

    Raises
    ------
    BudgetError
        ``pages``.
    """
    _check("pages", count, f"the file lists {count:,} {what}")


def check_piece(promised: int, stored: int, packing: int | None, what: str) -> None:
    """Refuse a packed piece that cannot be, or that is too large, before memory is asked for.

    Parameters
    ----------
    promised
        Bytes it unpacks to, according to the header.
    stored
        Bytes it is stored in.
    packing
        How many bytes one stored byte can become at most with the codec of the piece; ``None`` where the codec has no
        bound, as in JPEG 2000, where a black image of any size is a few bytes.
    what
        Names the piece in the message: ``"strip 3 of page 0"``.

    Raises
    ------
    BudgetError
        ``plane_bytes`` or ``ratio``.
    ReadError
        No codec of this kind packs so tightly: the file is damaged.
    """
    _check("plane_bytes", promised, f"{what} unpacks to {promised:,} bytes")
    check_ratio(promised, stored, packing, what)


def check_ratio(promised: int, stored: int, packing: int | None, what: str) -> None:
    """Refuse what is packed too tightly, whatever its size; see ``check_piece``.

    Raises
    ------
    BudgetError
        ``ratio``.
    ReadError
        No codec of this kind packs so tightly: the file is damaged.
    """
    if promised <= HARMLESS_BYTES:
        return
    if packing is not None and promised > stored * packing:
        raise ReadError(
            f"{what} promises {promised} bytes of pixels, which the {stored} bytes that are there cannot hold: "
            "the file is truncated or damaged. Copy it again from its source"
        )
    ratio = math.ceil(promised / max(1, stored))
    _check("ratio", ratio, f"{what} unpacks {stored:,} bytes to {promised:,}, {ratio:,} times as many")


def check_xml_bytes(count: int) -> None:
    """Refuse an XML document that is larger than the budget.

    Raises
    ------
    BudgetError
        ``xml_bytes``.
    """
    _check("xml_bytes", count, f"the file has an XML document of {count:,} bytes")


def check_xml_depth(depth: int) -> None:
    """Refuse an XML document that is deeper than the budget.

    Raises
    ------
    BudgetError
        ``xml_depth``.
    """
    _check("xml_depth", depth, f"the elements of an XML document lie {depth:,} deep in each other")


def _check(name: str, asked: float, sentence: str) -> None:
    allowed = getattr(budgets(), name)
    if asked > allowed:
        raise BudgetError(sentence, budget=name, asked=asked, allowed=allowed)
