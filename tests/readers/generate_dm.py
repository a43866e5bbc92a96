"""DM3 and DM4 files, written by nionswift-io, with the pixels they hold."""

from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from nion.data import DataAndMetadata
from nion.data.Calibration import Calibration
from nion.io.DM_IO.dm3_image_utils import save_image

Array = np.ndarray[Any, np.dtype[Any]]

BLUE_FIRST = [2, 1, 0]
"""The writer stores colours in the order in which it gets them, the program reads them as blue, green, red."""


def write(
    path: Path,
    pixels: Array,
    *,
    calibrations: tuple[tuple[float, float, str], ...] = (),
    collection: int = 0,
    sequence: bool = False,
    intensity: tuple[float, float, str] = (1.0, 0.0, ""),
    metadata: dict[str, Any] | None = None,
) -> Path:
    """Write an array with a calibration (scale, offset, unit) for each axis, slowest first.

    The first ``collection`` axes are where spectra or patterns were taken.
    """
    datum = pixels.ndim - collection - sequence - (pixels.dtype == np.uint8 and pixels.shape[-1] == 3)
    made = DataAndMetadata.new_data_and_metadata(
        pixels,
        dimensional_calibrations=[Calibration(offset, scale, unit) for scale, offset, unit in calibrations] or None,
        intensity_calibration=Calibration(intensity[1], intensity[0], intensity[2]),
        data_descriptor=DataAndMetadata.DataDescriptor(sequence, collection, datum),
        metadata=metadata or {},
        timestamp=datetime(2021, 3, 4, 5, 6, 7),
    )
    with path.open("wb") as stream:
        save_image(made, stream, 4 if path.suffix == ".dm4" else 3)
    return path


def make_dm(folder: Path) -> dict[Path, list[Array]]:
    """Write the files and return their images as T, C, Z, Y, X (and S)."""
    dice = np.random.default_rng(12)
    made: dict[Path, list[Array]] = {}

    def numbers(dtype: str, *shape: int) -> Array:
        top = min(4000, int(np.iinfo(dtype).max)) if dtype.startswith(("i", "u")) else 4000
        values = dice.integers(0, top, shape).astype(dtype)
        return values * (1 + 2j) if dtype.startswith("c") else values

    for ending in ("dm3", "dm4"):
        for dtype in ("uint16", "int16", "int32", "uint32", "float32", "float64", "complex64", "complex128"):
            pixels = numbers(dtype, 13, 17).astype(dtype)
            made[write(folder / f"{dtype}.{ending}", pixels)] = [pixels[None, None, None]]
        stack = numbers("uint16", 4, 13, 17)
        made[write(folder / f"stack.{ending}", stack, collection=1)] = [stack[None, None]]
        colors = numbers("uint8", 13, 17, 3)
        made[write(folder / f"colors.{ending}", colors)] = [colors[None, None, None][..., BLUE_FIRST]]
        spectra = numbers("float32", 5, 6, 40)  # places first, as everybody but the file has them
        path = write(
            folder / f"spectra.{ending}",
            spectra,
            collection=2,
            calibrations=((2.0, 0.0, "nm"), (2.0, 0.0, "nm"), (0.5, 100.0, "eV")),
        )
        made[path] = [np.moveaxis(spectra, 2, 0)[None, :, None]]
        patterns = numbers("uint16", 2, 3, 9, 8)
        made[write(folder / f"patterns.{ending}", patterns, collection=2)] = [patterns[:, None]]
    return made
