"""Marks, cells and properties of labels of images, in the files that Neuroglancer reads: made on request and kept."""

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

from coverslip.api.open_files import OpenFiles
from coverslip.api.precomputes import Archives, Opened
from coverslip.catalog import Catalog
from coverslip.derive.viewing import voxel_spacing_of
from coverslip.errors import NotFoundError
from coverslip.jobs import KeyedLocks
from coverslip.model import Cell
from coverslip.neuroglancer.layers import dimensions
from coverslip.neuroglancer.mark_files import mark_files, places_of, properties_of, space_of
from coverslip.neuroglancer.marks import Kind, cell_marks, marks_of
from coverslip.neuroglancer.precomputed import Files, pack

KEPT_BYTES = 64 << 20
MADE_VERSION = 1
"""Raise it when the same marks would be other files."""
PATIENCE_SECONDS = 60.0
"""How long a request waits for another that makes the same."""


class ImageMarks:
    """Makes and keeps them.

    Parameters
    ----------
    catalog
        Knows images and what people marked in them.
    files
        Opens images for their cell tables.
    """

    def __init__(self, catalog: Catalog, files: OpenFiles) -> None:
        self._catalog = catalog
        self._files = files
        self._archives = Archives(KEPT_BYTES)
        self._making = KeyedLocks()

    def marks(self, image_id: str, track: str, kind: Kind) -> Opened:
        """Return what people marked in an image, of one track and kind.

        Raises
        ------
        NotFoundError
            There is no such image, or nothing of that kind on the track.
        """
        image = self._catalog.get_image(image_id)
        annotations = self._catalog.annotations_of(image_id, track=track)
        told = "\n".join(f"{one.id} {one.revision}" for one in sorted(annotations, key=lambda one: one.id))
        space = self._space(image_id)

        def make() -> Files:
            marks = marks_of(annotations, image.metadata, "".join(space))
            if not any(mark.kind == kind for mark in marks):
                raise NotFoundError(f"nobody marked a {kind} on the track {track[:100]!r} of this image")
            return mark_files(kind, marks, space)

        return self._opened((image_id, str(image.revision), track, kind, told, str(space)), make)

    def cells(self, image_id: str) -> Opened:
        """Return where the objects of the cell table of an image are.

        Raises
        ------
        NotFoundError
            There is no such image, it has no table, or the table says of no object where it is.
        ReadError
            The table cannot be read.
        """
        space = self._space(image_id)

        def make(rows: list[Mapping[str, Cell]]) -> Files:
            places = places_of(rows)
            if not places:
                raise NotFoundError("the cell table of this image does not say where its objects are")
            return mark_files("point", cell_marks(places, "".join(space)), space)

        return self._of_table(image_id, f"cells {space}", make)

    def properties(self, image_id: str, name: str) -> Opened:
        """Return what the cell table says of the objects of a label image.

        Raises
        ------
        NotFoundError
            There is no such image or label image, or no table.
        ReadError
            The table cannot be read.
        """
        labels = self._catalog.get_image(image_id).metadata.labels
        if name not in [one.name for one in labels]:
            known = ", ".join(one.name for one in labels) or "none"
            raise NotFoundError(f"this image has no label image {name[:100]!r}; it has {known}")
        return self._of_table(image_id, "properties", properties_of)

    def _of_table(self, image_id: str, what: str, make: Callable[[list[Mapping[str, Cell]]], Files]) -> Opened:
        table = self._catalog.get_image(image_id).metadata.table
        if table is None:
            raise NotFoundError("this image has no cell table")
        place = self._catalog.place_of(image_id)
        identity = self._files.identity(place.path, place.revision)

        def made() -> Files:
            with self._files.borrow(identity) as file:
                if place.index >= len(file.images):
                    raise NotFoundError(f"image {place.index + 1} of its file is gone")
                rows = file.images[place.index].rows()
            return make(rows)

        return self._opened((image_id, identity.tag, str(place.index), what), made)

    def _space(self, image_id: str) -> Mapping[str, Any]:
        """Return scale and unit of the axes that the state of an image has."""
        around = self._catalog.surroundings(image_id)
        if around is not None:
            return dimensions(voxel_spacing_of(around.tomogram))
        return space_of(self._catalog.get_image(image_id).metadata)

    def _opened(self, of: tuple[str, ...], make: Callable[[], Files]) -> Opened:
        """Return the files of what has such a name, made once however many ask."""
        key = sha256("\0".join((str(MADE_VERSION), *of)).encode(errors="surrogatepass")).hexdigest()[:32]
        packed = self._archives.get(key)
        if packed is None:
            with self._making.hold(key, PATIENCE_SECONDS):
                packed = self._archives.get(key) or self._archives.put(key, pack(make()))
        return Opened(f'"{key}"', packed)
