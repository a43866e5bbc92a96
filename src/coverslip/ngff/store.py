"""An image as an OME-Zarr store that exists nowhere: documents and chunks are made when they are asked for."""

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from coverslip.model import CanRead, Region
from coverslip.ngff.documents import Color, array_document, image_documents, label_documents, labels_documents
from coverslip.ngff.encoding import Version, chunk_bytes, type_words
from coverslip.ngff.layout import chunk_key, served_chunks
from coverslip.ngff.pyramid import Pyramid, Shape
from coverslip.ngff.windows import measure_windows

LABELS = "labels/"
"""The group below an image with its label images."""


@dataclass(frozen=True, slots=True)
class _Chunk:
    level: int
    place: tuple[int, ...]


class VirtualStore:
    """The keys of an OME-Zarr image and their bytes, made from an open image.

    A chunk is part of one plane, at most 512 x 512 pixels (along Z and X where an image has one row), uncompressed:
    its size is known without reading it, and on one machine or a local network compressing costs more than it saves.

    Parameters
    ----------
    image
        What to show. It must stay open as long as the store is used.
    version
        Of OME-Zarr: ``"0.5"`` is Zarr 3, ``"0.4"`` is Zarr 2.
    colors
        Display colour of every channel; the file's own or white where left out.
    is_labels
        Whether this is a label image. The labels of an image are in its own store, below ``labels/``.

    Raises
    ------
    UnsupportedFormatError
        Zarr has no such type of pixels.
    """

    def __init__(
        self,
        image: CanRead,
        version: Version = "0.5",
        *,
        colors: Sequence[Color] | None = None,
        is_labels: bool = False,
    ) -> None:
        self.version = version
        self._pyramid = Pyramid(image, is_labels=is_labels)
        self._colors = colors
        self._is_labels = is_labels
        found: Sequence[CanRead] = () if is_labels else getattr(image, "labels", ())
        self._labels = {label_key(label.metadata.name): label for label in found}
        self._chunks = served_chunks(self._pyramid.levels)
        type_words(self._pyramid.dtype, version)
        name = "zarr.json" if version == "0.5" else ".zarray"
        self._arrays = {f"{number}/{name}": number for number in range(len(self._chunks))}
        self._groups = ("zarr.json",) if version == "0.5" else (".zgroup", ".zattrs")

    def get(self, key: str) -> bytes | None:
        """Return what is stored under a key; ``None`` only for a key that cannot exist.

        Raises
        ------
        ReadError
            The file does not give these pixels. They are never made up.
        """
        if key in self._groups:
            return self._group_documents[key]
        if key.startswith(LABELS):
            return self._get_label(key)
        if key in self._arrays:
            return self._array(self._arrays[key])
        chunk = self._find(key)
        if chunk is None:
            return None
        whole = self._chunks[chunk.level]
        return chunk_bytes(self._pyramid.read(chunk.level, self._region(chunk)), whole)

    def size(self, key: str) -> int | None:
        """Return how many bytes ``get`` gives, without reading a chunk; ``None`` for a key that cannot exist."""
        if key in self._groups or key in self._arrays:
            return len(self.get(key) or b"")
        if key.startswith(LABELS):
            below = self._label(key)
            data = self._labels_documents.get(key) if below is None else None
            return below[0].size(below[1]) if below else None if data is None else len(data)
        chunk = self._find(key)
        if chunk is None:
            return None
        t, c, z, y, x = self._chunks[chunk.level]
        return t * c * z * y * x * self._pyramid.dtype.itemsize

    def __contains__(self, key: object) -> bool:
        if not isinstance(key, str):
            return False
        if key.startswith(LABELS):
            below = self._label(key)
            return key in self._labels_documents or (below is not None and below[1] in below[0])
        return key in self._groups or key in self._arrays or self._find(key) is not None

    def documents(self) -> tuple[str, ...]:
        """Return the keys of the documents: those of the group, of the levels, then those of the labels."""
        below = (f"{LABELS}{name}/{key}" for name in self._labels for key in self._label_store(name).documents())
        return (*self._groups, *self._arrays, *self._labels_documents, *below)

    def keys(self) -> Iterator[str]:
        """Yield every key: documents first, then the chunks of each level."""
        yield from self.documents()
        for number in range(len(self._chunks)):
            for place in itertools.product(*map(range, self._grid(number))):
                yield chunk_key(number, place, self.version)
        for name in self._labels:
            below = self._label_store(name)
            known, every = set(below.documents()), below.keys()
            yield from (f"{LABELS}{name}/{key}" for key in every if key not in known)

    def _get_label(self, key: str) -> bytes | None:
        below = self._label(key)
        return self._labels_documents.get(key) if below is None else below[0].get(below[1])

    def _label(self, key: str) -> "tuple[VirtualStore, str] | None":
        """Return the store of a label image, and the key in it."""
        name, _, rest = key.removeprefix(LABELS).partition("/")
        return (self._label_store(name), rest) if name in self._labels and rest else None

    def _label_store(self, name: str) -> "VirtualStore":
        return VirtualStore(self._labels[name], self.version, is_labels=True)

    @cached_property
    def _labels_documents(self) -> dict[str, bytes]:
        """Return the documents of the group that lists the labels; none where there are none."""
        documents = labels_documents(tuple(self._labels), self.version) if self._labels else {}
        return {f"{LABELS}{key}": to_json(document) for key, document in documents.items()}

    def _array(self, level: int) -> bytes:
        shape = self._pyramid.levels[level].shape
        return to_json(array_document(shape, self._chunks[level], self._pyramid.dtype, self.version)[1])

    @cached_property
    def _group_documents(self) -> dict[str, bytes]:
        if self._is_labels:
            labels = label_documents(self._pyramid.metadata, self._pyramid.levels, self.version)
            return {key: to_json(document) for key, document in labels.items()}
        documents = image_documents(
            self._pyramid.metadata,
            self._pyramid.levels,
            self.version,
            windows=measure_windows(self._pyramid),
            colors=self._colors,
        )
        return {key: to_json(document) for key, document in documents.items()}

    def _grid(self, level: int) -> Shape:
        """Return how many chunks a level has along each axis."""
        shape, chunk = self._pyramid.levels[level].shape, self._chunks[level]
        t, c, z, y, x = (-(-length // size) for length, size in zip(shape, chunk, strict=True))
        return t, c, z, y, x

    def _find(self, key: str) -> _Chunk | None:
        """Return the chunk that a key names: exactly as the specification writes it, and inside the array."""
        words = key.split("/")
        fixed = ["c"] if self.version == "0.5" else []
        numbers = [words[0], *words[1 + len(fixed) :]]
        if len(numbers) != 6 or words[1 : 1 + len(fixed)] != fixed or not all(map(_is_number, numbers)):
            return None
        level, *place = map(int, numbers)
        if level >= len(self._chunks) or any(at >= count for at, count in zip(place, self._grid(level), strict=True)):
            return None
        return _Chunk(level, tuple(place))

    def _region(self, chunk: _Chunk) -> Region:
        shape, size = self._pyramid.levels[chunk.level].shape, self._chunks[chunk.level]
        t, c, z, y, x = (
            (at * length, min((at + 1) * length, whole))
            for at, length, whole in zip(chunk.place, size, shape, strict=True)
        )
        return Region(t, c, z, y, x)


def label_key(name: str) -> str:
    """Return the name of a label image as part of a key, which holds no slash and no dots alone."""
    safe = name.replace("/", "_")
    return safe.replace(".", "_") if not safe.strip(".") else safe


def to_json(document: object) -> bytes:
    """Return a document as its bytes; not-a-number has no place in JSON and is refused."""
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False).encode(errors="replace")


def _is_number(text: str) -> bool:
    """Return whether a text is a whole number as it is written in keys: no sign, no leading zero."""
    return text.isascii() and text.isdigit() and len(text) <= 9 and (text == "0" or text[0] != "0")
