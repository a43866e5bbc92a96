"""Points as every format gives them, and what a configuration may say about reading them."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from coverslip.cryoet.files import MOST_POINTS
from coverslip.errors import InvalidRequestError, ReadError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Wholes = NDArray[np.int64]

PointShape = Literal["Point", "OrientedPoint", "InstanceSegmentation"]
POINT_SHAPES: tuple[PointShape, ...] = ("Point", "OrientedPoint", "InstanceSegmentation")


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Points of one annotation. The arrays cannot be written to."""

    shape: PointShape
    """What they are: ``OrientedPoint`` has rotations, ``InstanceSegmentation`` has instance ids."""
    coordinates: "Floats"
    """Shape (n, 3), float64: x, y, z in voxels of the tomogram, 0 at the origin that the source counts from."""
    rotations: "Floats | None" = None
    """Shape (n, 3, 3), float64: each takes the particle's axes x, y, z to those of the tomogram."""
    instance_ids: "Wholes | None" = None
    """Shape (n,), int64: the object that each point belongs to."""

    def __post_init__(self) -> None:
        count = len(self.coordinates)
        expected = (
            ("coordinates", self.coordinates, (count, 3), np.float64, True),
            ("rotations", self.rotations, (count, 3, 3), np.float64, self.shape == "OrientedPoint"),
            ("instance_ids", self.instance_ids, (count,), np.int64, self.shape == "InstanceSegmentation"),
        )
        for name, array, shape, dtype, there in expected:
            if (array is not None) != there:
                raise InvalidRequestError(f"{self.shape} {'needs' if there else 'has no'} {name}")
            if array is None:
                continue
            if array.shape != shape or array.dtype != dtype:
                raise InvalidRequestError(f"{name} have the shape {array.shape} {array.dtype}, not {shape}")
            if not np.isfinite(array).all():
                raise InvalidRequestError(f"{name} hold what is no finite number")
            array.flags.writeable = False

    def __len__(self) -> int:
        return len(self.coordinates)

    @property
    def object_count(self) -> int:
        """How many objects they are: distinct ids of an instance segmentation, points of any other shape."""
        return len(self) if self.instance_ids is None else len(np.unique(self.instance_ids))


@dataclass(frozen=True, slots=True)
class Options:
    """What a configuration says about reading points."""

    binning: float = 1.0
    """Coordinates of the source are divided by it: its pixels, or its angstroms, for one voxel of the tomogram."""
    order: str = "xyz"
    """The axes in the order in which the source has them."""
    delimiter: str = ","
    """Between the columns of a table; a space stands for any number of spaces and tabs."""
    filter_value: str | None = None
    """Only what belongs to the tomogram of this name or number; ``None`` is everything."""

    def __post_init__(self) -> None:
        problems = []
        if not 0 < self.binning < float("inf"):
            problems.append(f"binning: expected a number above 0, found {self.binning!r}")
        if sorted(self.order) != ["x", "y", "z"]:
            problems.append(f"order: expected the letters x, y and z in any order, found {self.order!r}")
        if len(self.delimiter) != 1 or self.delimiter in "\r\n\"'":
            problems.append(f"delimiter: expected one character, found {self.delimiter!r}")
        if problems:
            raise InvalidRequestError("these points cannot be read as asked", problems)


def as_asked(
    path: Path,
    shape: PointShape,
    options: Options,
    coordinates: "Floats",
    *,
    rotations: "Floats | None" = None,
    instance_ids: "Wholes | None" = None,
) -> Points:
    """Return points in x, y, z and in voxels of the tomogram.

    Parameters
    ----------
    path
        Named in errors.
    shape
        What was asked for; rotations and ids that it has no place for are left out.
    options
        Order and binning.
    coordinates
        Shape (n, 3), in the order and unit of the source.
    rotations
        Shape (n, 3, 3), between axes in the order of the source.
    instance_ids
        Shape (n,).

    Raises
    ------
    ReadError
        There are too many, or binning makes one infinite.
    """
    if len(coordinates) > MOST_POINTS:
        raise ReadError(f"{path}: {len(coordinates):,} points are too many; {MOST_POINTS:,} may be")
    places = [options.order.index(axis) for axis in "xyz"]
    with np.errstate(over="ignore"):
        # 0.0 is added so that no zero has a sign
        voxels = np.asarray(coordinates, np.float64).reshape(-1, 3)[:, places] / options.binning + 0.0
    if not np.isfinite(voxels).all():
        raise ReadError(f"{path}: with a binning of {options.binning} a coordinate has no finite value")
    turned = rotations is not None and shape == "OrientedPoint"
    return Points(
        shape,
        voxels,
        np.ascontiguousarray(rotations[:, places][:, :, places] + 0.0) if turned and rotations is not None else None,
        instance_ids if shape == "InstanceSegmentation" else None,
    )


def is_of(word: str, wanted: str | None) -> bool:
    """Return whether a name or number in a file is the one that was asked for; ``001`` and ``1.0`` are one number."""
    if wanted is None or word == wanted:
        return True
    try:
        return float(word) == float(wanted)
    except ValueError:
        return False
