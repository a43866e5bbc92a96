"""A whole layout: one listing, its documents read several at a time, and what they come to, run by run."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from coverslip.cryoet import layout
from coverslip.errors import InvalidRequestError, NotFoundError
from coverslip.ingest.importing.documents import Read, read_document
from coverslip.ingest.importing.found import Batch, Found, Problem
from coverslip.ingest.importing.listing import Listing, list_layout
from coverslip.ingest.importing.places import Shelf, Shelves, sort_listing
from coverslip.ingest.importing.runs import make_run
from coverslip.ingest.importing.tops import Dataset, make_dataset, make_deposition

READERS = 8
"""Documents read at the same time."""
AHEAD = 256
"""Documents that may be waiting for the run they belong to; real ones have some kilobytes."""


def read_layout(root: Path, *, readers: int = READERS) -> Found:
    """Return everything that is in a layout of the CryoET Data Portal, without writing anything.

    Parameters
    ----------
    root
        Its top: the folder of the datasets, absolute, or a prefix of a bucket as ``sources.locate`` makes it.
    readers
        Documents read at the same time.

    Raises
    ------
    NotFoundError
        No document of the layout is there.
    InvalidRequestError
        This is a dataset or run, not the folder that it lies in.
    UnreadableFileError
        It cannot be listed, or a bucket not to the end.
    """
    top = open_layout(root)
    return Found(root, tuple(read_batches(top, readers=readers)), tuple(strays(top)))


@dataclass(frozen=True, slots=True)
class Top:
    """A layout that was listed, and nothing of it read."""

    listing: Listing
    shelves: Shelves


def open_layout(root: Path) -> Top:
    """Return a layout after one listing of everything in it.

    Raises
    ------
    NotFoundError
        No document of the layout is there.
    InvalidRequestError
        This is a dataset or run, not the folder that it lies in.
    UnreadableFileError
        It cannot be listed, or a bucket not to the end.
    """
    listing = list_layout(root)
    shelves = sort_listing(listing)
    for kind, above in (("dataset", "the folder that it lies in"), ("run", "the folder above its dataset")):
        if layout.DOCUMENTS[kind] in listing.files:
            raise InvalidRequestError(f"{listing.root}: this is a {kind}. Import {above}")
    if not shelves.depositions and not shelves.datasets and not listing.unlisted:
        raise NotFoundError(f"{listing.root}: no metadata document of the portal's layout is below it")
    return Top(listing, shelves)


def strays(top: Top) -> Iterator[Problem]:
    """Yield what belongs to no dataset, and what could not be listed."""
    for folder, reason in top.listing.unlisted.items():
        yield Problem(folder, "unknown", reason)
    for key in top.shelves.others:
        yield Problem(key, "unmentioned", "it lies in no deposition and no dataset")


def read_batches(top: Top, *, readers: int = READERS) -> Iterator[Batch]:
    """Yield depositions, then each dataset and its runs; a bounded number of documents is held at a time."""
    listing, shelves = top.listing, top.shelves
    datasets: dict[str, Dataset] = {}

    def dataset(shelf: Shelf, reads: dict[str, Read]) -> Batch:
        batch, datasets[shelf.folder] = make_dataset(listing, shelf, reads, shelves.depositions)
        return batch

    def run(name: str, shelf: Shelf, reads: dict[str, Read]) -> Batch:
        return make_run(listing, shelf, reads, datasets[shelf.folder.partition("/")[0]], name)

    def deposition(number: str, shelf: Shelf, reads: dict[str, Read]) -> Batch:
        return make_deposition(listing, shelf, reads, number)

    def work() -> Iterator[tuple[Shelf, Callable[[Shelf, dict[str, Read]], Batch]]]:
        for number, shelf in shelves.depositions.items():
            yield shelf, partial(deposition, number)
        for name, shelf in shelves.datasets.items():
            yield shelf, dataset
            for one, inner in shelves.runs.get(name, {}).items():
                yield inner, partial(run, one)

    with ThreadPoolExecutor(readers, thread_name_prefix="documents") as pool:
        yield from _in_order(pool, listing, work())


def _read(listing: Listing, key: str) -> Read:
    return read_document(listing.path(key), key, listing.files[key].size)


def _in_order(
    pool: ThreadPoolExecutor,
    listing: Listing,
    work: Iterable[tuple[Shelf, Callable[[Shelf, dict[str, Read]], Batch]]],
) -> Iterator[Batch]:
    """Yield what shelves come to in their order, while the documents of the next ones are read already."""
    waiting: deque[tuple[Shelf, Callable[[Shelf, dict[str, Read]], Batch], list[Future[Read]]]] = deque()
    ahead = 0

    def first() -> Batch:
        shelf, make, futures = waiting.popleft()
        return make(shelf, {read.key: read for read in (future.result() for future in futures)})

    try:
        for shelf, make in work:
            futures = [pool.submit(_read, listing, key) for key in shelf.documents()]
            waiting.append((shelf, make, futures))
            ahead += len(futures)
            while ahead > AHEAD and len(waiting) > 1:
                ahead -= len(waiting[0][2])
                yield first()
        while waiting:
            yield first()
    finally:
        for _, _, futures in waiting:
            for future in futures:
                future.cancel()
