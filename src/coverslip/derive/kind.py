"""What a kind of artifact is."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from coverslip.catalog import Catalog
from coverslip.model import CanRead
from coverslip.model.annotations import Annotation
from coverslip.model.entities import EntityRecord
from coverslip.model.records import ImageRecord
from coverslip.readers import ImageFile

OpenSource = Callable[[], AbstractContextManager[CanRead]]
"""Opens the image an artifact is made from; raises a ``CoverslipError`` when that is impossible. Between two reads
a build may be given up, so a kind reads in pieces, not all at once."""

Of = Literal["image", "annotation", "entity"]
Follows = Literal["annotations", "entities"]


@dataclass(frozen=True, slots=True)
class Subject:
    """What an artifact is of, as the catalog knows it."""

    image: ImageRecord
    annotation: Annotation | None = None
    """``None`` where it is of the whole image."""
    entity: EntityRecord | None = None
    """Where it is of an entity; the image is then one that shows it."""

    @property
    def shown(self) -> EntityRecord:
        """The entity, of a kind that is of entities."""
        assert self.entity is not None, "kinds of entities are built of entities"
        return self.entity

    @property
    def marked(self) -> Annotation:
        """The annotation, of a kind that is of annotations."""
        assert self.annotation is not None, "kinds of annotations are built of annotations"
        return self.annotation


@dataclass(frozen=True, slots=True)
class Inputs:
    """What an artifact is made from."""

    open_source: OpenSource
    """Opens the pixels of the image."""
    artifacts: Mapping[str, bytes]
    """The artifacts it needs, by kind; each has seen every change."""
    of_entities: Mapping[tuple[int, str], bytes] = field(default_factory=dict)
    """The artifacts it needs of the entities around it, by public number and kind; without what cannot be made."""
    catalog: Catalog | None = None
    """What else is known of the subject."""
    locate: Callable[[str], Path] = Path
    """Turns the place of a file of a layout into a path that can be opened."""
    open_file: Callable[[Path], ImageFile] | None = None
    """Opens image files of a layout."""

    @property
    def known(self) -> Catalog:
        """The catalog, for kinds that look into it."""
        assert self.catalog is not None, "a builder hands its catalog in"
        return self.catalog


class Kind(Protocol):
    """A recipe: one image or annotation in, the bytes of one file out. The same pixels always give the same bytes."""

    @property
    def name(self) -> str:
        """First part of the key of everything this kind makes."""
        ...

    @property
    def of(self) -> Of:
        """Whether it is of an image, an annotation or an entity."""
        ...

    @property
    def needs(self) -> tuple[str, ...]:
        """Kinds it is built from: of the same image, annotation or entity, or of all the entities around an image."""
        ...

    @property
    def follows(self) -> tuple[Follows, ...]:
        """What it changes with beside its image: annotations people make of that, entities around it.

        What such entities have is made fresh before it; what of that cannot be made is left out.
        """
        ...

    @property
    def version(self) -> int:
        """Version of the recipe; artifacts of another version are stale."""
        ...

    @property
    def allows_stale(self) -> bool:
        """Whether the previous one may be shown, marked as such, to those who ask for that."""
        ...

    @property
    def media_type(self) -> str:
        """Media type of the bytes."""
        ...

    @property
    def suffix(self) -> str:
        """Ending of the key, with the dot."""
        ...

    def cost(self, subject: Subject) -> int:
        """Return how many frames are read to build it: what the effort grows with, known without opening anything."""
        ...

    def build(self, subject: Subject, inputs: Inputs) -> bytes:
        """Return the artifact.

        Parameters
        ----------
        subject
            The image, and the annotation where it is of one.
        inputs
            What it is made from.

        Raises
        ------
        CoverslipError
            With a sentence that says why it cannot be made. Anything else counts as a failure too.
        """
        ...


def by_name(kinds: Iterable[Kind]) -> dict[str, Kind]:
    """Return kinds by name, once it is sure that each can be built.

    Raises
    ------
    ValueError
        Two have one name; a kind needs another that is not there, or itself by way of others, or one of
        annotations while it is of images.
    """
    found: dict[str, Kind] = {}
    for kind in kinds:
        if kind.name in found:
            raise ValueError(f"there are two kinds {kind.name!r}")
        found[kind.name] = kind
    for kind in found.values():
        _check(kind, found, (kind.name,))
    return found


def dependents_of(kinds: Mapping[str, Kind]) -> dict[str, tuple[str, ...]]:
    """Return, for every kind, the kinds that are built from it."""
    return {name: tuple(other.name for other in kinds.values() if name in other.needs) for name in kinds}


def depths_of(kinds: Mapping[str, Kind]) -> dict[str, int]:
    """Return, for every kind, how many others are built before it, one from the other."""

    def depth(name: str) -> int:
        return 1 + max((depth(needed) for needed in kinds[name].needs), default=-1)

    return {name: depth(name) for name in kinds}


def _check(kind: Kind, kinds: Mapping[str, Kind], way: tuple[str, ...]) -> None:
    for name in kind.needs:
        needed = kinds.get(name)
        if needed is None:
            raise ValueError(f"the kind {kind.name!r} needs {name!r}, which does not exist")
        if needed.of == "annotation" and kind.of != "annotation":
            raise ValueError(f"the kind {kind.name!r} is of images and needs {name!r}, of which each may have many")
        if kind.of == "entity" and needed.of != "entity":
            raise ValueError(f"the kind {kind.name!r} is of entities and needs {name!r}, which is of images")
        if needed.of == "entity" and kind.of != "entity" and "entities" not in kind.follows:
            raise ValueError(f"the kind {kind.name!r} needs {name!r} of entities and does not follow them")
        if name in way:
            raise ValueError(f"kinds need each other in a circle: {' -> '.join((*way, name))}")
        _check(needed, kinds, (*way, name))
