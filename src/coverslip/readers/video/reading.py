"""AVI, MP4 and MOV: one image of T, Y, X (and S). Frames are what the decoder gives, as R, G, B of 8 bits, or grey.

Rotation and transparency are noted and left out. Only the video's own file is ever opened: it is handed to the decoder
as a stream, with its container named, so that nothing in it can lead elsewhere.
"""

from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from coverslip.errors import ReadError
from coverslip.model import ChannelInfo, ImageMetadata, Probe, Region
from coverslip.readers.budgets import check_pages, check_piece
from coverslip.readers.planes import gather
from coverslip.readers.vendor_metadata import MAX_LIST, bounded, json_document, positive
from coverslip.readers.video.container import Container, check_complete, container_of
from coverslip.readers.video.frames import Frames
from coverslip.readers.video.track import parse_steps, rotation

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.codeccontext import VideoCodecContext
    from av.video.stream import VideoStream

    from coverslip.model.protocols import Array

GRAY = {"gray": "gray", "gray16le": "gray16le", "gray16be": "gray16le"}
"""Pixel formats that are read as one sample, and what they are read as."""
FRAME_SAMPLE_BYTES = 6
"""Of one pixel: three samples of up to 16 bits."""
CHECKS = {"err_detect": "crccheck+bitstream+buffer+explode"}
"""The decoder hides damage unless it is told to give up."""


class _Reader:
    """Opens videos."""

    def recognises(self, probe: Probe) -> bool:
        """Return whether the file begins like an AVI, a QuickTime movie or an MP4."""
        return container_of(probe.head) is not None

    def open(self, path: Path) -> "_Opened":
        """Open the container and count the frames; nothing is decoded.

        Raises
        ------
        ReadError
            The file is cut off or holds no video.
        """
        stream = path.open("rb")
        try:
            return _Opened(path, stream)
        except BaseException:
            stream.close()
            raise


class _Opened:
    """An open video, which is its own one image."""

    def __init__(self, path: Path, stream: IO[bytes]) -> None:
        import av  # noqa: PLC0415  # its absence must not break the other readers

        self.files = (path,)
        self._stream = stream
        kind = container_of(stream.read(16))
        assert kind is not None
        fragmented = check_complete(stream, kind)
        turn = rotation(stream) if kind == "mov" else 0
        stream.seek(0)
        self._container: InputContainer = av.open(stream, mode="r", format=kind)
        try:
            if not self._container.streams.video:
                raise ReadError(f"{path}: the file holds no video")
            video = self._container.streams.video[0]
            if video.codec_context is None:
                raise ReadError(f"{path}: the video is coded in a way that the decoder does not know")
            video.codec_context.options = CHECKS
            count = _count(self._container, video, fragmented=fragmented)
            gray = GRAY.get(video.codec_context.pix_fmt or "")
            self.metadata = _metadata(path, video, kind, count, turn)
            self._frames = Frames(self._container, video, kind, count, gray=gray)
        except BaseException:
            self._container.close()
            raise
        self.images = (self,)

    def read(self, level: int, region: Region) -> "Array":
        """Return the pixels of a resolved region; there is only level 0."""
        return gather(self.metadata, region, lambda t, _c, _z: self._frames.frame(t))

    def close(self) -> None:
        """Release the decoder and the file."""
        self._container.close()
        self._stream.close()


reader = _Reader()


def _count(container: "InputContainer", video: "VideoStream", *, fragmented: bool) -> int:
    """Return how many frames there are, from the container's own list of them.

    Raises
    ------
    ReadError
        There are fewer than the header says, or none.
    """
    entries = video.index_entries
    count = sum(1 for entry in entries if entry.size and not entry.is_discard)
    if fragmented or not count:
        count = sum(1 for packet in container.demux(video) if packet.size and not packet.is_discard)
        container.seek(0, stream=video)
    elif count < video.frames and len(entries) < video.frames:
        raise ReadError(
            f"the video should have {video.frames} frames, there are {count}: the file is truncated or damaged. "
            "Copy it again from its source"
        )
    if count < 1:
        raise ReadError("the video has no frame")
    check_pages(count, "frames")
    return count


def _metadata(path: Path, video: "VideoStream", kind: Container, count: int, turn: int) -> ImageMetadata:
    codec = video.codec_context
    if codec.width < 1 or codec.height < 1:
        raise ReadError(f"{path}: frames of {codec.width} x {codec.height} are not read")
    # the decoder holds a few frames at once; a still frame of any size is a few bytes, so that nothing bounds it
    frame_bytes = codec.width * codec.height * FRAME_SAMPLE_BYTES
    check_piece(frame_bytes, path.stat().st_size, None, f"a frame of {codec.width} x {codec.height}")
    gray = GRAY.get(codec.pix_fmt or "")
    stamps = sorted(entry.timestamp for entry in video.index_entries if entry.size and not entry.is_discard)
    clock = float(video.time_base or 0)
    reordered = codec.has_b_frames
    # AVI has no times, but a rate
    step, uneven = parse_steps(stamps, clock, reordered=reordered) if kind == "mov" else (None, None)
    rate = video.average_rate
    if step is None and rate:
        step = float(1 / rate)
    notes = _notes(codec, turn) + ([uneven] if uneven else [])
    return ImageMetadata(
        name=path.name,
        file_format="AVI" if kind == "avi" else "MP4",
        format_variant=codec.name,
        size_t=count,
        size_y=codec.height,
        size_x=codec.width,
        samples=1 if gray else 3,
        dtype=np.dtype("uint16" if gray == "gray16le" else "uint8").name,
        time_increment_s=positive(step) if count > 1 else None,
        channels=() if gray else (ChannelInfo(index=0, name="RGB"),),
        source_axes="TYX" if gray else "TYXS",
        note="; ".join(notes) or None,
        vendor=bounded(
            json_document(
                {
                    "codec": codec.name,
                    "pixel_format": codec.pix_fmt,
                    "frame_rate": str(rate) if rate else None,
                    "rotation_degrees": turn,
                    "frame_times_s": [(stamp - stamps[0]) * clock for stamp in stamps[:MAX_LIST]]
                    if uneven and not reordered
                    else None,
                    "stream": dict(video.metadata),
                }
            )
        ),
    )


def _notes(codec: "VideoCodecContext", turn: int) -> list[str]:
    """Return what was done to the pixels, and what was not."""
    notes = []
    if codec.pix_fmt != "rgb24" and (codec.pix_fmt or "") not in GRAY:
        notes.append(f"colours converted from {codec.pix_fmt} by the decoder")
        components = codec.format.components if codec.format is not None else ()
        deepest = max((component.bits for component in components), default=8)
        if deepest > 8:
            notes.append(f"{deepest} bits were made 8")
        if any(component.is_alpha for component in components):
            notes.append("transparency was left out")
    if turn:
        notes.append(f"should be turned by {turn} degrees clockwise to be shown, which was not done")
    return notes
