"""Objects in buckets: Amazon S3 and its kin, Google Cloud Storage, Azure, through obstore."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from coverslip.errors import MissingDependencyError, UnreadableFileError
from coverslip.sources.address import Address
from coverslip.sources.refusals import reason_of
from coverslip.sources.transport import Found, TransientError, absent, changed, patiently

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

CLIENT: "ClientConfig" = {"allow_http": True, "connect_timeout": "5s", "read_timeout": "20s", "timeout": "120s"}
"""Addresses are ``https`` unless the person's own endpoint variable says otherwise."""

RETRIES: "RetryConfig" = {"max_retries": 3, "retry_timeout": timedelta(seconds=10)}
"""Of the library; it tries again what the server refused for now, not an answer that was cut off."""

ONCE_MORE = (0.3, 1.0)
"""Pauses in seconds before an answer that was cut off is asked for again."""

LISTING_CHUNK = 1000
FINAL = ("PermissionDeniedError", "UnauthenticatedError", "InvalidPathError", "NotSupportedError")


class Bucket:
    """One bucket or container. Endpoint, region and keys come from the usual variables of its maker.

    Raises
    ------
    MissingDependencyError
        The package is not installed.
    UnreadableFileError
        The variables make no sense.
    """

    def __init__(self, address: Address) -> None:
        try:
            import obstore  # noqa: PLC0415  an optional extra: local files need none of it
            from obstore import store  # noqa: PLC0415
            from obstore.exceptions import BaseError, PreconditionError  # noqa: PLC0415
        except ModuleNotFoundError as error:
            raise MissingDependencyError(
                f"{address}: reading from buckets needs the package 'obstore'. Install it: "
                'pip install "coverslip[remote]"',
                "obstore",
            ) from error
        self._obstore = obstore
        self._failures: tuple[type[Exception], ...] = (BaseError, OSError, ValueError)
        self._changed: type[Exception] = PreconditionError
        self.url = f"{address.scheme}://{address.place}"
        kinds: dict[str, Callable[..., Any]] = {"s3": store.S3Store, "gs": store.GCSStore, "az": store.AzureStore}
        make = kinds[address.scheme]
        self._store: Any = self._said(
            self.url, lambda: make(address.place, client_options=CLIENT, retry_config=RETRIES)
        )

    def find(self, key: str) -> Found:
        """Return what is under a key; see ``Transport.find``."""
        return _found(self._said(f"{self.url}/{key}", lambda: self._obstore.head(self._store, key)))

    def read(self, found: Found, offset: int, length: int) -> bytes:
        """Return exactly these bytes of exactly this version; see ``Transport.read``."""
        url = f"{self.url}/{found.key}"
        options: dict[str, Any] = {"range": (offset, offset + length)}

        def get() -> tuple[Found, bytes]:
            answer = self._obstore.get(self._store, found.key, options=options)
            return _found(answer.meta), bytes(answer.bytes())

        now, data = self._said(url, get)
        if (now.version, now.size) != (found.version, found.size):
            raise changed(url)
        if len(data) != length:
            raise UnreadableFileError(f"{url}: {length} bytes were asked for at {offset}, {len(data)} came")
        return data

    def read_whole(self, key: str) -> bytes:
        """Return a small object; see ``Transport.read_whole``."""
        return self._said(f"{self.url}/{key}", lambda: bytes(self._obstore.get(self._store, key).bytes()))

    def folder(self, key: str) -> tuple[list[Found], list[str]]:
        """Return what lies directly in a folder; see ``Transport.folder``."""
        listing = self._said(f"{self.url}/{key}", lambda: self._obstore.list_with_delimiter(self._store, key or None))
        # an object with the name of the folder itself is the mark that consoles leave in an empty one
        found = (_found(item) for item in listing["objects"])
        return [one for one in found if one.key != key], list(listing["common_prefixes"])

    def below(self, key: str) -> Iterator[Found]:
        """Yield every object below a folder; see ``Transport.below``."""
        stream = self._obstore.list(self._store, key or None, chunk_size=LISTING_CHUNK)
        while chunk := self._said(f"{self.url}/{key}", lambda: next(stream, None), attempts=False):
            found = (_found(item) for item in chunk)
            yield from (one for one in found if one.key != key)

    def pages(self, key: str, after: str = "") -> Iterator[list[tuple[str, int]]]:
        """Yield what lies below a folder, page by page; see ``Transport.pages``."""
        stream = self._obstore.list(self._store, key or None, offset=after or None, chunk_size=LISTING_CHUNK)
        while chunk := self._said(f"{self.url}/{key}", lambda: next(stream, None), attempts=False):
            yield [(item["path"], item["size"]) for item in chunk]

    def is_folder(self, key: str) -> bool:
        """Return whether anything lies below a key; see ``Transport.is_folder``."""
        return next(self.below(key), None) is not None

    def _said[T](self, url: str, call: Callable[[], T], *, attempts: bool = True) -> T:
        """Return ``call()``; what the library raises becomes an error of ours, tried again where that may help."""

        def once() -> T:
            try:
                return call()
            except FileNotFoundError as error:
                if "NoSuchBucket" in str(error) or "ContainerNotFound" in str(error):
                    raise UnreadableFileError(f"{url}: there is no such bucket") from error
                raise absent(url) from error
            except self._changed as error:
                raise changed(url) from error
            except self._failures as error:
                reason = reason_of(error)
                if not attempts or type(error).__name__ in FINAL or isinstance(error, ValueError):
                    raise UnreadableFileError(f"{url}: cannot be read: {reason}") from error
                raise TransientError(reason) from error

        return patiently(url, once, ONCE_MORE)


def _found(meta: Any) -> Found:
    modified = meta["last_modified"]
    version = meta.get("e_tag") or modified.isoformat()
    return Found(meta["path"], meta["size"], version, int(modified.timestamp()) * 10**9)
