"""Files of electron microscopes and slide scanners that other libraries write in the run, and how they read them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from conformance.references import canonical
from conformance.row import Array, Levels, Written
from conformance.writers import noise

BACKWARDS = slice(None, None, -1)
SLIDE_TILE = 32


def dm(name: str, array: Array, *, collection: int = 0) -> Written:
    """Return a DM3 or DM4 file by nionswift-io; the first ``collection`` axes are where spectra were taken."""

    def make(folder: Path) -> Path:
        from nion.data import DataAndMetadata
        from nion.io.DM_IO.dm3_image_utils import save_image

        datum = array.ndim - collection - (array.dtype == np.uint8)
        described = DataAndMetadata.DataDescriptor(False, collection, datum)
        made = DataAndMetadata.new_data_and_metadata(array, data_descriptor=described)
        with (folder / name).open("wb") as stream:
            save_image(made, stream, 4 if name.endswith("4") else 3)
        return folder / name

    return Written("nionswift-io", make)


def by_nionswift(path: Path) -> Sequence[Levels]:
    """Return the image of a DM3 or DM4 file: collections of images as Z, spectra as C, red before green and blue."""
    from nion.io.DM_IO.dm3_image_utils import load_image

    with path.open("rb") as stream:
        loaded = load_image(stream)
    array, described = np.asarray(loaded.data), loaded.data_descriptor
    if array.dtype == np.uint8 and array.shape[-1] == 3:
        return [[canonical(array[..., BACKWARDS], "YXS")]]
    if described.collection_dimension_count == 2 and array.ndim == 3:
        return [[canonical(array, "YXC")]]
    return [[canonical(array, "ZYX"[-array.ndim :])]]


def slide(folder: Path) -> Path:
    """Write a whole slide of two stains, three focal planes and two levels by wsidicom."""
    from tests.readers.generate_slide import write_slide  # the pixels are handed to wsidicom there, tile by tile

    stains = noise(2, 3, 70, 90)
    return write_slide(folder, [stains, stains[:, :, ::2, ::2].copy()], paths=("a", "b"))[0]


def by_wsidicom(path: Path) -> Sequence[Levels]:
    """Return every level of a slide: optical paths as C, focal planes as Z."""
    from wsidicom import WsiDicom

    with WsiDicom.open(path.parent) as opened:
        levels = []
        for level in opened.pyramids[0]:
            size = (level.size.width, level.size.height)
            planes = [
                [np.asarray(_region(opened, level, size, stain, depth)) for depth in sorted(level.focal_planes)]
                for stain in sorted(level.optical_paths)  # a set
            ]
            levels.append(canonical(np.array(planes), "CZYX"))
    return [levels]


def mrc_of_4_bits(folder: Path) -> Path:
    """Write sections of 4-bit values by mrcz, two in a byte."""
    import mrcz

    path = folder / "nibbles.mrc"
    mrcz.writeMRC(noise(3, 20, 32, dtype="u1") % 16, str(path), dtype="uint4", compressor=None)
    return path


def by_mrcz(path: Path) -> Sequence[Levels]:
    """Return the sections of an MRC file as T, because mrcz says that they are separate images."""
    import mrcz

    pixels, _ = mrcz.readMRC(str(path), pixelunits="nm")
    return [[canonical(np.asarray(pixels), "TYX")]]


def _region(opened: Any, level: Any, size: tuple[int, int], stain: str, depth: float) -> Any:
    found = opened.read_region((0, 0), level.level, size, z=depth, path=stain, as_array=True)
    return found.reshape(size[::-1])


SLIDE = Written("wsidicom", slide)
NIBBLES = Written("mrcz", mrc_of_4_bits)
