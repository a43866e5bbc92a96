"""What the catalog knows, as frozen values: files, images, artifacts, events."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from coverslip.model.annotations import Annotation
from coverslip.model.metadata import ImageMetadata

AssetState = Literal["ok", "broken", "unknown", "part"]
"""``ok``: its images are cataloged. ``broken``: a known format that cannot be read. ``unknown``: no reader knows it.
``part``: its pixels belong to an image cataloged under another file of the same multi-file set."""

Origin = Literal["added", "uploaded"]
"""``added``: lies where its owner put it and is never touched. ``uploaded``: ours, removed when purged."""

ArtifactState = Literal["fresh", "stale", "building", "failed", "ignored"]
"""How an artifact stands. All but ``fresh`` are stale: somebody builds it, its last attempt failed, somebody said that
this does not matter, or (``stale``) it waits."""


@dataclass(frozen=True, slots=True)
class SeenFile:
    """A file as a listing shows it, before it is opened."""

    path: str
    """Absolute path as text."""
    size: int
    """Bytes; for a folder, of everything in it."""
    mtime_ns: int
    """Last change in nanoseconds; for a folder, the newest of everything in it."""
    is_folder: bool = False
    origin: Origin = "added"
    checksum: str | None = None
    """Digest of the content; ``None`` while nobody has read it whole."""


@dataclass(frozen=True, slots=True)
class SyncItem:
    """What was found in one file, to be written to the catalog."""

    seen: SeenFile
    state: AssetState
    reason: str | None = None
    """Why it is broken, or which file it is a part of."""
    images: tuple[ImageMetadata, ...] = ()
    """Its images in the file's own order; empty unless ``state`` is ``ok``."""
    part_of: str | None = None
    """For a ``part``: the path under which the images of the whole set are cataloged."""

    def __post_init__(self) -> None:
        if self.state != "ok" and self.images:
            raise ValueError(f"{self.seen.path}: a file that is {self.state} has no images")


@dataclass(frozen=True, slots=True)
class AssetRecord:
    """A file or folder of bytes that the catalog knows."""

    id: str
    path: str
    origin: Origin
    is_folder: bool
    size: int
    mtime_ns: int
    checksum: str | None
    state: AssetState
    reason: str | None
    """Why it is broken, or which file it is a part of."""
    part_of: str | None
    """For a ``part``: the path under which the images of the whole set are cataloged."""
    read_by: str
    """Versions of the readers that judged it; a broken or unknown file is tried again when these change."""
    missing_since: datetime | None
    """When a complete listing first said it was gone; it is never removed for that."""


