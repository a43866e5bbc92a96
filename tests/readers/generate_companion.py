"""OME-TIFF sets with a companion file: TIFFs by tifffile, the OME-XML as its specification shows it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

Array = np.ndarray[Any, np.dtype[Any]]

SCHEMA = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
TYPES = {"uint8": "uint8", "uint16": "uint16", "float32": "float"}


def write_companion(
    folder: Path, array: Array, *, names: Sequence[str] | None = None, metadata_file: str = "set.companion.ome"
) -> list[Path]:
    """Write T, C, Z, Y, X as one TIFF for each time point and channel; return the companion and then the TIFFs.

    Parameters
    ----------
    folder
        Where to.
    array
        The pixels.
    names
        What the companion calls the TIFFs, where that is not their names.
    metadata_file
        What the TIFFs call the companion.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths, blocks = [], []
    size_t, size_c, size_z, size_y, size_x = array.shape
    for n, (t, c) in enumerate(np.ndindex(size_t, size_c)):
        path = folder / f"part{n}.ome.tiff"
        uuid = f"urn:uuid:4978087c-a670-4b12-af53-{n:012d}"
        binary = f'<BinaryOnly MetadataFile="{metadata_file}" UUID="urn:uuid:07504f88-7bc3-11e0-b937-2faf67bc00b3"/>'
        described = f'<?xml version="1.0"?><OME xmlns="{SCHEMA}" UUID="{uuid}">{binary}</OME>'
        tifffile.imwrite(path, array[t, c], description=described, metadata=None, photometric="minisblack")
        paths.append(path)
        blocks.append(
            f'<TiffData FirstC="{c}" FirstT="{t}" FirstZ="0" IFD="0" PlaneCount="{size_z}">'
            f'<UUID FileName="{names[n] if names else path.name}">{uuid}</UUID></TiffData>'
        )
    channels = "".join(f'<Channel ID="Channel:0:{c}" Name="dye {c}" SamplesPerPixel="1"/>' for c in range(size_c))
    companion = folder / "set.companion.ome"
    companion.write_text(
        f'<?xml version="1.0" encoding="UTF-8"?>\n<OME xmlns="{SCHEMA}" UUID="urn:uuid:07504f88-7bc3-11e0-b937-'
        f'2faf67bc00b3"><Image ID="Image:0" Name="the set"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" '
        f'Type="{TYPES[array.dtype.name]}" SizeX="{size_x}" SizeY="{size_y}" SizeZ="{size_z}" SizeC="{size_c}" '
        f'SizeT="{size_t}" PhysicalSizeX="0.25" PhysicalSizeY="0.25">{channels}{"".join(blocks)}</Pixels></Image></OME>'
    )
    return [companion, *paths]


def make_companions(folder: Path) -> Mapping[Path, Sequence[Array]]:
    """Return a companion and a TIFF of another set, and what is in the sets."""
    dice = np.random.default_rng(5)
    first = dice.integers(0, 4000, (2, 2, 3, 40, 50)).astype("uint16")
    second = dice.normal(0, 9, (1, 3, 1, 40, 50)).astype("float32")
    return {write_companion(folder / "a", first)[0]: [first], write_companion(folder / "b", second)[2]: [second]}
