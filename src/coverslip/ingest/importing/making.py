"""What entities of every type are made with: their documents, their files, and notes of what is amiss."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from coverslip.ingest.importing.documents import Read, number_text, text
from coverslip.ingest.importing.found import Batch, Problem, ProblemKind
from coverslip.ingest.importing.listing import Listing
from coverslip.ingest.importing.places import Group, Shelf, place_of
from coverslip.model.entities import EntityFile, EntitySeen
from coverslip.model.records import SeenFile

SINGLE = ("tiltseries", "tomogram")
"""Types of which the older layout had one at a place, so that its files have the same names for all of them."""
MADE_OF = {"tiltseries": ("rawtilt", "ctf"), "tomogram": ("key_image",)}
"""Types whose files lie with those of another, and have no document of their own."""
MOST_NAMED = 10_000
"""Files that one document may name; a tilt series has some hundred frames."""


def version_of(seen: SeenFile) -> str:
    """Return what changes with a file: a digest of ETags where the listing has them, otherwise its size and time."""
    return seen.checksum or f"{seen.size}-{seen.mtime_ns}"


@dataclass(slots=True)
class Maker:
    """Makes the entities of one shelf.

    Parameters
    ----------
    listing
        Everything there is.
    shelf
        What they are made of.
    reads
        What may be documents, read, by key.
    deposition
        The number that counts where a document names none.
    """

    listing: Listing
    shelf: Shelf
    reads: Mapping[str, Read]
    deposition: str = ""
    made: dict[str, EntitySeen] = field(default_factory=dict)
    """By identity, in the order in which they were made."""
    problems: list[Problem] = field(default_factory=list)
    mentioned: set[str] = field(default_factory=set)
    """Keys that belong to an entity."""
    not_there: list[str] = field(default_factory=list)
    """Files that the last document names and that are certainly not there."""
    are_unknown: bool = False
    """Whether nobody knows of some of the files that the last document names."""
    _undecided: set[str] = field(default_factory=set)
    """Types of which a document could not be read: it may speak of any file of them."""
    _unnumbered: dict[tuple[str, str, str], list[str]] = field(default_factory=dict)
    """Files without a document beside them, by type, voxel spacing and name: the older layout had them so."""
    _described: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How many have a document, by type and voxel spacing."""

    def __post_init__(self) -> None:
        for group in self.shelf.groups.values():
            if group.documents:
                self._described[group.place.type, group.place.spacing] += 1
                continue
            for key, place in group.files.items():
                self._unnumbered.setdefault((place.type, place.spacing, place.name), []).append(key)

    def note(self, key: str, kind: ProblemKind, reason: str) -> None:
        """Take a problem."""
        self.problems.append(Problem(key, kind, reason))

    def document(self, key: str) -> dict[str, Any] | None:
        """Return a document, ``None`` where it is unknown or broken, which is noted."""
        self.mentioned.add(key)
        read = self.reads[key]
        if read.problem is None and isinstance(read.value, dict):
            return read.value
        reason = read.reason or "a metadata document is a mapping, and this is none"
        self.note(key, "unknown" if read.is_unknown else "broken", reason)
        place = place_of(key)
        self._undecided |= {place.type, *MADE_OF.get(place.type, ())} if place is not None else set()
        return None

    def number(self, document: Mapping[str, Any]) -> str:
        """Return the number of the deposition that a document names, or what counts otherwise."""
        return number_text(document.get("deposition_id")) or self.deposition

    def add(self, one: EntitySeen) -> EntitySeen:
        """Take an entity; of several that are the same, those after the first get their number into their identity."""
        first = self.made.get(one.identity)
        if first is not None:
            label = str(one.number) if one.number is not None else one.key
            self.note(one.key, "duplicate", f"its document says that it is the same as {first.key}")
            one = replace(one, identity=f"{one.identity}#{label}")
        self.made[one.identity] = one
        return one

    def files(
        self, group: Group, stated: Iterable[tuple[object, str]], what: str, *, others: bool = False
    ) -> tuple[EntityFile, ...]:
        """Return the files of an entity that are there, and note those that are not.

        Parameters
        ----------
        group
            What the listing has of it.
        stated
            What its document names, each with the shape that it gives.
        what
            The entity, in words.
        others
            Whether the files beside the document count where nothing that it names is there.
        """
        self.not_there, self.are_unknown = [], False
        found: dict[str, EntityFile] = {}
        for number, (named, shape) in enumerate(stated):
            if number >= MOST_NAMED:
                self.note(group.place.folder, "broken", f"the document names more than {MOST_NAMED:,} files")
                break
            if not (path := text(named)):
                continue
            key = self._key_of(path, group)
            if key in self.listing.files:
                found[key] = self.file(key, shape)
            elif self.listing.is_unlisted(key):
                self.are_unknown = True
                self.note(key, "unknown", f"nobody knows whether this file of {what} is there")
            else:
                self.not_there.append(key)
                self.note(key, "incomplete", f"{what} names this file, and it is not there")
        if not found and others:
            found = {key: self.file(key, place.shape) for key, place in group.files.items()}
        return tuple(found.values())

    def file(self, key: str, shape: str = "") -> EntityFile:
        """Return a file that is there as one of an entity."""
        self.mentioned.add(key)
        return EntityFile(key, key.rpartition(".")[2].lower(), shape, version_of(self.listing.files[key]))

    def batch(self) -> Batch:
        """Return what was made; what no document spoke of is noted, where all of them could be listed."""
        if not any(f"{folder}/".startswith(f"{self.shelf.folder}/") for folder in self.listing.unlisted):
            self._note_unmentioned()
        return Batch(self.shelf.folder, tuple(self.made.values()), tuple(self.problems))

    def _note_unmentioned(self) -> None:
        for group in self.shelf.groups.values():
            for key in group.files:
                if key not in self.mentioned and group.place.type not in self._undecided:
                    self.note(key, "unmentioned", "no document speaks of it")
        for key in self.shelf.others:
            if key not in self.mentioned:
                self.note(key, "unmentioned", "it has no place in the layout")

    def _key_of(self, path: str, group: Group) -> str:
        """Return the key that a document means: as it stands, beside the document, or where the older layout had it."""
        folder = self.shelf.folder
        at = f"/{path}".find(f"/{folder}/")
        stated = path[at:] if at >= 0 else f"{group.place.folder}/{path.rpartition('/')[2]}"
        name = stated.rpartition("/")[2]
        beside = f"{group.place.folder}/{name}"
        for key in (stated, beside, *self._older(group, name)):
            if key in self.listing.files:
                return key
        return stated

    def _older(self, group: Group, name: str) -> list[str]:
        """Return where the older layout had a file, if that is certain."""
        place = group.place
        if place.type in SINGLE and self._described[place.type, place.spacing] > 1:
            return []
        files = self._unnumbered.get((place.type, place.spacing, name), [])
        return files if len(files) == 1 else []
