"""DICOM series of one file per slice, and enhanced images of many frames, written by pydicom."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from tests.readers.generate_dicom import Array, write

ALONG_Z = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def write_series(
    folder: Path,
    pixels: Array,
    distances: Sequence[float],
    *,
    series: str = "1",
    orientation: Sequence[float] = ALONG_Z,
    shuffle: bool = True,
    **more: Any,
) -> list[Path]:
    """Write slices of shape Z, Y, X, each at its distance in mm along the normal, and return them in that order.

    File names and instance numbers tell another order where ``shuffle`` is set.
    """
    folder.mkdir(parents=True, exist_ok=True)
    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    normal = np.cross(row, column)
    numbers = np.random.default_rng(len(pixels)).permutation(len(pixels)) if shuffle else np.arange(len(pixels))
    made = []
    for plane, distance, number in zip(pixels, distances, numbers, strict=True):
        start = np.array([-10.0, 5.0, 3.0]) + distance * normal
        values = {
            "SeriesInstanceUID": generate_uid(entropy_srcs=["series", series]),
            "SOPInstanceUID": generate_uid(entropy_srcs=[series, str(number), str(orientation)]),
            "SeriesDescription": f"Series {series}",
            "InstanceNumber": int(number) + 1,
            "ImagePositionPatient": [f"{value:.8f}" for value in start],
            "ImageOrientationPatient": [f"{value:.8f}" for value in orientation],
            "PixelSpacing": [0.5, 0.25],
            **{key: value(int(number)) if callable(value) else value for key, value in more.items()},
        }
        made.append(write(folder / f"{series}_{number:04}.dcm", plane[None], **values))
    return made


def write_enhanced(path: Path, pixels: Array, distances: Sequence[float], times: Sequence[int]) -> Path:
    """Write one file of many frames, each of which says where it is and at which time."""
    frames = []
    for distance, time in zip(distances, times, strict=True):
        frame, place, content = Dataset(), Dataset(), Dataset()
        place.ImagePositionPatient = [0.0, 0.0, distance]
        content.TemporalPositionIndex = time
        frame.PlanePositionSequence, frame.FrameContentSequence = [place], [content]
        frames.append(frame)
    shared, direction, measures = Dataset(), Dataset(), Dataset()
    direction.ImageOrientationPatient = list(ALONG_Z)
    measures.PixelSpacing = [0.5, 0.25]
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = [direction], [measures]
    return write(path, pixels, PerFrameFunctionalGroupsSequence=frames, SharedFunctionalGroupsSequence=[shared])


def make_series(folder: Path) -> dict[Path, list[Array]]:
    """Write a few sets and return their images as T, C, Z, Y, X."""
    dice = np.random.default_rng(9)
    volume = dice.integers(0, 4000, (5, 12, 10)).astype("i2")
    oblique = (0.8, 0.6, 0.0, -0.6, 0.8, 0.0)
    other = dice.integers(0, 4000, (4, 9, 11)).astype("u2")
    made = {write_series(folder / "ct", volume, [0, 2, 4, 6, 8])[0]: [volume[None, None]]}
    made[write_series(folder / "mr", other, [3, 2, 1, 0], series="2", orientation=oblique)[0]] = [
        other[None, None, ::-1]
    ]
    frames = dice.integers(0, 4000, (6, 8, 9)).astype("u2")
    path = write_enhanced(folder / "enhanced.dcm", frames, [4, 2, 0, 4, 2, 0], [1, 1, 1, 2, 2, 2])
    made[path] = [np.stack([frames[2::-1], frames[:2:-1]])[:, None]]
    return made
