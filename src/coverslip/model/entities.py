"""What depositions consist of, as the catalog keeps it: one record for every type."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class EntityFile:
    """A file of an entity in its layout."""

    key: str
    """Its place below the top of the layout."""
    format: str
    """``zarr``, ``mrc``, ``ndjson``, ``glb``, ``json`` ..."""
    shape: str = ""
    """What it gives of an annotation, such as ``OrientedPoint``; empty for files of other entities."""
    version: str = ""
    """Changes whenever the content does: a digest of it, or an ETag."""


@dataclass(frozen=True, slots=True)
class EntitySeen:
    """An entity as an ingest wrote it or an import found it."""

    type: str
    """``deposition``, ``dataset``, ``run``, ``tiltseries``, ``alignment``, ``voxel_spacing``, ``tomogram`` ..."""
    identity: str
    """Its full path, which never changes: it is the same entity whenever it is seen again."""
    parent: str | None
    """The identity of what contains it."""
    name: str
    """What people call it; a voxel spacing has three decimals."""
    deposition: str = ""
    """The number of the deposition it came with."""
    number: int | None = None
    """Its folder's number, of types that have one."""
    key: str = ""
    """Place of its metadata document below the top of the layout, or of its folder where it has none."""
    document: dict[str, Any] = field(default_factory=dict)
    """Its metadata document."""
    files: tuple[EntityFile, ...] = ()
    missing: tuple[str, ...] = ()
    """Places of files that its document names and that are certainly not there."""
    alignment: str = ""
    """Place of the alignment's document below the top of the layout; of tomograms, annotations and alignments."""
    image_key: str = ""
    """Place of the image that people see below the top of the layout; of tomograms and tilt series."""


@dataclass(frozen=True, slots=True)
class EntityRecord(EntitySeen):
    """An entity of the catalog."""

    id: int = 0
    """Its public number. It stays the same however often it is ingested again."""
    layout: str = ""
    """Folder or address of the layout that it lies in."""
    parent_id: int | None = None
    image_id: str | None = None
    """The image that people see, once that is in the catalog."""
    revision: int = 1
    """Counts its changes."""
    created_at: datetime | None = None
    updated_at: datetime | None = None
    deleted_at: datetime | None = None
    """When it was removed; it can be brought back until it is purged."""
    incomplete_since: datetime | None = None
    """Since when files that its document names are known not to be there."""


@dataclass(frozen=True, slots=True)
class EntityChanges:
    """What writing entities did; identities."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StepRecord:
    """A step of an ingest that was done."""

    name: str
    """Identity of the entity, ``#`` and what is made of it."""
    digest: str
    """Of everything its result depends on: recipe version, options, fingerprints of its inputs."""
    facts: dict[str, Any]
    """What later steps and documents need to know of its result, so that nothing is opened for it again."""
    outputs: dict[str, str]
    """Its files by key, each with what tells its content apart."""


@dataclass(frozen=True, slots=True)
class EntityKinds:
    """Which kinds of artifact entities and annotations have to do with."""

    of_tomograms: tuple[str, ...] = ()
    """What the image of every tomogram has."""
    of_shapes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What an annotation has of a shape, by shape."""
    follow_entities: tuple[str, ...] = ()
    """What an image has that shows the entities around it."""
    follow_annotations: tuple[str, ...] = ()
    """What an image has that shows the annotations people make of it."""
    are_annotations_followed: bool = True
    """Whether annotations, of entities and people, make such artifacts stale."""
    unfollowed_datasets: frozenset[str] = frozenset()
    """Names of datasets whose annotations do not."""

    def follows(self, identity: str) -> bool:
        """Return whether the annotations of what has an identity make artifacts stale."""
        return self.are_annotations_followed and dataset_of(identity) not in self.unfollowed_datasets


def dataset_of(identity: str) -> str:
    """Return the name of the dataset that an identity lies in; empty for a deposition."""
    parts = identity.split("/", 2)
    return parts[1] if parts[0] == "datasets" and len(parts) > 1 else ""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is known around the image of a tomogram."""

    tomogram: EntityRecord
    """The tomogram that the image is of."""
    parents: Mapping[str, EntityRecord]
    """What contains it, by type: voxel spacing, run, dataset."""
    alignment: EntityRecord | None
    """The alignment it was made with."""
    annotations: tuple[EntityRecord, ...]
    """The annotations of its run that share its alignment, of every voxel spacing and deposition, oldest first."""
    spacings: Mapping[int, str]
    """The names of the voxel spacings of these annotations, by public number of the voxel spacing."""


@dataclass(frozen=True, slots=True)
class SavedView:
    """What somebody kept of a viewer."""

    id: str
    """Short: it is part of a link."""
    image_id: str
    name: str
    is_frozen: bool
    """Whether it shows what was there when it was made; others follow every change."""
    state: dict[str, Any]
    """The viewer's state when it was saved; empty for a link to whatever is current."""
    author: str
    created_at: datetime
    updated_at: datetime
