"""What is under a key of an image served as OME-Zarr, and the ETag it is served with."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path

import anyio
from anyio.to_thread import run_sync

from coverslip.api.kept import ByteCache, is_known
from coverslip.api.near import NearStores
from coverslip.api.open_files import Identity, OpenFiles
from coverslip.api.pictures import WHEN_CHANGED
from coverslip.api.stored_files import StoredFile, open_stored
from coverslip.catalog import Catalog
from coverslip.errors import NotFoundError, ReadError
from coverslip.model.records import ImagePlace
from coverslip.ngff import Version, VirtualStore
from coverslip.readers import Image
from coverslip.render import channel_colors

SERVED_VERSION = 1
"""Raise it when the same image would be served in another way."""
AT_ONCE = 8
"""Chunks read at the same time, by threads of their own: a viewer asks for hundreds."""
DOCUMENT_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class Stored:
    """What is under a key; ``data`` is ``None`` where only its size was asked for, or the client has it."""

    etag: str
    size: int
    data: bytes | None
    is_known: bool = False


class Stores:
    """Answers for the keys of every image.

    Parameters
    ----------
    catalog
        Where images are looked up.
    files
        Opens their files.
    """

    def __init__(self, catalog: Catalog, files: OpenFiles) -> None:
        self._catalog = catalog
        self._files = files
        self.near = NearStores()
        self._documents = ByteCache(DOCUMENT_BYTES)
        self._at_work = anyio.CapacityLimiter(AT_ONCE)

    async def get(
        self, image_id: str, version: Version, key: str, *, known: str | None, size_only: bool
    ) -> Stored | StoredFile:
        """Return what is under a key of an image, or the open file of one that is stored as this very version.

        Parameters
        ----------
        image_id
            Which image.
        version
            Of OME-Zarr.
        key
            Below the image's own address.
        known
            The ``If-None-Match`` header of the request.
        size_only
            Whether the bytes are not wanted; a chunk is not read then, unless the image is a folder.

        Raises
        ------
        NotFoundError
            There is no such image, or an image of this shape has no such key.
        ReadError
            The file does not give these pixels. They are never made up, and never a missing chunk.
        UnsupportedFormatError
            OME-Zarr has no such type of pixels.
        """
        return await run_sync(partial(self._get, image_id, version, key, known, size_only), limiter=self._at_work)

    @contextmanager
    def _borrow(self, place: ImagePlace, identity: Identity) -> Iterator[Image]:
        with self._files.borrow(identity) as file:
            if place.index >= len(file.images):
                raise ReadError(f"{place.path}: image {place.index + 1} of the file is gone; {WHEN_CHANGED}")
            yield file.images[place.index]

    def _get(
        self, image_id: str, version: Version, key: str, known: str | None, size_only: bool
    ) -> Stored | StoredFile:
        place = self._catalog.place_of(image_id)
        identity = self._files.identity(place.path, place.revision)
        etag = f'"{identity.tag}-{place.index}-{SERVED_VERSION}-{version}-{key}"'
        with self._borrow(place, identity) as image:
            if image.stored is not None and image.stored.version == version:
                self.near.note(place, image.stored)
                return open_stored(image.stored, key)
            store = VirtualStore(image, version, colors=channel_colors(image.metadata))
            if key not in store:
                name = Path(place.path).name
                raise NotFoundError(f"{name} as OME-Zarr {version} has no {key!r}{_hint(key, version)}")
            if not identity.is_folder and is_known(etag, known):
                return Stored(etag, 0, None, is_known=True)
            if not identity.is_folder and size_only:
                return Stored(etag, store.size(key) or 0, None)
            data = self._bytes(place, etag, store, key)
        if identity.is_folder:  # its files change without a trace that could be looked at quickly
            etag = f'"{sha256(data).hexdigest()[:32]}"'
            if is_known(etag, known):
                return Stored(etag, 0, None, is_known=True)
        return Stored(etag, len(data), None if size_only else data)

    def _bytes(self, place: ImagePlace, etag: str, store: VirtualStore, key: str) -> bytes:
        """Return document or chunk; documents are kept, because one of them takes a look at pixels of each channel."""
        name = f"{place.id} {etag}"
        data = self._documents.get(name)
        if data is None:
            data = store.get(key)
            if data is None:
                raise NotFoundError(f"{Path(place.path).name} has no {key!r}")
            if is_document(key):
                self._documents.put(name, data)
        return data


def is_document(key: str) -> bool:
    """Return whether a key names a JSON document."""
    return key.endswith(("zarr.json", ".zgroup", ".zattrs", ".zarray", ".zmetadata"))


def media_type_of(key: str) -> bytes:
    """Return the media type that what is under a key is sent with."""
    return b"application/json" if is_document(key) else b"application/octet-stream"


def _hint(key: str, version: Version) -> str:
    if key in ("", "/"):
        return f". Its first document is {'zarr.json' if version == '0.5' else '.zattrs'}"
    return ""
