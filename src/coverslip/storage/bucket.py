"""Bytes in an S3-protocol bucket, through obstore. Writes are atomic by the protocol: readers see old or new."""

import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, BinaryIO, cast

from coverslip.errors import CoverslipError, NotFoundError, StorageError
from coverslip.sources.refusals import reason_of as said_by_server
from coverslip.storage.folder import reason_of
from coverslip.storage.interface import TEMPORARY, StoredObject, check_key, check_prefix

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import ClientConfig, RetryConfig

PROBE = b"coverslip"
LISTING_CHUNK = 1000

ONE_PUT_BYTES = 64 << 20
"""Larger files go in parts, so that a part that fails is sent again and not the whole."""

PART_BYTES = 16 << 20
MOST_PARTS = 10_000
"""Of one object, says the protocol."""
PARTS_AT_ONCE = 4

CLIENT: "ClientConfig" = {"allow_http": True, "connect_timeout": "5s", "timeout": "30s"}
"""Addresses are ``https`` unless the person's own ``AWS_ENDPOINT_URL`` says otherwise."""

RETRIES: "RetryConfig" = {"max_retries": 3, "retry_timeout": timedelta(seconds=20)}
"""The library's own default hides a stalled server for three minutes."""


class ObjectStorage:
    """Objects in a bucket below a prefix. Address, region and keys come from the usual ``AWS_...`` variables.

    Raises
    ------
    StorageError
        The package is not installed, or the settings make no sense.
    """

    def __init__(self, bucket: str, prefix: str = "") -> None:
        try:
            import obstore  # noqa: PLC0415  an optional extra: a folder needs none of it
            from obstore.exceptions import BaseError  # noqa: PLC0415
            from obstore.store import S3Store  # noqa: PLC0415
        except ModuleNotFoundError as error:
            raise StorageError(
                "storage in a bucket needs the package 'obstore'. Install it: pip install 'coverslip[s3]'"
            ) from error
        self._obstore = obstore
        self._failures: tuple[type[Exception], ...] = (BaseError, OSError, ValueError)
        self._prefix = check_prefix(prefix)
        self._bucket = bucket
        with self._said("open"):
            self._store = S3Store(bucket, prefix=self._prefix or None, client_options=CLIENT, retry_config=RETRIES)

    def __repr__(self) -> str:
        return f"<ObjectStorage {self.url}>"

    @property
    def url(self) -> str:
        """The bucket and prefix as ``s3://...``."""
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    def put(self, key: str, data: bytes) -> None:
        """Publish bytes under a name; see ``Storage.put``."""
        self._put(check_key(key), data)

    @contextmanager
    def create(self, key: str) -> Iterator[BinaryIO]:
        """Open a new file that is published at the end; see ``Storage.create``.

        Until then it is an anonymous temporary file of this machine (``TMPDIR``), of which a kill leaves nothing. Files
        above 64 MiB are sent in parts, and are seen when all parts are there. A process that is killed while it sends
        leaves parts behind that no listing shows and that cost money: give the bucket a lifecycle rule that aborts
        incomplete multipart uploads (``AbortIncompleteMultipartUpload``).
        """
        check_key(key)
        with _temporary(f"write {key} to {self.url}") as stream:
            yield stream
            size = stream.seek(0, os.SEEK_END)
            stream.seek(0)
            with self._said(f"write {key} to"):
                self._obstore.put(
                    self._store,
                    key,
                    stream,
                    use_multipart=size > ONE_PUT_BYTES,
                    chunk_size=max(PART_BYTES, -(-size // MOST_PARTS)),
                    max_concurrency=PARTS_AT_ONCE,
                )

    def read(self, key: str) -> bytes:
        """Return all bytes of an object; see ``Storage.read``."""
        with self._said(f"read {key}"):
            try:
                return bytes(self._obstore.get(self._store, check_key(key)).bytes())
            except FileNotFoundError as error:
                raise _absent(key, self.url, error) from error

    def exists(self, key: str) -> bool:
        """Return whether there is such an object; see ``Storage.exists``."""
        with self._said(f"look at {key}"):
            try:
                self._obstore.head(self._store, check_key(key))
            except FileNotFoundError:
                return False
            return True

    def find(self, key: str) -> StoredObject:
        """Return an object as a listing would show it; see ``Storage.find``."""
        with self._said(f"look at {key}"):
            try:
                return _stored(self._obstore.head(self._store, check_key(key)), key)
            except FileNotFoundError as error:
                raise _absent(key, self.url, error) from error

    def delete(self, key: str) -> None:
        """Remove an object; see ``Storage.delete``."""
        self._delete(check_key(key))

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """Return every object below a prefix; see ``Storage.list``."""
        below = check_prefix(prefix)
        return (item for item in self._objects(below) if not _is_temporary(item.key))

    def check(self) -> None:
        """Prove that the bucket can be written; see ``Storage.check``."""
        probe = f"{TEMPORARY}check-{uuid.uuid4().hex}"
        self._put(probe, PROBE)
        with self._said("read back from"):
            same = bytes(self._obstore.get(self._store, probe).bytes()) == PROBE
        self._delete(probe)
        if not same:
            raise StorageError(f"{self.url} does not give back what was written to it")

    def sweep(self, older_than_seconds: float, prefix: str = "") -> int:
        """Remove probes of killed processes; see ``Storage.sweep``. A bucket holds no other unfinished object."""
        if prefix:
            return 0  # probes lie at the top
        limit = datetime.now(UTC) - timedelta(seconds=older_than_seconds)
        old = [item.key for item in self._objects("") if _is_temporary(item.key) and item.modified <= limit]
        for key in old:
            self._delete(key)
        return len(old)

    def _put(self, key: str, data: bytes) -> None:
        with self._said(f"write {key} to"):
            # In parts, a killed writer would leave invisible parts behind that cost money.
            self._obstore.put(self._store, key, data, use_multipart=False)

    def _delete(self, key: str) -> None:
        with self._said(f"remove {key} from"):
            self._obstore.delete(self._store, key)

    def _objects(self, below: str) -> Iterator[StoredObject]:
        with self._said("list"):
            for chunk in self._obstore.list(self._store, below or None, chunk_size=LISTING_CHUNK):
                for item in chunk:
                    yield _stored(item, item["path"])

    @contextmanager
    def _said(self, doing: str) -> Iterator[None]:
        """Turn what the library raises into a ``StorageError`` of one line."""
        try:
            yield
        except CoverslipError:
            raise
        except self._failures as error:
            raise StorageError(f"cannot {doing} {self.url}: {said_by_server(error)}") from error


def _stored(meta: "ObjectMeta", key: str) -> StoredObject:
    version = meta["e_tag"] or f"{meta['size']}-{meta['last_modified'].isoformat()}"
    return StoredObject(key, meta["size"], meta["last_modified"], version)


@contextmanager
def _temporary(doing: str) -> Iterator[BinaryIO]:
    """Give an anonymous file of this machine; its disk may be full."""
    try:
        with tempfile.TemporaryFile(prefix="coverslip-") as stream:
            yield cast("BinaryIO", stream)
    except CoverslipError:
        raise
    except OSError as error:
        raise StorageError(f"cannot {doing}: in {tempfile.gettempdir()}: {reason_of(error)}") from error


def _is_temporary(key: str) -> bool:
    return any(part.startswith(TEMPORARY) for part in key.split("/"))


def _absent(key: str, url: str, error: Exception) -> NotFoundError | StorageError:
    """Return which of the two it is: a missing bucket says nothing about its objects."""
    if "NoSuchBucket" in str(error):
        return StorageError(f"cannot read {key} {url}: there is no such bucket")
    return NotFoundError(f"{key}: no such object in {url}")
