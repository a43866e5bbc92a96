"""One form for all the ways in which metadata name the same alignment."""

import posixpath
import re
from collections.abc import Sequence
from urllib.parse import unquote

MOST_CHARACTERS = 4096
DOCUMENT = "alignment_metadata.json"
FOLDER = "Alignments"
DEPTH = 5
"""Parts of ``{dataset}/{run}/Alignments/{id}/alignment_metadata.json``, the place of an alignment in its layout."""

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)([^?#]*)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def normalised(path: str, layout: str = "") -> str:
    """Return the place of an alignment below the top of its layout, the same for every way of writing it.

    ``s3://bucket/10000/TS_1/Alignments/100/alignment_metadata.json``, the same below ``https://host``, below a folder
    of this machine, with the name of the bucket in front or as it is: all become ``10000/TS_1/Alignments/100/...``.
    Which bucket or host it is does not count: only alignments of one run are ever compared. Addresses are
    percent-decoded and lose their query; paths are taken as they are.

    Parameters
    ----------
    path
        As metadata say it.
    layout
        Folder or address of the top of the layout, for what does not end as an alignment's document does.

    Returns
    -------
    str
        Parts with single slashes between them. Empty for what is no path: nothing, the top itself, control characters,
        more than 4096 characters, ``..`` past the beginning, percent-codes that are no UTF-8.
    """
    found = _parts(path)
    if found is None:
        return ""
    _, parts, is_rooted = found
    if len(parts) >= DEPTH and parts[-1] == DOCUMENT and parts[-3] == FOLDER:
        return posixpath.join(*parts[-DEPTH:])
    top = _parts(layout)
    if top is not None:
        above = ([top[0]] if top[0] else []) + top[1]
        parts = _below(parts, above, top[1], may_begin_inside=not is_rooted)
    return "/".join(parts)


def _parts(path: str) -> tuple[str, list[str], bool] | None:
    """Return host or bucket, the parts of the path, and whether it begins at a root; ``None`` for what is no path."""
    if not path or len(path) > MOST_CHARACTERS:
        return None
    authority, rest, is_rooted = "", path, path.startswith("/")
    address = _ADDRESS.fullmatch(path.partition("#")[0].partition("?")[0]) if "://" in path else None
    if address is not None:
        authority, is_rooted = address[2].lower(), True
        try:
            rest = unquote(address[3], errors="strict")
        except UnicodeDecodeError:
            return None
    if _CONTROL.search(rest):
        return None
    parts: list[str] = []
    for part in rest.split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return authority, parts, is_rooted


def _below(parts: list[str], above: Sequence[str], folders: Sequence[str], *, may_begin_inside: bool) -> list[str]:
    """Return what comes after the top of the layout, which may be named from its bucket or one of its folders on."""
    tops = [list(folders), list(above)]
    if may_begin_inside:
        tops += [list(above[first:]) for first in range(1, len(above))]
    for top in sorted(tops, key=len, reverse=True):
        if top and parts[: len(top)] == top:
            return parts[len(top) :]
    return parts
