"""Frames of a video by their number, in the order in which they are shown.

A decoder only goes forward from a key frame. Where the container states when each frame is shown, the nearest key
frame is looked up; AVI does not state it for codecs that reorder frames, so those are counted from the beginning.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from coverslip.errors import ReadError
from coverslip.readers.video.container import Container

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

    from coverslip.model.protocols import Array

NEVER_REORDERED = {
    "cinepak",
    "dvvideo",
    "ffv1",
    "huffyuv",
    "indeo3",
    "indeo5",
    "mjpeg",
    "msvideo1",
    "png",
    "qtrle",
    "rawvideo",
    "utvideo",
}
"""Codecs whose frames come out in the order in which they are stored."""


@dataclass(frozen=True, slots=True)
class KeyFrames:
    """When each frame is shown, and where decoding may begin."""

    shown: list[int]
    """Time stamp of each frame, in the order of showing."""
    numbers: dict[int, int]
    """Frame number by time stamp."""
    keys: list[tuple[int, int]]
    """Time stamp of showing and of decoding of each key frame, sorted."""


class Frames:
    """The frames of one stream.

    Parameters
    ----------
    container, stream
        Open.
    kind
        The container's name.
    count
        How many frames there are.
    gray
        Whether pixels have one sample.
    """

    def __init__(
        self, container: "InputContainer", stream: "VideoStream", kind: Container, count: int, *, gray: str | None
    ) -> None:
        self._container = container
        self._stream = stream
        self._pixel_format = gray or "rgb24"
        self._timed = kind == "mov" or stream.codec_context.name in NEVER_REORDERED
        self._count = count
        self._index: KeyFrames | None = None
        self._decoded: Iterator[VideoFrame] | None = None
        self._next = 0
        self._last: tuple[int, Array] | None = None

    def frame(self, number: int) -> "Array":
        """Return a frame: shape Y, X (and S).

        Raises
        ------
        ReadError
            It cannot be decoded.
        """
        if self._last is not None and self._last[0] == number:
            return self._last[1]
        found = self._ahead(number)
        if found is None and self._timed:
            found = self._from_key(number)
        if found is None:
            found = self._from_start(number)
        if found is None:
            raise ReadError(f"frame {number} of {self._count} cannot be decoded: the file is damaged")
        if found.is_corrupt:
            raise ReadError(f"frame {number} is damaged")
        pixels: Array = found.to_ndarray(format=self._pixel_format)
        self._last = (number, pixels)
        return pixels

    def _ahead(self, number: int) -> "VideoFrame | None":
        """Return a frame from where decoding stands, when no key frame lies between."""
        if self._decoded is None or number < self._next:
            return None
        if self._timed and self._key_at_or_before(number)[1] > self._next:
            return None
        return self._go_on(number)

    def _from_key(self, number: int) -> "VideoFrame | None":
        """Return a frame by way of the nearest key frame; an earlier one where frames refer across it."""
        index = self._indexed()
        at = self._key_at_or_before(number)[0]
        for key in range(at, max(-1, at - 2), -1):
            self._container.seek(index.keys[key][1], stream=self._stream, backward=True, any_frame=False)
            self._decoded = self._container.decode(self._stream)
            self._next = 0
            found = self._go_on(number)
            if found is not None and not found.is_corrupt:
                return found
        return None

    def _from_start(self, number: int) -> "VideoFrame | None":
        self._container.seek(0, stream=self._stream, backward=True)
        self._decoded = self._container.decode(self._stream)
        self._next = 0
        return self._go_on(number)

    def _go_on(self, number: int) -> "VideoFrame | None":
        """Decode up to a frame; ``None`` when it does not come."""
        decoded, self._decoded = self._decoded, None  # after a failure, decoding begins anew
        assert decoded is not None
        for frame in decoded:
            at = self._number_of(frame)
            if at is not None:
                self._next = at + 1
            if at == number:
                self._decoded = decoded
                return frame
            if at is not None and at > number:
                break
        return None

    def _number_of(self, frame: "VideoFrame") -> int | None:
        if not self._timed:
            return self._next
        return self._indexed().numbers.get(frame.pts) if frame.pts is not None else None

    def _key_at_or_before(self, number: int) -> tuple[int, int]:
        """Return which key frame is the last one shown no later than a frame, and its frame number."""
        index = self._indexed()
        at = max(0, bisect_right(index.keys, (index.shown[number], 1 << 62)) - 1)
        return at, index.numbers.get(index.keys[at][0], 0)

    def _indexed(self) -> KeyFrames:
        """Return the index of key frames; it is built when the first frame is asked for, without decoding."""
        if self._index is None:
            self._container.seek(0, stream=self._stream, backward=True)
            self._decoded = None
            self._index = _index(self._container.demux(self._stream), self._count)
        return self._index


def _index(packets: Any, count: int) -> KeyFrames:
    """Return the index.

    Raises
    ------
    ReadError
        The time stamps make no sense.
    """
    shown: list[int] = []
    keys: list[tuple[int, int]] = []
    for packet in packets:
        if packet.size and not packet.is_discard and packet.pts is not None:
            shown.append(packet.pts)
        if packet.size and packet.is_keyframe and packet.pts is not None:
            keys.append((packet.pts, packet.pts if packet.dts is None else packet.dts))
    shown.sort()
    numbers = {stamp: number for number, stamp in enumerate(shown)}
    if len(shown) != count or len(numbers) != count or not keys:
        raise ReadError(f"{len(numbers)} frames with a time of their own where {count} are promised: it is damaged")
    return KeyFrames(shown, numbers, sorted(keys))
