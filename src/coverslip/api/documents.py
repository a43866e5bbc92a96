"""Records of the catalog as response documents. The keys of ``ImageStack`` are a promise to existing clients."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from coverslip.model import ChannelInfo, ImageMetadata, MicroscopeInfo, ObjectiveInfo
from coverslip.model.records import ImageRecord, Origin
from coverslip.render import channel_colors, default_slice


class Thumbnail(BaseModel):
    """How the thumbnail of an image stands."""

    state: Literal["fresh", "stale", "failed"]
    etag: str | None
    error: str | None


class ShownChannel(ChannelInfo):
    """A channel, with the colour pictures show it in: the file's own, or one chosen for it."""

    display_color: str


class Summary(BaseModel):
    """What is known about an image, without the vendor's own document."""

    name: str
    index: int
    file_format: str
    format_variant: str | None
    size_t: int
    size_c: int
    size_z: int
    size_y: int
    size_x: int
    samples: int
    dtype: str
    channels: tuple[ShownChannel, ...]
    time_increment_s: float | None
    acquired_at: datetime | None
    objective: ObjectiveInfo | None
    microscope: MicroscopeInfo | None
    note: str | None
    labels: tuple[str, ...]
    """Names of its label images, served below ``zarr/labels/``."""
    table_rows: int | None
    """Rows of its cell table; null where it has none."""
    default_z: int | None
    """The slice shown when nobody chooses one; null where it is the maximum projection."""
    size_bytes: int
    path: str
    origin: Origin
    revision: int
    created_at: datetime
    missing_since: datetime | None
    thumbnail: Thumbnail


class ImageStack(BaseModel):
    """One image. Sizes in pixels, pixel sizes in micrometres or null where the file says nothing."""

    id: str
    filename: str
    width: int
    height: int
    depth: int
    channels: int
    bit_depth: int
    pixel_size_x: float | None
    pixel_size_y: float | None
    pixel_size_z: float | None
    metadata: Summary


class ImageList(BaseModel):
    """A page of the list of images."""

    images: list[ImageStack]
    total: int
    skip: int
    limit: int
    next_cursor: str | None
    """What to send as ``cursor`` for the next page; null when this is the last one."""


class Uploaded(BaseModel):
    """The answer to an upload. A file may hold many images: the first one is ``id`` and ``image_stack``."""

    message: str = "File uploaded successfully"
    id: str
    image_stack: ImageStack
    images: list[ImageStack]


class Deleted(BaseModel):
    """The answer to a deletion."""

    message: str
    id: str


class VoxelSize(BaseModel):
    """Micrometres; null where unknown."""

    x: float | None
    y: float | None
    z: float | None


class FullMetadata(ImageMetadata):
    """Everything known about an image, the vendor's own document included."""

    id: str
    filename: str
    voxel_size_um: VoxelSize
    memory_size_mb: float
    use_lazy_loading: bool


class FormatSupport(BaseModel):
    """Whether files of one ending can be read here."""

    name: str
    available: bool
    required_package: str
    reason: str | None = None
    """Why not; nothing when they can be."""
    install: str | None = None
    """The command that makes it readable; nothing when it is already."""
    experimental: bool = False
    """Read as its maker describes it, but not yet compared with files of other writers."""


class Formats(BaseModel):
    """All supported formats by file ending."""

    formats: dict[str, FormatSupport]
    message: str


def shown(path: str) -> str:
    """Return a path or file name as text any document can hold; undecodable bytes of it become U+FFFD."""
    return path.encode(errors="surrogateescape").decode(errors="replace")


def _tidy(micrometers: float | None) -> float | None:
    """Return a length without the noise of converting units: 0.1, not 0.09999999999999999."""
    return None if micrometers is None else float(f"{micrometers:.12g}")


def image_stack(record: ImageRecord) -> ImageStack:
    """Return the document of one image."""
    meta = record.metadata
    x, y, z = meta.get_voxel_size_micrometers()
    return ImageStack(
        id=record.id,
        filename=shown(record.filename),
        width=meta.size_x,
        height=meta.size_y,
        depth=meta.size_z,
        channels=meta.size_c,
        bit_depth=meta.bit_depth,
        pixel_size_x=_tidy(x),
        pixel_size_y=_tidy(y),
        pixel_size_z=_tidy(z),
        metadata=summary(record),
    )


def summary(record: ImageRecord) -> Summary:
    """Return what lists and the detail view show about one image."""
    meta = record.metadata
    thumbnail = record.thumbnail
    return Summary(
        name=meta.name,
        index=record.index,
        file_format=meta.file_format,
        format_variant=meta.format_variant,
        size_t=meta.size_t,
        size_c=meta.size_c,
        size_z=meta.size_z,
        size_y=meta.size_y,
        size_x=meta.size_x,
        samples=meta.samples,
        dtype=meta.dtype,
        channels=tuple(
            ShownChannel(**dict(channel), display_color="#{:02x}{:02x}{:02x}".format(*color))
            for channel, color in zip(meta.channels, channel_colors(meta), strict=True)
        ),
        time_increment_s=meta.time_increment_s,
        acquired_at=meta.acquired_at,
        objective=meta.objective,
        microscope=meta.microscope,
        note=meta.note,
        labels=tuple(label.name for label in meta.labels),
        table_rows=None if meta.table is None else meta.table.row_count,
        default_z=default_slice(meta),
        size_bytes=record.size_bytes,
        path=shown(record.path),
        origin=record.origin,
        revision=record.revision,
        created_at=record.created_at,
        missing_since=record.missing_since,
        thumbnail=Thumbnail(state=thumbnail.state, etag=thumbnail.etag, error=thumbnail.error),
    )


def full_metadata(record: ImageRecord) -> FullMetadata:
    """Return everything known about one image."""
    meta = record.metadata
    x, y, z = meta.get_voxel_size_micrometers()
    return FullMetadata(
        **dict(meta),
        id=record.id,
        filename=shown(record.filename),
        voxel_size_um=VoxelSize(x=_tidy(x), y=_tidy(y), z=_tidy(z)),
        memory_size_mb=meta.get_memory_size_mb(),
        use_lazy_loading=meta.should_use_lazy_loading(),
    )
