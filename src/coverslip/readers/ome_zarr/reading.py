"""OME-Zarr, 0.1 to 0.5, in folders and zip files: images, plates, wells and the layout of bioformats2raw.

Every multiscale is an image, but label images belong to the image beside them. A field of a plate is an image named
``"A/1/0"``. Metadata comes from the JSON documents alone; ``zarr`` is loaded when the first pixel is asked for. A chunk
that is not stored is the fill value, by definition of the format; one that cannot be read is an error.
"""

from contextlib import ExitStack
from pathlib import Path

from coverslip.errors import ReadError
from coverslip.model import Probe
from coverslip.readers.ome_zarr.documents import is_zarr
from coverslip.readers.ome_zarr.images import images
from coverslip.readers.ome_zarr.layout import find, is_only_a_shelf
from coverslip.readers.ome_zarr.stores import is_zipped_zarr, open_store

ZIP_MAGIC = b"PK\x03\x04"


class _ZarrFile:
    """An open OME-Zarr. Of a folder nothing is held open between two reads."""

    concurrent = True

    def __init__(self, path: Path) -> None:
        self.files = (path,)
        missing: list[str] = []
        with ExitStack() as stack:
            self._store = open_store(path)
            stack.callback(self._store.close)
            found = list(find(self._store, missing))
            if not found and missing:
                raise ReadError(f"{path}: nothing of what the metadata lists is there: {', '.join(missing[:5])}")
            notes = (f"listed but missing: {', '.join(missing[:20])}",) if missing else ()
            self.images = tuple(image for item in found for image in images(item, notes))
            stack.pop_all()

    def close(self) -> None:
        """Forget the arrays and let go of the zip file."""
        for image in self.images:
            image.forget()
        self._store.close()


class _ZarrReader:
    """Opens OME-Zarr."""

    def recognises(self, probe: Probe) -> bool:
        """Return whether it is a Zarr group or array, or a zip of one; not a plain group around folders of images."""
        if probe.is_folder:
            return is_zarr(probe.path) and not is_only_a_shelf(probe.path)
        return probe.head.startswith(ZIP_MAGIC) and is_zipped_zarr(probe.path)

    def reads_ranges(self, probe: Probe) -> bool:
        """Return true: documents and chunks are files of their own."""
        return probe.is_folder

    def open(self, path: Path) -> _ZarrFile:
        """Open the folder or zip file and read its JSON documents.

        Raises
        ------
        ReadError
            Something that the metadata promises is missing or damaged.
        UnsupportedFormatError
            It is Zarr, but holds no OME-Zarr image.
        """
        return _ZarrFile(path)


reader = _ZarrReader()
