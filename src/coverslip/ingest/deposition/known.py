"""What lies at the destination already: which numbers are taken, and by what."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from coverslip.cryoet import layout
from coverslip.ingest.deposition import identities


@dataclass(frozen=True, slots=True)
class Known:
    """What a destination holds.

    Parameters
    ----------
    numbers
        Of every folder with numbered folders, the number of each entity in it, by identity.
    taken
        Of the same folders, every number that was ever seen there, also where nobody knows of what.
    owners
        The deposition of each entity that has a document, by identity.
    keys
        The document of each entity, by identity.
    defaults
        Of folders of alignments, the identity of the one that does nothing, where there is one.
    """

    numbers: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    taken: Mapping[str, frozenset[int]] = field(default_factory=dict)
    owners: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)

    def identity(self, container: str, number: int) -> str | None:
        """Return what has a number, where that is known."""
        return next((one for one, its in self.numbers.get(container, {}).items() if its == number), None)


def known_numbers(documents: Mapping[str, Mapping[str, Any]], keys: Iterable[str] = ()) -> Known:
    """Return what a destination holds.

    Parameters
    ----------
    documents
        Metadata documents by their keys; those of other places count for nothing.
    keys
        Every key of the destination. A folder without a document keeps its number from being given again.

    Of two documents that say the same of themselves the one with the lower number counts; the other keeps its number.
    """
    numbers: dict[str, dict[str, int]] = {}
    taken: dict[str, set[int]] = {}
    owners: dict[str, str] = {}
    found: dict[str, str] = {}
    defaults: dict[str, str] = {}
    for key in keys:
        place = layout.parse(key)
        if place is not None and place.type in layout.CONTAINERS and place.number is not None:
            taken.setdefault(_container(place), set()).add(place.number)
    for _, _, key, place in sorted(_placed(documents), key=lambda one: one[:3]):
        identity = identities.of_document(place, documents[key])
        if identity is None or identity in found:
            if place.number is not None:
                taken.setdefault(_container(place), set()).add(place.number)
            continue
        found[identity] = key
        if (owner := documents[key].get("deposition_id")) is not None:
            owners[identity] = str(owner)
        if place.number is not None:
            container = _container(place)
            numbers.setdefault(container, {})[identity] = place.number
            taken.setdefault(container, set()).add(place.number)
            if place.type == "alignment" and _is_default(documents[key]):
                defaults.setdefault(container, identity)
    return Known(numbers, {key: frozenset(some) for key, some in taken.items()}, owners, found, defaults)


def _placed(documents: Mapping[str, Mapping[str, Any]]) -> Iterable[tuple[str, int, str, layout.Place]]:
    for key in documents:
        place = layout.parse(key)
        if place is not None and place.part == "document":
            number = place.number or 0
            yield (_container(place) if number else place.folder), number, key, place


def _container(place: layout.Place) -> str:
    return place.folder.rpartition("/")[0]


def _is_default(document: Mapping[str, Any]) -> bool:
    """Return whether an alignment does nothing: there is no file of it, and no section is moved."""
    return not document.get("alignment_path") and not document.get("per_section_alignment_parameters")


class Numbers:
    """Gives numbers to folders: what has one keeps it, and none is given twice.

    Parameters
    ----------
    known
        What the destination holds.
    """

    def __init__(self, known: Known) -> None:
        self._known = known
        self._given: dict[str, dict[str, int]] = {}
        self._highest: dict[str, int] = {}

    def of(self, container: str, identity: str) -> int:
        """Return the number of an entity in a folder with numbered folders: the old one, or the next."""
        known = self._known.numbers.get(container, {})
        if identity in known:
            return known[identity]
        given = self._given.setdefault(container, {})
        if identity not in given:
            if container not in self._highest:
                taken = (*self._known.taken.get(container, ()), *known.values())
                self._highest[container] = max(taken, default=layout.FIRST_NUMBER - 1)
            self._highest[container] += 1
            given[identity] = self._highest[container]
        return given[identity]
