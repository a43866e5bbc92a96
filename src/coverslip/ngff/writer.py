"""Writing an image as OME-Zarr on disk: in pieces, by several threads, and again from where it was interrupted.

Everything is written into ``<name>.partial`` beside the final place and renamed in one step at the end, so that under
the final name there is a whole image or none. Each file appears whole or not at all, too: a file that is there is done,
which is all that a continued conversion needs to know.
"""

import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coverslip.errors import ConflictError, StorageError
from coverslip.model import CanRead, Region
from coverslip.ngff.documents import Color, image_documents
from coverslip.ngff.encoding import Version
from coverslip.ngff.layout import ArrayLayout, boxes, boxes_of, piece_steps, written_layouts
from coverslip.ngff.means import area_means
from coverslip.ngff.pyramid import Pyramid
from coverslip.ngff.store import to_json
from coverslip.ngff.windows import measure_windows

WRITER_VERSION = 1
"""Raise it when the same image would be written in another way: such a conversion is not continued."""
RECORD = "conversion.json"
UNFINISHED = ".tmp"


@dataclass(frozen=True, slots=True)
class _Piece:
    """What one thread writes at a time: whole bricks of a level, and of virtual levels made of the same pixels."""

    level: int
    box: Region
    steps: int = 0

    def weight(self) -> int:
        return int(np.prod(self.box.shape))


