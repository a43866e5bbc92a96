"""Nikon ND2. Every stage position is an image.

Colour cameras give samples R, G, B (the file has them as B, G, R). A loop of unknown meaning becomes Z where there
is none, else T, else it is folded into the channels (C outermost). Frames that were planned but never recorded are 0,
and the image's note says so; a recorded frame that is damaged is an error.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from coverslip.errors import ReadError
from coverslip.model import CanRead, ChannelInfo, ImageMetadata, OpenedFile, Probe, Region
from coverslip.readers.bounded import open_bounded
from coverslip.readers.nd2.documents import check_documents, check_legacy_documents
from coverslip.readers.nd2.frames import (
    LEGACY_SIGNATURE,
    TRAILER,
    ChunkFrames,
    FrameLayout,
    Frames,
    LegacyFrames,
    arrange,
    read_chunk_map,
)
from coverslip.readers.nd2.metadata import Nd2Document, parse_document, stage_position, time_increment, z_step
from coverslip.readers.opened import Opened
from coverslip.readers.planes import check_promise
from coverslip.readers.vendor_metadata import optional

if TYPE_CHECKING:
    from nd2 import ND2File

    from coverslip.model.protocols import Array

MAGIC = b"\xda\xce\xbe\x0a"
RATIO = 10_000
"""How many bytes one stored byte can become at most; deflate reaches 1032, JPEG 2000 more on empty frames."""
JPEG2000_MAGIC = b"\x00\x00\x00\x0cjP  "
MAX_CHANNELS = 65_536
DOCUMENT_CHUNKS = ("ImageAttributes", "ImageMetadata", "ImageMetadataSeq", "ImageTextInfo", "ImageCalibration")


class _Nd2:
    def recognises(self, probe: Probe) -> bool:
        """Return whether the file starts as an ND2; the first generation starts as a JPEG 2000 and ends as an ND2."""
        if probe.head.startswith(MAGIC):
            return True
        if not probe.head.startswith(JPEG2000_MAGIC):
            return False
        with probe.path.open("rb") as stream:
            stream.seek(max(probe.size - TRAILER.size, 0))
            return probe.path.suffix.lower() == ".nd2" or stream.read(32) == LEGACY_SIGNATURE

    def reads_ranges(self, probe: Probe) -> bool:
        """Return whether the file is of the present generation, whose frames have a map."""
        return probe.head.startswith(MAGIC)

    def open(self, path: Path) -> OpenedFile:
        """Open the file: map and metadata, no pixels.

        Raises
        ------
        ReadError
            The file is cut off, damaged, or holds no frame.
        """
        with path.open("rb") as stream:
            is_legacy = stream.read(len(MAGIC)) != MAGIC
        return _open_legacy(path) if is_legacy else _open(path)


class _Position:
    """One stage position as an image.

    Parameters
    ----------
    frames
        Where the pixels come from.
    numbers
        Frame numbers, shape T, U, Z; U is a loop folded into the channels, mostly of length 1.
    metadata
        Of this position.
    """

    def __init__(self, frames: Frames, numbers: NDArray[np.int64], metadata: ImageMetadata) -> None:
        self._frames = frames
        self._numbers = numbers
        self.metadata = metadata

    def read(self, level: int, region: Region) -> "Array":  # the file has one level
        """Return the pixels of a region; only rows of frames that it needs are read."""
        meta = self.metadata
        (t0, t1), (c0, c1), (z0, z1), (y0, y1), (x0, x1) = region.spans
        out: Array = np.zeros((*region.shape, meta.samples), meta.dtype)
        folds = self._numbers.shape[1]
        for fold in range(folds):
            wanted = [c for c in range(c0, c1) if c % folds == fold]
            planes = self._numbers[t0:t1, fold, z0:z1]
            for (t, z), index in np.ndenumerate(planes if wanted else planes[:0]):
                if int(index) not in self._frames.recorded:
                    continue
                rows = self._frames.rows(int(index), y0, y1)[:, x0:x1]
                for c in wanted:
                    out[t, c - c0, z] = _samples(rows, c // folds, meta.samples)
        return out if meta.samples > 1 else out[..., 0]


def _samples(rows: "Array", channel: int, samples: int) -> "Array":
    """Return one channel of some rows: shape Y, X, S; colour as R, G, B.

    The order B, G, R in the file: https://github.com/ome/bioformats/issues/3761
    """
    if samples > 1:
        return rows[:, :, channel, ::-1]
    return rows.reshape(*rows.shape[:2], -1)[:, :, channel, None]


def _open(path: Path) -> Opened:
    """Open a file of the present generation."""
    import nd2  # noqa: PLC0415  # heavy, and its absence must not break the other readers

    with ExitStack() as stack:
        stream = stack.enter_context(path.open("rb"))
        places = read_chunk_map(stream, path)
        check_documents(stream, path, places)
        with open_bounded(path) as bounded_file, nd2.ND2File(bounded_file) as file:
            layout = _layout(file)
            loops: Sequence[Any] = optional(lambda: file.experiment, [])
            document = optional(lambda: _document(file, places), Nd2Document())
            count = file.attributes.sequenceCount
        _check_frame(path, layout)
        frames = ChunkFrames(stream, path, places, layout)
        images = _images(path, frames, layout, loops=loops, count=count, document=document)
        stack.pop_all()
    return Opened((path,), images, frames.close)


def _open_legacy(path: Path) -> Opened:
    """Open a file of the first generation; what is known of it comes ready-made from the package."""
    import nd2  # noqa: PLC0415

    with path.open("rb") as stream:
        check_legacy_documents(stream, path)
    with ExitStack() as stack:
        file = stack.enter_context(nd2.ND2File(stack.enter_context(open_bounded(path))))
        layout = _layout(file)
        _check_frame(path, layout)
        count = file.attributes.sequenceCount
        frames = LegacyFrames(file, layout, count)
        document = optional(lambda: _legacy_document(file), Nd2Document())
        loops: Sequence[Any] = optional(lambda: file.experiment, [])
        images = _images(path, frames, layout, loops=loops, count=count, document=document)
        stack.pop_all()
    return Opened((path,), images, frames.close)


def _layout(file: "ND2File") -> FrameLayout:
    """Return how the frames lie; three components per channel are colour, any other number are channels."""
    facts = file.attributes
    width = facts.widthPx or 0
    channels = facts.channelCount or 1
    is_rgb = facts.componentCount == 3 * channels
    return FrameLayout(
        height=facts.heightPx,
        width=width,
        row_bytes=facts.widthBytes or width * facts.componentCount * file.dtype.itemsize,
        channels=channels if is_rgb else facts.componentCount,
        samples=3 if is_rgb else 1,
        dtype=file.dtype,
        is_compressed=facts.compressionType == "lossless",
    )


def _check_frame(path: Path, layout: FrameLayout) -> None:
    """Refuse frames that the whole file could not hold one of, however well it is packed."""
    check_promise(path, layout.height * layout.width * layout.pixel_bytes, path.stat().st_size, RATIO)


def _document(file: "ND2File", places: dict[str, int]) -> Nd2Document:
    """Return the metadata of a file of the present generation."""
    names = {name[:-1] for name in places if name[:-1].removesuffix("|0").removesuffix("LV") in DOCUMENT_CHUNKS}
    raw = file.unstructured_metadata(strip_prefix=False, include=names)
    picture: Any = raw.get("ImageMetadataSeqLV|0") or raw.get("ImageMetadataSeq|0") or {}
    text: dict[str, Any] = optional(lambda: dict(file.text_info), {})
    return parse_document(picture.get("SLxPictureMetadata", picture), text, {**raw, "text": text})


def _legacy_document(file: "ND2File") -> Nd2Document:
    """Return the metadata of a file of the first generation."""
    facts = file.metadata.channels or []
    first = facts[0]
    picture = {
        "dCalibration": first.volume.axesCalibration[0],
        "bCalibrated": first.volume.axesCalibrated[0],
        "wsObjectiveName": first.microscope.objectiveName,
        "dObjectiveMag": first.microscope.objectiveMagnification,
        "dObjectiveNA": first.microscope.objectiveNumericalAperture,
        "dRefractIndex1": first.microscope.immersionRefractiveIndex,
        "sPicturePlanes": {
            "sPlane": {
                str(i): {"sDescription": fact.channel.name, "uiColor": fact.channel.color.as_abgr_u4() & 0xFFFFFF}
                for i, fact in enumerate(facts)
            }
        },
    }
    text = dict(file.text_info)
    return parse_document(picture, text, {"picture": picture, "text": text})


def _images(
    path: Path, frames: Frames, layout: FrameLayout, *, loops: Sequence[Any], count: int, document: Nd2Document
) -> list[CanRead]:
    """Return one image per stage position."""
    numbers, source_axes, note = arrange([(loop.type, loop.count) for loop in loops], count)
    recorded = np.isin(numbers, np.fromiter(frames.recorded, np.int64))
    if not recorded.any():
        raise ReadError(f"{path}: the file holds no frame")
    if layout.channels * numbers.shape[2] > MAX_CHANNELS:
        raise ReadError(f"{path}: {layout.channels * numbers.shape[2]} channels cannot be")
    points: Sequence[Any] = next((loop.parameters.points for loop in loops if loop.type == "XYPosLoop"), [])
    images: list[CanRead] = []
    for position, of_position in enumerate(numbers):
        missing = of_position.size - int(recorded[position].sum())
        point = points[position] if position < len(points) else None
        name = None if point is None else point.name
        lost = f"{missing} of {of_position.size} frames were not recorded; their pixels are 0." if missing else ""
        size_t, folds, size_z = of_position.shape
        metadata = ImageMetadata(
            name=path.stem if len(numbers) == 1 else name or f"Position {position}",
            file_format="ND2",
            size_t=size_t,
            size_c=layout.channels * folds,
            size_z=size_z,
            size_y=layout.height,
            size_x=layout.width,
            samples=layout.samples,
            dtype=layout.dtype.name,
            pixel_size_x=document.pixel_size_x,
            pixel_size_y=document.pixel_size_y,
            pixel_size_z=optional(lambda: z_step(loops), None) if size_z > 1 else None,
            time_increment_s=optional(lambda: time_increment(loops), None) if size_t > 1 else None,
            stage_position_um=optional(partial(stage_position, point), None),
            channels=_channels(document, layout, folds),
            objective=document.objective,
            microscope=document.microscope,
            acquired_at=document.acquired_at,
            source_axes=source_axes + ("CYXS" if layout.samples > 1 else "CYX"),
            note=" ".join(filter(None, (note, lost))) or None,
            vendor=document.vendor,
        )
        images.append(_Position(frames, of_position, metadata))
    return images


def _channels(document: Nd2Document, layout: FrameLayout, folds: int) -> tuple[ChannelInfo, ...]:
    """Return a description of every channel; components of a plane that has several are numbered."""
    known = list(document.channels)
    if layout.samples == 1 and sum(document.component_counts) == layout.channels > len(known):
        pairs = zip(known, document.component_counts, strict=True)
        known = [_renamed(info, f" {i}" if n > 1 else "") for info, n in pairs for i in range(n)]
    if len(known) != layout.channels:
        known = [ChannelInfo(index=c, name=f"Channel {c}") for c in range(layout.channels)]
    marks = [f" U{u}" if folds > 1 else "" for u in range(folds)]
    every = [_renamed(info, mark) for info in known for mark in marks]
    return tuple(info.model_copy(update={"index": i}) for i, info in enumerate(every))


def _renamed(info: ChannelInfo, mark: str) -> ChannelInfo:
    return info.model_copy(update={"name": info.name + mark})


reader = _Nd2()
