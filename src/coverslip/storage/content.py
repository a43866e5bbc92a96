"""Names made of content: equal bytes have one name, and a name's bytes never change."""

import hashlib
import re

from coverslip.storage.interface import Storage

ETAG_DIGITS = 32
"""Hexadecimal digits of the digest that serve as ETag: 128 bits."""

_CONTENT_KEY = re.compile(r"[a-z0-9_-]+/([0-9a-f]{2})/\1[0-9a-f]{62}(\.[a-z0-9.]+)?")


def digest_of(data: bytes) -> str:
    """Return the SHA-256 of the bytes in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def is_content_key(key: str) -> bool:
    """Return whether a name is one that ``put_content`` gives: whatever else lies in a storage is not ours."""
    return _CONTENT_KEY.fullmatch(key) is not None


def put_content(storage: Storage, kind: str, data: bytes, suffix: str) -> tuple[str, str]:
    """Publish bytes under a name made of their digest; bytes that are there already are not written again.

    Parameters
    ----------
    storage
        Where to.
    kind
        First part of the name, such as ``"thumbnail"``.
    data
        The content.
    suffix
        Ending with the dot, such as ``".png"``.

    Returns
    -------
    tuple[str, str]
        The key ``<kind>/<first two digits>/<digest><suffix>`` and the ETag, the first 32 digits.

    Raises
    ------
    StorageError
        The bytes could not be written.
    """
    digest = digest_of(data)
    key = f"{kind}/{digest[:2]}/{digest}{suffix}"
    if not storage.exists(key):
        storage.put(key, data)
    return key, digest[:ETAG_DIGITS]
