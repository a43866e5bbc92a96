"""Files of a layout that no record refers to. They are listed, and never removed: the catalog does not own them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from coverslip.catalog import Catalog
from coverslip.cleanup.planning import Look
from coverslip.cryoet.layout import parse
from coverslip.model.removal import RECORD, Scope

MADE = frozenset({"neuroglancer_precompute", "neuroglancer_config", "key_image"})
"""Types of what is made of other things of a layout, so that no record is expected to name it."""


@dataclass(frozen=True, slots=True)
class LooseFile:
    """A file or image folder that no record refers to."""

    layout: str
    key: str
    size: int
    """In bytes."""
    type: str
    """What lies at such a place of the layout; empty where nothing has a place."""


@dataclass(frozen=True, slots=True)
class Loose:
    """What no record of a layout refers to."""

    files: tuple[LooseFile, ...]
    unlisted: tuple[str, ...]
    """Places that could not be listed to the end, and why: there may be more."""


def loose_files(catalog: Catalog, scope: Scope, look: Look) -> Loose:
    """Return the files of layouts that no record refers to, without those that are made of others.

    Parameters
    ----------
    catalog
        What refers to files.
    scope
        A layout, or everything; anything narrower is taken for the layouts that it lies in.
    look
        Asks what is there.

    Raises
    ------
    InvalidRequestError
        Nothing narrows the scope, and it is not said that everything is meant.
    """
    whole = Scope(RECORD, layout=scope.layout, everything=scope.everything)
    chosen, beside = catalog.candidates(whole)
    layouts = sorted({one.layout for one in (*chosen, *beside)})
    files: list[LooseFile] = []
    unlisted: list[str] = []
    for layout in layouts:
        keys = {key for one in (*chosen, *beside) if one.layout == layout for key in one.keys}
        asked = look(layout, keys, [""])
        files += [LooseFile(layout, key, asked.sizes.get(key, 0), kind) for key, kind in _loose(asked.orphans)]
        unlisted += [f"{layout}/{folder}: {why}" for folder, why in asked.unlisted.items()]
    return Loose(tuple(files), tuple(unlisted))


def _loose(orphans: Iterable[str]) -> Iterator[tuple[str, str]]:
    for key in sorted(orphans):
        place = parse(key)
        kind = "" if place is None else place.type
        if kind not in MADE and "/NeuroglancerPrecompute/" not in key:
            yield key, kind
