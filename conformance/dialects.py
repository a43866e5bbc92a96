"""Dialects of TIFF and sets of TIFFs that other libraries write in the run, and how tifffile reads them."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from conformance.references import canonical
from conformance.row import Levels, Written
from conformance.writers import noise

SIDE = 4096
"""Rows and columns of the planes of a stack of more than 4 GiB: 132 of them, most of which are holes of the disk."""
DYES = ("DAPI", "GFP")


def modulo(folder: Path) -> Path:
    """Write lifetimes within T and emission bands within C, as OME's Modulo annotations describe them."""
    import tifffile

    path = folder / "modulo.ome.tif"
    how: Mapping[str, Any] = {"photometric": "minisblack", "metadata": {"axes": "THZEYX"}}
    tifffile.imwrite(path, noise(2, 3, 2, 4, 20, 30), ome=True, **how)
    return path


def imagej_beyond_4_gib(folder: Path) -> Path:
    """Write one directory and 132 planes behind it; only some of them hold pixels, the rest is sparse."""
    import tifffile

    path = folder / "large.tif"
    stack: Any = tifffile.memmap(path, shape=(4, 33, SIDE, SIDE), dtype="u2", imagej=True, metadata={"axes": "TZYX"})
    for t, z in ((0, 0), (1, 30), (2, 3), (3, 1), (3, 32)):
        stack[t, z] = noise(SIDE, SIDE) + t + z
    stack.flush()
    return path


def by_mapped_tifffile(path: Path) -> Sequence[Levels]:
    """Return the pixels of an ImageJ stack T, Z, Y, X as a memory map; nothing is read before it is compared."""
    import tifffile

    mapped: Any = tifffile.memmap(path, mode="r")
    return [[mapped[:, None]]]


def scanimage(folder: Path) -> Path:
    """Write frames of two channels with ScanImage's settings in the Software tag."""
    import tifffile

    path, pages = folder / "scan.tif", noise(14, 20, 30)
    settings = {
        "SI.VERSION_MAJOR": "2023",
        "SI.hChannels.channelSave": "[1;3]",
        "SI.hStackManager.framesPerSlice": "7",
        "SI.hStackManager.actualNumSlices": "1",
    }
    text = "\n".join(f"{key} = {value}" for key, value in settings.items())
    with tifffile.TiffWriter(path, bigtiff=True) as tif:
        for number, page in enumerate(pages):
            described = f"frameNumbers = {number + 1}\nepoch = [2023 5 6 7 8 9.5]\n"
            tif.write(page, software=text, description=described, metadata=None, contiguous=False)
    return path


def by_tifffile_as_frames(path: Path) -> Sequence[Levels]:
    """Return the pages of a ScanImage movie of one slice: two channels follow one another, then the frames."""
    import tifffile

    pages = tifffile.imread(path, key=slice(None))
    return [[pages.reshape(-1, 2, 1, *pages.shape[1:])]]


def ndtiff(folder: Path) -> Path:
    """Write two stage positions by the library of NDTiff's authors, which Micro-Manager's own wrapper uses."""
    from ndstorage import NDTiffDataset

    dataset = NDTiffDataset(str(folder / "set"), summary_metadata={"PixelSize_um": 0.25}, writable=True)
    array = noise(2, 2, 2, 3, 20, 30)
    for position, time, channel, z in np.ndindex(array.shape[:4]):
        place = {"position": position, "time": time, "channel": DYES[channel], "z": z}
        dataset.put_image(place, array[position, time, channel, z], {"ElapsedTime-ms": time})
    dataset.finish()
    dataset.close()
    return next((folder / "set").glob("*.tif"))


def by_ndstorage(path: Path) -> Sequence[Levels]:
    """Return every stage position of an NDTiff dataset, its channels in the order in which they were taken."""
    from ndstorage import Dataset

    dataset = Dataset(str(path.parent))
    try:
        lengths = [len(dataset.axes[name]) for name in ("position", "time", "channel", "z")]
        planes = [dataset.read_image(position=p, time=t, channel=DYES[c], z=z) for p, t, c, z in np.ndindex(*lengths)]
        array = np.stack(planes).reshape(*lengths, *planes[0].shape)
    finally:
        dataset.close()
    return [[position] for position in array]


def field(folder: Path) -> Path:
    """Write a field of view: three channels, and a mask of its cells in a folder beside it."""
    import tifffile

    planes, home = noise(4, 40, 50), folder / "fields" / "fov1"
    home.mkdir(parents=True)
    for name, plane in zip(("CD4", "CD20", "Vimentin"), planes[:3], strict=True):
        tifffile.imwrite(home / f"{name}.tif", plane)
    (folder / "fields" / "masks").mkdir()
    tifffile.imwrite(folder / "fields" / "masks" / "fov1_whole_cell.tif", planes[3])
    return home


def by_tifffile_per_channel(path: Path) -> Sequence[Levels]:
    """Return the TIFFs of a folder as the channels of one image, numbers in names by their value; then its masks."""
    import tifffile

    files = (path / "TIFs" if (path / "TIFs").is_dir() else path).glob("*.tif*")
    ordered = sorted(files, key=lambda file: re.sub("[0-9]+", lambda number: number[0].zfill(9), file.stem.lower()))
    masks = sorted((path.parent / "masks").glob(f"{path.name}_*.tif"))
    labels = [[tifffile.imread(mask)[None, None, None]] for mask in masks]
    return [[np.stack([tifffile.imread(file) for file in ordered])[None, :, None]], *labels]


def by_tifffile_per_time(path: Path) -> Sequence[Levels]:
    """Return the TIFFs beside a file, sorted by name, as the time points of one image."""
    import tifffile

    return [[np.stack([tifffile.imread(file) for file in sorted(path.parent.glob("*.tif*"))])[:, None, None]]]


def by_tifffile_per_step(path: Path) -> Sequence[Levels]:
    """Return the slices of an ImageXpress site: one folder each, thumbnails apart from images."""
    import tifffile

    is_thumbnail = "_thumb" in path.name
    slices = {}
    for folder in path.parent.parent.glob("ZStep_*"):
        (slices[int(folder.name.removeprefix("ZStep_"))],) = (
            file for file in folder.glob("*_w1*.tif") if ("_thumb" in file.name) == is_thumbnail
        )
    return [[canonical(np.stack([tifffile.imread(slices[step]) for step in sorted(slices)]), "ZYX")]]


MODULO = Written("tifffile", modulo)
LARGE = Written("tifffile", imagej_beyond_4_gib)
SCANIMAGE = Written("tifffile", scanimage)
NDTIFF = Written("ndstorage", ndtiff)
FIELD = Written("tifffile", field)