@dataclass(frozen=True, slots=True)
class ThumbnailState:
    """How an image's thumbnail stands, for lists."""

    state: Literal["fresh", "stale", "failed"]
    etag: str | None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One image people see."""

    id: str
    index: int
    """Position inside its file."""
    path: str
    """Where its bytes are."""
    filename: str
    origin: Origin
    size_bytes: int
    metadata: ImageMetadata
    revision: int
    """Counts the changes of its content; part of every ETag of a picture drawn from it."""
    created_at: datetime
    updated_at: datetime
    missing_since: datetime | None
    deleted_at: datetime | None
    thumbnail: ThumbnailState
    mtime_ns: int | None = None
    """When the file was last changed, as the catalog knows it; ``None`` for a folder and for one that is elsewhere, and
    where another version has been seen since."""


@dataclass(frozen=True, slots=True)
class ImagePlace:
    """Where the pixels of one image are: what a request for many small pieces needs to know, and no more."""

    id: str
    index: int
    """Position inside its file."""
    path: str
    revision: int
    """Counts the changes of its content."""


@dataclass(frozen=True, slots=True)
class ImagePage:
    """A page of a list of images."""

    images: tuple[ImageRecord, ...]
    total: int
    skip: int
    limit: int
    next_cursor: str | None = None
    """Text of the cursor after which the next page begins; ``None`` when this is the last one."""


@dataclass(frozen=True, slots=True)
class ArtifactRecord:
    """A derived artifact. It is stale while ``built < wanted`` or an older recipe built it."""

    id: str
    kind: str
    image_id: str
    annotation_id: str | None
    """The annotation it is of; ``None`` where it is of the whole image."""
    entity_id: int | None
    """The public number of the entity it is of; ``image_id`` is then an image that it is shown with."""
    wanted: int
    """How many changes its sources have had."""
    built: int
    """How many of them the published artifact has seen."""
    version: int
    """Recipe version of the published artifact."""
    key: str | None
    """Content-addressed name in the storage; ``None`` while nothing is published."""
    etag: str | None
    media_type: str | None
    size: int | None
    attempts: int
    """Failed attempts since the last success or change."""
    next_try_at: datetime | None
    error: str | None
    lease_until: datetime | None
    marked_at: datetime
    """Since when it has been stale; of a fresh one, since when it was before."""
    cause: str
    """The latest change of its sources, in words."""
    ignored_at: datetime | None
    """When somebody said that its failure does not matter; forgotten with the next change."""

    def is_fresh(self, version: int) -> bool:
        """Return whether the published artifact may be shown as current."""
        return self.key is not None and self.built >= self.wanted and self.version >= version

    def state(self, version: int, now: datetime) -> ArtifactState:
        """Return how it stands.

        Parameters
        ----------
        version
            Present recipe version of its kind.
        now
            The time leases are compared with, aware.
        """
        if self.is_fresh(version):
            return "fresh"
        if self.lease_until is not None and self.lease_until > now:
            return "building"
        if self.ignored_at is not None:
            return "ignored"
        return "stale" if self.error is None else "failed"


@dataclass(frozen=True, slots=True)
class PendingArtifact:
    """A stale artifact that can be built now."""

    artifact: ArtifactRecord
    annotation: Annotation | None
    """What it is of; ``None`` where it is of the whole image."""


@dataclass(frozen=True, slots=True)
class PendingCount:
    """An image of which many artifacts are stale."""

    image_id: str
    count: int


@dataclass(frozen=True, slots=True)
class ArtifactPage:
    """A page of a list of artifacts."""

    artifacts: tuple[ArtifactRecord, ...]
    total: int
    next_cursor: str | None
    """``None`` when this is the last page."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to build one artifact until the lease runs out."""

    artifact_id: str
    kind: str
    image_id: str
    seen: int
    """``wanted`` when the claim was made, before any source was read."""
    token: str
    """Distinguishes this claim from a later one of the same artifact."""
    attempts: int
    annotation_id: str | None = None
    stale_since: datetime | None = field(default=None, compare=False)  # None: only its recipe is older
    entity_id: int | None = None


@dataclass(frozen=True, slots=True)
class Built:
    """What a builder has published."""

    key: str
    etag: str
    media_type: str
    size: int
    version: int


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in the catalog, written in the transaction that did it."""

    seq: int
    type: str
    """``image.added``, ``image.changed``, ``image.missing``, ``image.found``, ``image.deleted``, ``image.restored``,
    ``annotation.saved``, ``annotation.deleted``, ``artifact.built`` or ``artifact.failed``."""
    image_id: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """What syncing one file did."""

    asset_id: str
    images_added: int = 0
    images_changed: int = 0
    images_missing: int = 0
    rows_written: int = 0


@dataclass(frozen=True, slots=True)
class PurgedBytes:
    """Bytes that nothing refers to any more after an image was purged."""

    image_id: str
    path: str | None
    """The uploaded original, once none of its images is left; ``None`` for files added in place: never touched."""
    artifact_keys: tuple[str, ...]
    """Names in the storage that no other artifact shares."""


@dataclass(frozen=True, slots=True)
class StaleCount:
    """What is stale of one kind."""

    count: int
    oldest: datetime | None
    """Since when the oldest is; ``None`` for none, and where newer recipes alone made them stale."""


@dataclass(frozen=True, slots=True)
class CatalogCounts:
    """Numbers for ``status`` and health."""

    images: int
    images_missing: int
    images_deleted: int
    assets: int
    broken: int
    unknown: int
    artifacts_fresh: int
    artifacts_stale: int
    artifacts_failed: int
    """Stale artifacts whose last attempt failed; they are counted among the stale ones too."""
    artifacts_building: int
