"""Which kind of storage an address means."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from coverslip.errors import StorageError
from coverslip.storage.bucket import ObjectStorage
from coverslip.storage.folder import FolderStorage
from coverslip.storage.interface import Storage


def open_storage(url: str) -> Storage:
    """Return the storage at an address.

    Parameters
    ----------
    url
        The path of a folder, ``file:///path`` or ``s3://bucket/prefix``.

    Raises
    ------
    StorageError
        The address is of no known kind, or the place cannot be opened.
    """
    scheme, separator, rest = url.partition("://")
    if not url:
        raise StorageError("the storage address is empty: expected a folder or s3://bucket/prefix")
    if not separator:
        return FolderStorage(Path(url).expanduser())
    if scheme == "file":
        return FolderStorage(Path(unquote(urlsplit(url).path)))
    if scheme == "s3":
        bucket, _, prefix = rest.partition("/")
        if not bucket:
            raise StorageError(f"{url}: names no bucket: expected s3://bucket/prefix")
        return ObjectStorage(bucket, prefix.strip("/"))
    raise StorageError(f"{scheme}://...: no such kind of storage: expected a folder, file:// or s3://bucket/prefix")
