"""Who works with a catalog, for lines of the log of which nobody else says it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Who:
    """A person or program at work."""

    actor: str = "local"
    """A name; ``local`` is whoever sits at this machine."""
    command: str = "library"
    """The command it came from; ``library`` of a program that uses the package."""


_NOBODY = Who()
_SPEAKER: ContextVar[Who] = ContextVar("coverslip_speaker", default=_NOBODY)


@contextmanager
def speaking(who: Who) -> Iterator[None]:
    """Open catalogs for somebody until the ``with`` statement ends; they stay that person's."""
    token = _SPEAKER.set(who)
    try:
        yield
    finally:
        _SPEAKER.reset(token)


def speaker() -> Who:
    """Return for whom catalogs are opened now."""
    return _SPEAKER.get()