def write(
    image: CanRead,
    folder: Path,
    *,
    source: str,
    version: Version = "0.5",
    workers: int = 2,
    colors: Sequence[Color] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> bool:
    """Write an image as an OME-Zarr folder and return whether it is finished; a stopped one can be continued.

    Memory is bounded whatever the size of the image: for each worker about 32 MiB of pixels, as much again encoded,
    and at most 96 MiB of smaller levels.

    Parameters
    ----------
    image
        Read from several threads at once, which ``readers.Image`` allows.
    folder
        Where to. It must not exist; its parent must.
    source
        Says what is converted and in which state. An interrupted conversion of something else is not continued.
    version
        Of OME-Zarr: ``"0.5"`` is sharded Zarr 3, ``"0.4"`` is Zarr 2.
    workers
        Pieces read, averaged, compressed and written at the same time.
    colors
        Display colour of every channel; the file's own or white where left out.
    on_progress
        Called with pixels done and pixels in all.
    should_stop
        Asked before each piece.

    Raises
    ------
    ConflictError
        The folder exists, or an interrupted conversion of another source is in the way.
    ReadError
        The image cannot be read. What was written so far is kept for another try.
    StorageError
        The disk is full or cannot be written.
    """
    folder = folder.absolute()
    partial = folder.parent / f"{folder.name}.partial"
    pyramid = Pyramid(image)
    layouts = written_layouts(pyramid.metadata, pyramid.levels, version)
    record = to_json({"writer": WRITER_VERSION, "source": source, "arrays": [item.document() for item in layouts]})
    if _begin(folder, partial, record):
        return True
    inside = partial / "image"
    _write_documents(inside, pyramid, layouts, version, colors)
    pieces = list(_plan(pyramid, layouts))
    done, total = 0, sum(piece.weight() for piece in pieces)

    def write_one(piece: _Piece) -> int:
        _write_piece(inside, pyramid, layouts, piece)
        return piece.weight()

    with ThreadPoolExecutor(workers, thread_name_prefix="convert") as pool:
        for weight in _in_turn(pool, write_one, pieces, 2 * workers, should_stop):
            done += weight
            if on_progress is not None:
                on_progress(done, total)
    if done < total:
        return False
    _publish(inside, partial, folder)
    return True


def _begin(folder: Path, partial: Path, record: bytes) -> bool:
    """Prepare the working folder; return whether the same conversion had finished but for tidying up."""
    same = False
    with _said(partial):
        if (partial / RECORD).exists():
            same = (partial / RECORD).read_bytes() == record
            if not same:
                raise ConflictError(
                    f"{partial}: an interrupted conversion of another image, of another state of it, or by another "
                    f"version of Coverslip. Remove that folder, or choose another name"
                )
    if folder.exists():
        if same and not (partial / "image").exists():
            _tidy(partial)
            return True
        raise ConflictError(f"{folder}: exists already and is not overwritten. Choose another name")
    with _said(partial):
        partial.mkdir(exist_ok=True)
        if not same:
            if any(item.suffix != UNFINISHED for item in partial.iterdir()):
                raise ConflictError(f"{partial}: a folder that is no conversion is in the way. Choose another name")
            put_file(partial, partial / RECORD, record)
    return False


def _plan(pyramid: Pyramid, layouts: Sequence[ArrayLayout]) -> Iterator[_Piece]:
    """Yield every piece, so that each brick of each level is in exactly one of them."""
    samples = pyramid.metadata.samples
    base = pyramid.levels[-1].source
    steps = piece_steps(layouts[base], pyramid.levels, samples)
    for layout in layouts:
        level = pyramid.levels[layout.level]
        if 0 < level.halvings <= steps:
            continue  # made along with its source
        along = steps if layout.level == base else 0
        t, _, z, y, x = layout.brick
        for box in boxes(layout.shape, (t, samples, z, y << along, x << along)):
            yield _Piece(layout.level, box, along)


def _write_piece(inside: Path, pyramid: Pyramid, layouts: Sequence[ArrayLayout], piece: _Piece) -> None:
    """Write all files of a piece, unless they are all there."""
    outputs = [(piece.level, piece.box)]
    outputs += [(piece.level + step, _shrunk(piece.box, step)) for step in range(1, piece.steps + 1)]
    names = [key for level, box in outputs for key in layouts[level].keys(box)]
    if all((inside / name).exists() for name in names):
        return
    layout = layouts[piece.level]
    reduced = [np.empty(box.shape, pyramid.dtype) for _, box in outputs[1:]]
    _, _, _, (top, _), (left, _) = piece.box.spans
    for box in boxes_of(piece.box, (1, pyramid.metadata.samples, *layout.brick[2:])):
        pixels = pyramid.read(piece.level, box)
        _write_bricks(inside, layout, pixels, box)
        y, x = box.spans[3][0] - top, box.spans[4][0] - left
        for step, mean in enumerate(area_means(pixels, piece.steps), 1):
            high, wide = mean.shape[3:]
            reduced[step - 1][..., y >> step : (y >> step) + high, x >> step : (x >> step) + wide] = mean
    for (level, box), pixels in zip(outputs[1:], reduced, strict=True):
        _write_bricks(inside, layouts[level], pixels, box)


def _write_bricks(inside: Path, layout: ArrayLayout, pixels: NDArray[Any], box: Region) -> None:
    """Write the pixels of a box of whole bricks."""
    starts = [start for start, _ in box.spans]
    for brick in boxes_of(box, layout.brick):
        where = tuple(slice(a - start, b - start) for (a, b), start in zip(brick.spans, starts, strict=True))
        for key, data in layout.encode(pixels[where], brick):
            put_file(inside.parent, inside / key, data)


def _shrunk(box: Region, step: int) -> Region:
    """Return a box in pixels of the level that is halved so many times."""
    t, c, z, (top, bottom), (left, right) = box.spans
    side = 1 << step
    return Region(t, c, z, (top // side, -(-bottom // side)), (left // side, -(-right // side)))


def _write_documents(
    inside: Path, pyramid: Pyramid, layouts: Sequence[ArrayLayout], version: Version, colors: Sequence[Color] | None
) -> None:
    windows = measure_windows(pyramid)
    documents: dict[str, Any] = dict(layout.document() for layout in layouts)
    documents |= image_documents(pyramid.metadata, pyramid.levels, version, windows=windows, colors=colors)
    for key, document in documents.items():
        put_file(inside.parent, inside / key, to_json(document))


def _in_turn[T, R](
    pool: ThreadPoolExecutor,
    work: Callable[[T], R],
    items: Sequence[T],
    at_once: int,
    should_stop: Callable[[], bool] | None,
) -> Iterator[R]:
    """Yield results as they come. At most so many items wait or run; after an error or a stop no more are begun."""
    waiting = iter(items)
    running: set[Future[R]] = set()
    try:
        while True:
            stopped = should_stop is not None and should_stop()
            fresh = () if stopped else islice(waiting, at_once - len(running))
            running |= {pool.submit(work, item) for item in fresh}
            if not running:
                return
            finished, running = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                yield future.result()
    finally:
        for future in running:
            future.cancel()


def put_file(temporary: Path, final: Path, data: bytes) -> None:
    """Write a file that appears under its name whole and on disk, or not at all.

    Raises
    ------
    StorageError
        It could not be written.
    """
    beside = temporary / f"{uuid.uuid4().hex}{UNFINISHED}"
    with _said(final):
        final.parent.mkdir(parents=True, exist_ok=True)
        try:
            with beside.open("xb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            beside.replace(final)
        finally:
            beside.unlink(missing_ok=True)


def _publish(inside: Path, partial: Path, folder: Path) -> None:
    with _said(folder):
        inside.rename(folder)
        if os.name == "posix":
            handle = os.open(folder.parent, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
    _tidy(partial)


def _tidy(partial: Path) -> None:
    """Remove the working folder, its record last: as long as that is there, this is known to be finished."""
    with _said(partial):
        for left in partial.glob(f"*{UNFINISHED}"):
            left.unlink(missing_ok=True)
        shutil.rmtree(partial)


@contextmanager
def _said(path: Path) -> Iterator[None]:
    """Name the file when the system refuses."""
    try:
        yield
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        raise StorageError(f"{path}: cannot be written: {error.strerror or error}") from error
