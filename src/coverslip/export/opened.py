"""Fields of view while items are drawn from them: opened once, each plane decoded once, memory within a limit."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from coverslip.errors import InvalidRequestError, MissingFieldError, NotFoundError, ReadError
from coverslip.export.sources import OpenFile, Source, annotation_file
from coverslip.model import ImageMetadata, Region
from coverslip.readers import Image, ImageFile
from coverslip.render.export import Pixels

WHOLE_BYTES = 256 << 20
"""Larger planes are read in parts, as they are needed."""
KEPT_BYTES = 1 << 30
"""Decoded planes of one field of view that are kept."""


class Plane:
    """A plane of an image, Y, X, that reads what is asked for."""

    def __init__(self, image: Image, t: int, c: int, z: int) -> None:
        size = image.metadata.levels[0]
        self.shape = (size.size_y, size.size_x)
        self.dtype = np.dtype(image.metadata.dtype)
        self._image, self._at = image, (t, c, z)

    def __getitem__(self, key: tuple[slice, slice]) -> NDArray[Any]:
        rows, columns = (slice(*one.indices(length)) for one, length in zip(key, self.shape, strict=True))
        t, c, z = self._at
        box = Region(t=(t, t + 1), c=(c, c + 1), z=(z, z + 1), y=_span(rows), x=_span(columns))
        part: NDArray[Any] = self._image.read(0, box)[0, 0, 0]
        return part[:: rows.step, :: columns.step]


class Planes(Mapping[str, Pixels]):
    """Planes by exact name, decoded when they are asked for first.

    Parameters
    ----------
    makers
        Give the plane of each name.
    """

    def __init__(self, makers: Mapping[str, Callable[[], Plane]]) -> None:
        self._makers = makers
        self._kept: OrderedDict[str, NDArray[Any]] = OrderedDict()
        self._locks = {name: threading.Lock() for name in makers}
        self._guard = threading.Lock()
        self.decoded = 0
        """How many whole planes were decoded so far."""

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)

    def __contains__(self, name: object) -> bool:
        return name in self._makers

    def __getitem__(self, name: str) -> Pixels:
        with self._locks[name]:
            with self._guard:
                if name in self._kept:
                    self._kept.move_to_end(name)
                    return self._kept[name]
            plane = self._makers[name]()
            if plane.shape[0] * plane.shape[1] * plane.dtype.itemsize > WHOLE_BYTES:
                return plane
            pixels = plane[:, :]
            with self._guard:
                self.decoded += 1
                self._kept[name] = pixels
                while len(self._kept) > 1 and sum(one.nbytes for one in self._kept.values()) > KEPT_BYTES:
                    self._kept.popitem(last=False)
            return pixels


class StoppedError(Exception):
    """The job is to stop while an item is under way: the item has not failed, and what was begun of its file goes."""


class Watched(Mapping[str, Pixels]):
    """Planes that are not read on once the job is to stop: those that are read in parts, which may take long.

    Parameters
    ----------
    planes
        By name.
    should_stop
        Asked before each part.
    """

    def __init__(self, planes: Mapping[str, Pixels], should_stop: Callable[[], bool]) -> None:
        self._planes, self._should_stop = planes, should_stop

    def __iter__(self) -> Iterator[str]:
        return iter(self._planes)

    def __len__(self) -> int:
        return len(self._planes)

    def __contains__(self, name: object) -> bool:
        return name in self._planes

    def __getitem__(self, name: str) -> Pixels:
        plane = self._planes[name]
        return plane if isinstance(plane, np.ndarray) else _WatchedPlane(plane, self._should_stop)


class _WatchedPlane:
    """A plane, Y, X; raises ``StoppedError`` in the place of pixels."""

    def __init__(self, plane: Pixels, should_stop: Callable[[], bool]) -> None:
        self.shape, self.dtype = plane.shape, plane.dtype
        self._plane, self._should_stop = plane, should_stop

    def __getitem__(self, key: tuple[slice, slice]) -> Any:
        if self._should_stop():
            raise StoppedError
        return self._plane[key]


class OpenSource:
    """One field of view, open. Safe from several threads; close it when nobody draws from it any more.

    Parameters
    ----------
    source
        Which one.
    open_file
        Opens its file, and those of annotations.
    t, z
        The plane of a stack; ``None`` is the middle slice.

    Raises
    ------
    MissingFieldError
        There is no such file.
    ReadError
        It cannot be read.
    """

    def __init__(self, source: Source, open_file: OpenFile, *, t: int = 0, z: int | None = None) -> None:
        self.source = source
        self._open_file = open_file
        self._stack = ExitStack()
        if not source.path.exists():
            raise MissingFieldError(
                f"there is no field of view {source.fov!r}: {source.path} is not there", (source.fov,)
            )
        self.file: ImageFile = self._stack.enter_context(open_file(source.path))
        try:
            self._image = self._chosen(t, z)
        except BaseException:
            self.close()
            raise
        meta = self.metadata
        at_z = meta.size_z // 2 if z is None else z
        self.channels = Planes(
            {channel.name: self._maker(self._image, t, channel.index, at_z) for channel in reversed(meta.channels)}
        )
        labels = self._image.labels
        self.masks = Planes({one.metadata.name: self._maker(one, 0, 0, 0) for one in labels})
        self._annotations: dict[str, Planes] = {}

    @property
    def image(self) -> Image:
        """The image itself."""
        return self._image

    @property
    def metadata(self) -> ImageMetadata:
        """What is known about the image."""
        return self._image.metadata

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.metadata.size_y, self.metadata.size_x

    @property
    def pixel_um(self) -> tuple[float, float] | None:
        """Height and width of a pixel in micrometres; ``None`` where neither the file nor a person states both."""
        if self.source.pixel_um is not None:
            return self.source.pixel_um, self.source.pixel_um
        x, y, _ = self.metadata.get_voxel_size_micrometers()
        return None if x is None or y is None else (y, x)

    def annotation(self, name: str) -> Mapping[str, Pixels]:
        """Return the raster of an annotation, by its name; empty where there is none."""
        if name not in self._annotations:
            try:
                path = annotation_file(self.source, name)
            except NotFoundError:
                return {}
            file = self._stack.enter_context(self._open_file(path))
            self._annotations[name] = Planes({name: self._maker(file.images[0], 0, 0, 0)})
        return self._annotations[name]

    def files(self) -> tuple[Path, ...]:
        """Return every file its pixels come from, the cell table aside."""
        return self.file.files

    def close(self) -> None:
        """Let go of its files."""
        self._stack.close()

    def _chosen(self, t: int, z: int | None) -> Image:
        images = self.file.images
        if self.source.image >= len(images):
            raise ReadError(f"{self.source.path}: there is no image {self.source.image}; it has {len(images)}")
        image = images[self.source.image]
        meta = image.metadata
        if meta.samples > 1:
            raise ReadError(
                f"{self.source.path}: its pixels are colours already; marker sets colour channels of grey levels"
            )
        if t >= meta.size_t or (z or 0) >= meta.size_z:
            raise InvalidRequestError(
                f"{self.source.path}: it has {meta.size_t} time points and {meta.size_z} slices, counted from 0"
            )
        return image

    @staticmethod
    def _maker(image: Image, t: int, c: int, z: int) -> Callable[[], Plane]:
        return lambda: Plane(image, t, c, z)


class CanClose(Protocol):
    """What is open until it is closed."""

    def close(self) -> None:
        """Let go of it."""
        ...


class Sources[Opened: CanClose]:
    """Fields of view that several threads draw from; those that nobody holds are closed, but for the last few.

    Parameters
    ----------
    open_source
        Opens one.
    idle
        How many stay open though nobody draws from them at this moment.
    """

    def __init__(self, open_source: Callable[[Source], Opened], idle: int = 1) -> None:
        self._open_source, self._idle = open_source, idle
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._open: OrderedDict[str, Opened] = OrderedDict()
        self._users: dict[str, int] = {}

    @contextmanager
    def hold(self, source: Source) -> Iterator[Opened]:
        """Give an open field of view for the time of a ``with`` statement."""
        key = source.key
        with self._guard:
            lock = self._locks.setdefault(key, threading.Lock())
            self._users[key] = self._users.get(key, 0) + 1
        try:
            with lock:
                opened = self._open.get(key)
                if opened is None:
                    opened = self._open_source(source)
                    with self._guard:
                        self._open[key] = opened
            yield opened
        finally:
            self._leave(key)

    def close(self) -> None:
        """Close all of them."""
        with self._guard:
            for opened in self._open.values():
                opened.close()
            self._open.clear()

    def _leave(self, key: str) -> None:
        with self._guard:
            self._users[key] -= 1
            if key in self._open:
                self._open.move_to_end(key)
            idle = [one for one in self._open if not self._users.get(one)]
            for one in idle[: max(0, len(idle) - self._idle)]:
                self._open.pop(one).close()


def _span(part: slice) -> tuple[int, int]:
    """Return the half-open span of a slice with a positive step."""
    return part.start, max(part.start, part.stop)
