"""An image as an OME-Zarr folder at one go, for callers that keep it out of sight until it is whole."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from coverslip.model import CanRead
from coverslip.ngff.documents import Color, Window, image_documents, label_documents, labels_documents
from coverslip.ngff.encoding import Version
from coverslip.ngff.files import put_file
from coverslip.ngff.pieces import groups_of, plan, write_piece
from coverslip.ngff.store import LABELS, to_json
from coverslip.ngff.windows import measure_windows


def write_once(
    image: CanRead,
    folder: Path,
    *,
    version: Version = "0.5",
    windows: Sequence[Window | None] = (),
    colors: Sequence[Color] | None = None,
    attributes: Mapping[str, Any] | None = None,
) -> None:
    """Write an image with its label images into an empty folder. The same image always gives the same files.

    Unlike ``write`` it is not continued, keeps nobody out, and forces no file to disk.

    Parameters
    ----------
    image
        What is written. Memory is bounded as in ``write``.
    folder
        Where to; it is there and empty.
    version
        Of OME-Zarr.
    windows
        Display range of the channels, in order; where there is none, or ``None``, it is measured.
    colors
        Display colour of every channel; the image's own or white where left out.
    attributes
        Further attributes of the image's group, beside those of OME-Zarr.

    Raises
    ------
    ReadError
        The image cannot be read.
    UnsupportedFormatError
        OME-Zarr has no such type of pixels.
    StorageError
        A file could not be written; the system's error is its cause.
    """
    groups = groups_of(image, version)
    for group in groups:
        documents: dict[str, Any] = dict(layout.document() for layout in group.layouts)
        pyramid = group.pyramid
        if group.name:
            documents |= label_documents(pyramid.metadata, pyramid.levels, version)
        else:
            measured = measure_windows(pyramid) if len(windows) < image.metadata.size_c or None in windows else ()
            asked = [*windows, *(None,) * (len(measured) - len(windows))]
            shown = [measured[n] if window is None else window for n, window in enumerate(asked)]
            own = image_documents(pyramid.metadata, pyramid.levels, version, windows=shown, colors=colors)
            if version == "0.5":
                own["zarr.json"]["attributes"] |= attributes or {}
            else:
                own[".zattrs"] |= attributes or {}
            documents |= own
        for key, document in documents.items():
            put_file(folder, group.folder(folder) / key, to_json(document), is_lasting=False)
    names = [group.name for group in groups[1:]]
    for key, document in (labels_documents(names, version) if names else {}).items():
        put_file(folder, folder / LABELS / key, to_json(document), is_lasting=False)
    for group in groups:
        for piece in plan(group):
            write_piece(folder, folder, group, piece, is_lasting=False)
