"""Small HDF5 files in the layout of Imaris 5.5, written by h5py, with the pixels they hold."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def make_imaris(folder: Path) -> dict[Path, list[Array]]:
    """Write the files and return their images as T, C, Z, Y, X."""
    dice = np.random.default_rng(17)
    made: dict[Path, list[Array]] = {}
    for name, dtype, shape in (
        ("one.ims", "u1", (1, 1, 1, 20, 30)),
        ("stack.ims", "u2", (2, 2, 5, 20, 22)),
        ("float.ims", "f4", (1, 3, 4, 17, 16)),
    ):
        pixels = dice.integers(0, 250, shape).astype(dtype)
        made[write(folder / name, pixels)] = [pixels]
    return made


def write(path: Path, pixels: Array) -> Path:
    """Write pixels of shape T, C, Z, Y, X, with a second level of half the size."""
    with h5py.File(path, "w") as file:
        info = file.create_group("DataSetInfo")
        z, y, x = pixels.shape[2:]
        image = {"X": x, "Y": y, "Z": z, "Unit": "um", "Name": "made up", "RecordingDate": "2022-05-06 07:08:09.000"}
        extents = {
            "ExtMin0": 10,
            "ExtMax0": 10 + x * 0.5,
            "ExtMin1": 0,
            "ExtMax1": y * 0.5,
            "ExtMin2": -z,
            "ExtMax2": z,
        }
        _describe(info, "Image", image | extents)
        times = {f"TimePoint{t + 1}": f"2022-05-06 07:08:{9 + 2 * t:02}.000" for t in range(len(pixels))}
        _describe(info, "TimeInfo", {"DatasetTimePoints": len(pixels), **times})
        for c in range(pixels.shape[1]):
            channel = {"Name": f"dye {c}", "Color": "0.000 1.000 0.502", "LSMExcitationWavelength": 488 + c}
            _describe(info, f"Channel {c}", channel)
        for level, step in enumerate((1, 2)):
            for t, time in enumerate(pixels):
                for c, volume in enumerate(time):
                    group = file.create_group(f"DataSet/ResolutionLevel {level}/TimePoint {t}/Channel {c}")
                    _write_volume(group, volume[:, ::step, ::step])
    return path


def _write_volume(group: Any, volume: Array) -> None:
    """Write blocks of 2 x 16 x 16; what goes beyond the image is filled with rubbish."""
    padded = [-(-length // block) * block for length, block in zip(volume.shape, (2, 16, 16), strict=True)]
    stored = np.full(padded, 199, volume.dtype)
    stored[tuple(slice(length) for length in volume.shape)] = volume
    group.create_dataset("Data", data=stored, chunks=(2, 16, 16), compression="gzip", fletcher32=True)
    for axis, length in zip("ZYX", volume.shape, strict=True):
        group.attrs[f"ImageSize{axis}"] = _letters(length)


def _describe(info: Any, name: str, keys: dict[str, Any]) -> None:
    group = info.create_group(name)
    for key, value in keys.items():
        group.attrs[key] = _letters(value)


def _letters(value: Any) -> Array:
    return np.frombuffer(str(value).encode(), "S1")
