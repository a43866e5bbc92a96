"""What to do about a file that a listing shows. Pure."""

from typing import Literal

from coverslip.model.records import AssetRecord, SeenFile
from coverslip.sources import is_remote

Decision = Literal["open", "hash", "settled"]
"""``open``: read its metadata. ``hash``: its time has changed, the checksum tells whether its content has.
``settled``: nothing has changed since it was judged."""


def decide(seen: SeenFile, known: AssetRecord | None, read_by: str, *, refresh: bool) -> Decision:
    """Return what to do about one file.

    Parameters
    ----------
    seen
        The file as the listing shows it.
    known
        What the catalog knows of it, if anything.
    read_by
        Versions of the present readers: a broken or unknown file is judged again when they change.
    refresh
        Open everything again.
    """
    if known is None or refresh or not _stands(known, read_by):
        return "open"
    if _looks_the_same(seen, known):
        return "settled"
    # an equal size may be an equal content; the checksum of others is their listing, which has just told
    may_be_equal = known.state in ("ok", "part") and seen.size == known.size and not _has_told(seen)
    return "hash" if may_be_equal else "open"


def _stands(known: AssetRecord, read_by: str) -> bool:
    """Return whether the earlier verdict would be the same today."""
    if known.state == "part":
        return known.missing_since is None  # a set that is complete again must be read again
    return known.state == "ok" or known.read_by == read_by


def _has_told(seen: SeenFile) -> bool:
    """Return whether the checksum comes from the listing: of folders, and of remote files."""
    return seen.is_folder or is_remote(seen.path)


def _looks_the_same(seen: SeenFile, known: AssetRecord) -> bool:
    if _has_told(seen):
        return seen.checksum == known.checksum
    return (seen.size, seen.mtime_ns) == (known.size, known.mtime_ns)
