"""What a destination says of outputs: marks that change when somebody writes them."""

from collections.abc import Iterable, Iterator, Sequence

from coverslip.ingest.deposition.digests import digest_of_json
from coverslip.storage import StoredObject


def by_output(found: Iterable[StoredObject]) -> dict[str, list[StoredObject]]:
    """Return what a listing shows by the outputs that each object may be, or be part of."""
    folders: dict[str, list[StoredObject]] = {}
    for one in found:
        for place in _places_of(one.key):
            folders.setdefault(place, []).append(one)
    return folders


def mark_of(key: str, found: Sequence[StoredObject]) -> str:
    """Return the mark of an output that consists of some objects; empty where there are none."""
    if not found:
        return ""
    if not key.endswith(".zarr"):
        return found[0].version
    return digest_of_json(sorted([one.key, one.version] for one in found))


def _places_of(key: str) -> Iterator[str]:
    yield key
    parts = key.split("/")
    for end in range(1, len(parts)):
        if parts[end - 1].endswith(".zarr"):
            yield "/".join(parts[:end])
