"""How the peers do it, as their own documentation says."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray

from benchmarks.contest import Tiles


def by_pages(path: Path) -> NDArray[Any]:
    """Return the maximum projection of a TIFF, page by page with tifffile."""
    with tifffile.TiffFile(path) as file:
        top = file.pages[0].asarray()
        for page in file.pages[1:]:
            np.maximum(top, page.asarray(), out=top)
    return top


def shown(plane: NDArray[Any]) -> NDArray[np.uint8]:
    """Return a plane as a small grey picture: area means, percentiles, 8 bits."""
    small = cv2.resize(plane, (256, 256), interpolation=cv2.INTER_AREA).astype(np.float32)
    low, high = np.percentile(small, (1, 99.8))
    return np.asarray(np.clip((small - low) / (high - low) * 255, 0, 255), np.uint8)


def bioio(path: Path) -> Any:
    """Return a file opened by bioio."""
    from bioio import BioImage  # noqa: PLC0415

    return BioImage(path)


def bioio_tile(path: Path, side: int) -> Tiles:
    """Return what reads a tile out of a lazy array of bioio."""
    lazy = bioio(path).get_image_dask_data("ZYX")
    return lambda z, y, x: lazy[z, y : y + side, x : x + side].compute()


def vips(path: Path) -> object:
    """Return the maximum projection of a TIFF by pyvips."""
    import pyvips  # noqa: PLC0415

    top = pyvips.Image.new_from_file(str(path), page=0)
    for page in range(1, top.get("n-pages")):
        top = (top > (other := pyvips.Image.new_from_file(str(path), page=page))).ifthenelse(top, other)
    return top.numpy()


def large_image_tile(path: Path, side: int) -> Tiles:
    """Return what reads a tile with large_image."""
    import large_image  # noqa: PLC0415

    source = large_image.open(path)

    def read(z: int, y: int, x: int) -> object:
        region = {"left": x, "top": y, "width": side, "height": side}
        return source.getRegion(region=region, frame=z, format=large_image.constants.TILE_FORMAT_NUMPY)

    return read
