"""Which key below the top of a layout a record means, in every form in which records name their files."""

import re
from collections.abc import Collection
from urllib.parse import unquote

MOST_BYTES = 1024
"""Longest name of an object (S3 protocol)."""

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/]*)(.*)", re.DOTALL)


def key_below(top: str, text: str, aliases: Collection[str] = ()) -> tuple[str, str]:
    """Return the key that a text means below the top of a layout, or why nobody knows which one it is.

    ====================================  =======================================================================
    ``10001/TS_1/x.json``                 relative to the top
    ``s3://bucket/layout/10001/x.json``   below the top or one of its aliases: what follows it, as it is written
    ``https://host/layout/10001/x.json``  the same, percent-decoded
    ``/layout/10001/x.json``              from the root of the top's bucket or of this machine
    ====================================  =======================================================================

    Another bucket or host than the layout's is not known about: a listing of the layout says nothing of it.

    Parameters
    ----------
    top
        Address or absolute folder of the top of the layout.
    text
        What a record says.
    aliases
        Other addresses of the top, such as the web address of a public bucket.

    Returns
    -------
    tuple of str
        Key and an empty text, or an empty text and the reason.
    """
    if not text or not text.isprintable():
        return "", "it names no file"
    address = _ADDRESS.fullmatch(text)
    if address is not None:
        return _of_address(address, top, aliases)
    if text.startswith("/"):
        root = _ADDRESS.fullmatch(top)
        return _checked(_after(text, root[3] if root else top), text)
    return _checked(text, text)


def _of_address(address: re.Match[str], top: str, aliases: Collection[str]) -> tuple[str, str]:
    scheme, text = address[1].lower(), address[0]
    is_web = scheme in ("http", "https")
    if is_web and re.search(r"[?#]", text):
        return "", "its address has a query"
    written = f"{scheme}://{address[2].lower() if is_web else address[2]}{address[3]}"
    for one in (top, *aliases):
        below = _after(written, one)
        if below is None:
            continue
        if not is_web:
            if "%" in below and unquote(below) != below:
                return "", "it may be percent-encoded or not"
            return _checked(below, text)
        try:
            return _checked(unquote(below, errors="strict"), text)
        except UnicodeDecodeError:
            return "", "its address is no UTF-8"
    return "", f"{scheme}://{address[2]} is not where this layout lies"


def _after(text: str, top: str) -> str | None:
    top = top.rstrip("/")
    return text[len(top) + 1 :] if text.startswith(f"{top}/") else None


def _checked(key: str | None, text: str) -> tuple[str, str]:
    if key is None:
        return "", f"{text[:200]} is not in this layout"
    key = key.removesuffix("/")
    if not key or len(key.encode("utf-8", "replace")) > MOST_BYTES or not key.isprintable():
        return "", "it names no file"
    if any(part in ("", ".", "..") for part in key.split("/")):
        return "", "names with empty parts, '.' or '..' are not followed"
    return key, ""
