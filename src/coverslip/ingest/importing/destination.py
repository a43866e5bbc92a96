"""What a destination of an ingest holds already: read in the same way as a layout that is imported."""

from collections.abc import Sequence
from pathlib import Path

from coverslip.errors import NotFoundError
from coverslip.ingest.deposition.known import Known, known_numbers
from coverslip.ingest.importing.found import Problem
from coverslip.ingest.importing.listing import Listing, list_layout
from coverslip.ingest.importing.places import sort_listing
from coverslip.ingest.importing.reading import READERS, Top, read_documents


def known_at(root: Path, folders: Sequence[str] = (), *, readers: int = READERS) -> tuple[Known, tuple[Problem, ...]]:
    """Return the numbers and documents of a destination, and what of it could not be read.

    A destination that is not there yet holds nothing. A folder whose document could not be read keeps its number, but
    nobody knows of what: who writes there without looking at the problems may give the same entity another number.

    Parameters
    ----------
    root
        The top of the layout, absolute.
    folders
        Only these are looked at, such as ``30001`` or ``30001/RUN1``; everything when empty.
    readers
        Documents read at the same time.

    Raises
    ------
    UnreadableFileError
        It cannot be listed, or a bucket not to the end.
    """
    listing = _list(root, folders)
    top = Top(listing, sort_listing(listing))
    documents = {}
    problems = [Problem(folder, "unknown", reason) for folder, reason in listing.unlisted.items()]
    for read in read_documents(top, readers=readers):
        if read.problem is not None:
            problems.append(Problem(read.key, "unknown" if read.is_unknown else "broken", read.reason))
        elif isinstance(read.value, dict):
            documents[read.key] = read.value
    return known_numbers(documents, listing.files), tuple(problems)


def _list(root: Path, folders: Sequence[str]) -> Listing:
    """Return one listing of some folders."""
    files, unlisted, derived = {}, {}, 0
    for folder in folders or ("",):
        try:
            part = list_layout(root / folder if folder else root)
        except NotFoundError:
            continue
        above = f"{folder}/" if folder else ""
        files.update({f"{above}{key}": seen for key, seen in part.files.items()})
        unlisted.update({f"{above}{key}".rstrip("/"): reason for key, reason in part.unlisted.items()})
        derived += part.derived
    return Listing(root, files, derived, unlisted)
