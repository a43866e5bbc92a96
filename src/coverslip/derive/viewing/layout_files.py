"""Files of entities, found and opened where their layout is."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from coverslip.cryoet.layout import below, parse, run, spacing
from coverslip.derive.kind import Inputs
from coverslip.errors import ReadError
from coverslip.model import CanRead
from coverslip.model.entities import EntityFile, EntityRecord

MASK_FORMATS = ("zarr", "mrc")
"""Of a mask that lies there twice, in this order."""


def file_of(entity: EntityRecord, shape: str, *formats: str) -> EntityFile:
    """Return the file that an entity has of a shape, of the first of some formats that it has.

    Raises
    ------
    ReadError
        It has none.
    """
    for wanted in formats:
        for file in entity.files:
            if (file.shape, file.format) == (shape, wanted):
                return file
    raise ReadError(f"{entity.type} {entity.id} has no file of its {shape} as {' or '.join(formats)}")


def path_of(inputs: Inputs, entity: EntityRecord, file: EntityFile) -> Path:
    """Return the path that a file can be opened at; a file outside of the layout has an address of its own."""
    is_elsewhere = file.key.startswith("/") or "://" in file.key
    return inputs.locate(file.key if is_elsewhere else f"{entity.layout}/{file.key}")


@contextmanager
def opened(inputs: Inputs, entity: EntityRecord, file: EntityFile) -> Iterator[CanRead]:
    """Open an image of a layout for the length of a ``with`` block.

    Raises
    ------
    ReadError
        It is no image, or has none in it.
    """
    assert inputs.open_file is not None, "a builder says how files are opened"
    path = path_of(inputs, entity, file)
    with inputs.open_file(path) as image_file:
        if not image_file.images:
            raise ReadError(f"{path}: there is no image in it")
        yield image_file.images[0]


def voxel_spacing_of(entity: EntityRecord) -> float:
    """Return the voxel spacing that an entity lies below, in angstrom.

    Raises
    ------
    ReadError
        It lies below none.
    """
    for part in reversed((entity.parent or "").split("/spacings/")[1:]):
        try:
            found = float(part.split("/")[0])
        except ValueError:
            break
        if 0 < found < float("inf"):
            return found
    raise ReadError(f"{entity.type} {entity.id} lies below no voxel spacing: {entity.identity}")


def folder_of_spacing(entity: EntityRecord) -> str:
    """Return the folder of the voxel spacing that an entity has its files in, below the top of the layout.

    Raises
    ------
    ReadError
        Its files do not lie where the layout has them.
    """
    place = parse(entity.key)
    if place is None or not place.spacing:
        raise ReadError(f"{entity.type} {entity.id} does not lie where a layout has it: {entity.key!r}")
    return spacing(run(place.dataset, place.run), place.spacing)


def precomputes_of(annotation: EntityRecord) -> str:
    """Return what the names of the precomputed folders of an annotation begin with, up to the ``_`` before the shape.

    Raises
    ------
    ReadError
        Its document does not lie where the layout has it.
    """
    place = parse(annotation.key)
    if place is None or (place.type, place.part) != ("annotation", "document"):
        raise ReadError(f"{annotation.type} {annotation.id} does not lie where a layout has it: {annotation.key!r}")
    stem = place.name.removesuffix(".json")
    return below(folder_of_spacing(annotation), "NeuroglancerPrecompute", f"{place.number}-{stem}")
