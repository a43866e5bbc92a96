"""An open image as a store of zarr-python, in this process and without a copy."""

from collections.abc import AsyncIterator, Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from coverslip.model import CanRead
from coverslip.ngff.documents import Color
from coverslip.ngff.encoding import Version
from coverslip.ngff.store import VirtualStore

if TYPE_CHECKING:
    from zarr.abc.store import ByteRequest, Store
    from zarr.core.buffer import Buffer, BufferPrototype


def to_store(image: CanRead, version: Version = "0.5", *, colors: Sequence[Color] | None = None) -> "Store":
    """Return a read-only Zarr store of an open image, for ``zarr.open_group`` and whatever builds on it.

    Parameters
    ----------
    image
        It must stay open as long as the store is used.
    version
        Of OME-Zarr: ``"0.5"`` is Zarr 3, ``"0.4"`` is Zarr 2.
    colors
        Display colour of every channel; the file's own or white where left out.

    Returns
    -------
    zarr.abc.store.Store
        A failed read raises our ``ReadError`` there; it is never a missing chunk.

    Raises
    ------
    UnsupportedFormatError
        Zarr has no such type of pixels.

    Examples
    --------
    >>> with coverslip.open_image("cells.czi") as file:  # doctest: +SKIP
    ...     group = zarr.open_group(coverslip.ngff.to_store(file.images[0]), mode="r")
    ...     plane = group["0"][0, 1, 12]
    """
    store: Store = _store_class()(VirtualStore(image, version, colors=colors))
    return store


@cache
def _store_class() -> type[Any]:
    """Return the class, made when it is first needed: zarr costs 0.4 s, which serving chunks need not pay."""
    from zarr.abc.store import Store  # noqa: PLC0415  # see above

    return type("ImageStore", (_Answers, Store), {})


class _Answers:
    """What zarr-python asks of a store, answered by a ``VirtualStore``."""

    supports_writes = False
    supports_deletes = False
    supports_listing = True

    def __init__(self, virtual: VirtualStore) -> None:
        super().__init__(read_only=True)  # type: ignore[call-arg]  # zarr's Store comes next in the order
        self._virtual = virtual

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Answers) and other._virtual is self._virtual

    def __hash__(self) -> int:
        return id(self._virtual)

    def __repr__(self) -> str:
        return f"<Zarr store of an image, OME-Zarr {self._virtual.version}>"

    async def get(
        self, key: str, prototype: "BufferPrototype", byte_range: "ByteRequest | None" = None
    ) -> "Buffer | None":
        """Return the bytes under a key, or ``None`` where there cannot be any."""
        from asyncio import to_thread  # noqa: PLC0415  # costs 15 ms, and zarr has loaded it by now

        data = await to_thread(self._virtual.get, key)
        return None if data is None else prototype.buffer.from_bytes(_part(data, byte_range))

    async def get_partial_values(
        self, prototype: "BufferPrototype", key_ranges: "Iterable[tuple[str, ByteRequest | None]]"
    ) -> "list[Buffer | None]":
        """Return parts of the bytes under several keys."""
        return [await self.get(key, prototype, wanted) for key, wanted in key_ranges]

    async def exists(self, key: str) -> bool:
        """Return whether there is such a key, without reading pixels."""
        return key in self._virtual

    async def set(self, key: str, _value: "Buffer") -> None:
        """Refuse."""
        raise ValueError(f"{key}: an image file is not written to through its Zarr store")

    async def delete(self, key: str) -> None:
        """Refuse."""
        raise ValueError(f"{key}: nothing is deleted from an image file through its Zarr store")

    def list(self) -> AsyncIterator[str]:
        """Yield every key."""
        return self.list_prefix("")

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        """Yield every key that begins so."""
        every = self._virtual.keys()
        for key in every:
            if key.startswith(prefix):
                yield key

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Yield the names directly below a group or array."""
        start = f"{prefix.rstrip('/')}/" if prefix else ""
        # at the top there is nothing without a document, and a large image has millions of chunks
        every = self._virtual.keys() if start else self._virtual.documents()
        for name in dict.fromkeys(key.removeprefix(start).split("/")[0] for key in every if key.startswith(start)):
            yield name


def _part(data: bytes, wanted: "ByteRequest | None") -> bytes:
    """Return the part of the bytes that one of zarr's three kinds of range means."""
    if wanted is None:
        return data
    if hasattr(wanted, "suffix"):
        return data[max(0, len(data) - wanted.suffix) :]
    if hasattr(wanted, "offset"):
        return data[wanted.offset :]
    return data[wanted.start : wanted.end]
