"""The JSON documents of a Zarr hierarchy on disk: what is a group, what an array, and what is said about it.

Opening a plate must not cost an array library: these few documents are read directly, pixels go through ``zarr``.
Formats: Zarr v2 (``.zgroup .zattrs .zarray``) and v3 (``zarr.json``), https://zarr-specs.readthedocs.io.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Literal

import numpy as np

from coverslip.errors import ReadError
from coverslip.readers.ome_zarr.stores import DOCUMENTS, Store

V3_DOCUMENT, *V2_DOCUMENTS = DOCUMENTS
PIXEL_KINDS = "biufc"


@dataclass(frozen=True, slots=True)
class Node:
    """One group or array of the hierarchy."""

    store: Store
    key: str
    """Path below the top of the store; ``""`` at the top."""
    zarr_format: Literal[2, 3]
    attributes: Mapping[str, Any]
    array: Mapping[str, Any] | None
    """The array's own document; ``None`` for groups."""

    @property
    def folder(self) -> Path:
        """Where it is, for people; in a zip as if it were unpacked beside itself."""
        return self.store.path / self.key

    @property
    def ome(self) -> Mapping[str, Any]:
        """The OME-Zarr part of the attributes: below ``ome`` since 0.5, at the top before."""
        inner = self.attributes.get("ome")
        return inner if isinstance(inner, dict) else self.attributes

    @property
    def version(self) -> str | None:
        """OME-Zarr version stated for the whole group, as 0.5 does."""
        version = self.ome.get("version")
        return version if isinstance(version, str) else None

    def child(self, path: object) -> str:
        """Return the key that a path in the metadata means.

        Raises
        ------
        ReadError
            It is not a path, or it leads out of this folder.
        """
        if not isinstance(path, str | int) or str(path) in ("", "."):
            raise ReadError(f"{self.folder}: {path!r} in the metadata is not the path of an array or group")
        parts = PurePosixPath(str(path))
        drive = PureWindowsPath(str(path))
        if parts.is_absolute() or drive.drive or drive.root or ".." in (*parts.parts, *drive.parts):
            raise ReadError(f"{self.folder}: the metadata leads out of the folder: {path!r}. It will not be followed")
        return "/".join(filter(None, (self.key, *parts.parts)))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of an array.

        Raises
        ------
        ReadError
            It has none, or one without pixels.
        """
        shape = (self.array or {}).get("shape")
        if not isinstance(shape, list) or not all(isinstance(length, int) for length in shape):
            raise ReadError(f"{self.folder}: the array's shape is {shape!r}, not a list of whole numbers")
        if not shape or min(shape) < 1:
            raise ReadError(f"{self.folder}: the array's shape is {shape}: there are no pixels")
        return tuple(shape)

    @property
    def dtype(self) -> str:
        """NumPy name of the pixel type of an array, without byte order.

        Raises
        ------
        ReadError
            The array holds something that is not pixels.
        """
        stated = (self.array or {}).get("dtype" if self.zarr_format == 2 else "data_type")
        try:
            dtype = np.dtype(stated) if isinstance(stated, str) else None
        except TypeError:
            dtype = None
        if dtype is None or dtype.kind not in PIXEL_KINDS:
            raise ReadError(f"{self.folder}: the array's type is {stated!r}, which is not a type of pixels")
        return dtype.name

    @property
    def zarr_document(self) -> dict[str, Any]:
        """The array's document as ``zarr`` accepts it without a warning."""
        document = {**(self.array or {}), "zarr_format": self.zarr_format}
        # Writers of v2 state "no filters" as an empty list, which zarr is going to refuse.
        if self.zarr_format == 2 and not document.get("filters"):
            document["filters"] = None
        return document

    def holds_chunks(self) -> bool:
        """Return whether anything but documents is stored for an array; where nothing is listed, it is believed."""
        return not self.store.lists or any(name not in DOCUMENTS for name in self.store.names(self.key))


def is_zarr(folder: Path) -> bool:
    """Return whether a folder is a Zarr group or array.

    Raises
    ------
    ReadError
        The folder may not be looked into.
    """
    try:
        return any((folder / name).is_file() for name in DOCUMENTS)
    except OSError as error:
        raise ReadError(f"{folder}: the folder cannot be looked into: {error.strerror or error}") from error


def read_node(store: Store, key: str) -> Node | None:
    """Return the group or array under a key, or ``None`` where there is neither.

    Raises
    ------
    ReadError
        A document is there but damaged.
    """
    document = _read_json(store, key, V3_DOCUMENT)
    if document is not None:
        attributes = document.get("attributes") or {}
        if not isinstance(attributes, dict):
            raise ReadError(f"{store.path / key / V3_DOCUMENT}: the attributes are not an object")
        is_array = document.get("node_type") == "array" or "shape" in document
        return Node(store, key, 3, attributes, document if is_array else None)
    group, attributes, array = (_read_json(store, key, name) for name in V2_DOCUMENTS)
    if group is None and attributes is None and array is None:
        return None
    return Node(store, key, 2, attributes or {}, array)


def _read_json(store: Store, key: str, name: str) -> dict[str, Any] | None:
    """Return the object in a document, ``None`` where there is no such document."""
    content, path = store.read(f"{key}/{name}" if key else name), store.path / key / name
    if content is None:
        return None
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ReadError(f"{path}: not a JSON document: {error}. Copy it again from its source") from error
    if not isinstance(document, dict):
        raise ReadError(f"{path}: expected an object, found {type(document).__name__}")
    return document
