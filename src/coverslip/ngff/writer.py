"""Writing an image as OME-Zarr on disk: in pieces, by several threads, and again from where it was interrupted.

Everything is written into ``<name>.partial`` beside the final place and renamed in one step at the end, so that under
the final name there is a whole image or none. Each file appears whole or not at all, too: a file that is there is done,
which is all that a continued conversion needs to know. One process at a time writes into that folder, see ``lock``.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from pathlib import Path
from typing import Any

from coverslip.errors import ConflictError
from coverslip.model import CanRead
from coverslip.ngff import lock
from coverslip.ngff.documents import Color, image_documents, label_documents, labels_documents
from coverslip.ngff.encoding import Version
from coverslip.ngff.files import UNFINISHED, put_file, said
from coverslip.ngff.pieces import Group, Piece, groups_of, plan, write_piece
from coverslip.ngff.store import LABELS, to_json
from coverslip.ngff.windows import measure_windows

WRITER_VERSION = 1
"""Raise it when the same image would be written in another way: such a conversion is not continued."""
RECORD = "conversion.json"


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
    """Write an image with its label images as an OME-Zarr folder and return whether it is finished.

    What was stopped can be continued.

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
        The folder exists, an interrupted conversion of another source is in the way, or another process is writing it.
    ReadError
        The image cannot be read. What was written so far is kept for another try.
    StorageError
        The disk is full or cannot be written.
    """
    folder = folder.absolute()
    partial = folder.parent / f"{folder.name}.partial"
    groups = groups_of(image, version)
    record = to_json({"writer": WRITER_VERSION, "source": source, **_arrays(groups)})
    if folder.exists() and not partial.exists():
        raise _taken(folder)
    with lock.held(partial):
        if _begin(folder, partial, record):
            return True
        inside = partial / "image"
        _write_all_documents(inside, groups, version, colors)
        if not _write_pieces(partial, inside, groups, workers, on_progress, should_stop):
            return False
        _publish(inside, partial, folder)
    return True


def _write_pieces(
    partial: Path,
    inside: Path,
    groups: Sequence[Group],
    workers: int,
    on_progress: Callable[[int, int], None] | None,
    should_stop: Callable[[], bool] | None,
) -> bool:
    """Write the pixels that are not there yet and return whether all of them are."""
    pieces = [(group, piece) for group in groups for piece in plan(group)]
    done, total = 0, sum(piece.weight() for _, piece in pieces)

    def write_one(item: tuple[Group, Piece]) -> int:
        write_piece(partial, inside, *item)
        return item[1].weight()

    with ThreadPoolExecutor(workers, thread_name_prefix="convert") as pool:
        for weight in _in_turn(pool, write_one, pieces, 2 * workers, should_stop):
            done += weight
            if on_progress is not None:
                on_progress(done, total)
    return done >= total


def _begin(folder: Path, partial: Path, record: bytes) -> bool:
    """Prepare the working folder; return whether the same conversion had finished but for tidying up."""
    same = False
    with said(partial):
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
        raise _taken(folder)
    with said(partial):
        if not same:
            if any(item.suffix != UNFINISHED and item.name != lock.NAME for item in partial.iterdir()):
                raise ConflictError(f"{partial}: a folder that is no conversion is in the way. Choose another name")
            put_file(partial, partial / RECORD, record)
    return False


def _taken(folder: Path) -> ConflictError:
    return ConflictError(f"{folder}: exists already and is not overwritten. Choose another name")


def _arrays(groups: Sequence[Group]) -> dict[str, Any]:
    """Return how the arrays of the image, and of its label images where there are any, are laid out."""
    image, *labels = ([layout.document() for layout in group.layouts] for group in groups)
    names = [group.name for group in groups[1:]]
    return {"arrays": image} | ({"labels": dict(zip(names, labels, strict=True))} if labels else {})


def _write_all_documents(
    inside: Path, groups: Sequence[Group], version: Version, colors: Sequence[Color] | None
) -> None:
    for group in groups:
        _write_documents(inside, group, version, colors)
    _write_list_of_labels(inside, groups[1:], version)


def _write_documents(inside: Path, group: Group, version: Version, colors: Sequence[Color] | None) -> None:
    pyramid = group.pyramid
    documents: dict[str, Any] = dict(layout.document() for layout in group.layouts)
    if group.name:
        documents |= label_documents(pyramid.metadata, pyramid.levels, version)
    else:
        windows = measure_windows(pyramid)
        documents |= image_documents(pyramid.metadata, pyramid.levels, version, windows=windows, colors=colors)
    for key, document in documents.items():
        put_file(inside.parent, group.folder(inside) / key, to_json(document))


def _write_list_of_labels(inside: Path, labels: Sequence[Group], version: Version) -> None:
    listed = labels_documents([group.name for group in labels], version) if labels else {}
    for key, document in listed.items():
        put_file(inside.parent, inside / LABELS / key, to_json(document))


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


def _publish(inside: Path, partial: Path, folder: Path) -> None:
    with said(folder):
        inside.rename(folder)
        if os.name == "posix":
            handle = os.open(folder.parent, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
    _tidy(partial)


def _tidy(partial: Path) -> None:
    """Empty the working folder, its record last: as long as that is there, this is known to be finished.

    The folder goes when nobody holds it any more, see ``lock.held``.
    """
    with said(partial):
        for left in partial.iterdir():
            if left.name in {lock.NAME, RECORD}:
                continue
            if left.is_dir() and not left.is_symlink():
                shutil.rmtree(left)
            else:
                left.unlink()
        (partial / RECORD).unlink()
