"""What is in each tomogram of the example deposition, and where: vesicles, microtubules and ribosomes.

A scene is the same at every size: places are fractions of the tomogram, and lengths scale with its shortest side. At
256 voxels and 10 angstrom they are those of a cell; smaller tomograms show the same things too small.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coverslip.demo.tomogram import rotation

USUAL_SIDE = 256
"""Where lengths below are voxels."""
LEAFLET = 2.2
"""Half of the distance between the two lines of a membrane."""
MEMBRANE = 3.6
"""Half of the thickness of a membrane as the masks have it."""
TUBE = 12.0
"""Radius of a microtubule."""
REACH = 14.5
"""Radius of a ribosome."""
RIBOSOMES = 28
TUBE_POINTS = 24

type Floats = NDArray[np.float64]
type Shape = tuple[int, int, int]
"""Z, Y, X in voxels."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the deposition."""

    name: str
    dataset: str
    voxel_angstrom: float
    """Of its tomogram, and of a pixel of its tilt series."""
    seed: int

    @property
    def is_first(self) -> bool:
        """Whether it belongs to the first dataset, which the later deposition annotates."""
        return self.dataset == DATASETS[0]

    @property
    def folder(self) -> str:
        """Its place below the ``source_prefix``."""
        return f"{self.dataset}/{self.name}"


DATASETS = ("90101", "90102")
RUNS = (
    *(Run(f"TS_0{n}", DATASETS[0], 10.0, n) for n in (1, 2, 3)),
    *(Run(f"TS_1{n}", DATASETS[1], 13.48, 10 + n) for n in (1, 2, 3)),
)
UNALIGNED = "TS_03"
"""The run that comes without an alignment."""


@dataclass(frozen=True, slots=True, eq=False)
class Vesicle:
    """An ellipsoid of membrane."""

    center: Floats
    """Shape (3,): x, y, z in voxels."""
    half_axes: Floats
    """Shape (3,): x, y, z in voxels, to the middle of the membrane."""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What is in one tomogram. Places are x, y, z in voxels; a whole number is the middle of a voxel."""

    shape: Shape
    unit: float
    """Voxels for one where lengths are those of a cell."""
    vesicles: tuple[Vesicle, ...]
    tubes: tuple[Floats, ...]
    """Of each microtubule, points along its axis: shape (24, 3)."""
    ribosomes: Floats
    """Shape (n, 3)."""
    angles: Floats
    """Of each ribosome, RELION's rot, tilt and psi in degrees: shape (n, 3)."""

    @property
    def rotations(self) -> Floats:
        """Of each ribosome, what takes its own axes x, y, z to those of the tomogram: shape (n, 3, 3).

        RELION's matrix is the transpose of ``Rz(rot) Ry(tilt) Rz(psi)``, which is ``Rz(-psi) Ry(-tilt) Rz(-rot)``.
        """
        turned = [rotation((-rot, -tilt, -psi)) for rot, tilt, psi in self.angles]
        return np.array(turned, np.float64)[:, ::-1, ::-1].reshape(-1, 3, 3)


def scene_of(run: Run, shape: Shape) -> Scene:
    """Return what is in the tomogram of a run.

    Parameters
    ----------
    run
        One of ``RUNS``.
    shape
        Z, Y, X in voxels, each 16 or more.
    """
    random = np.random.default_rng(run.seed)
    size = np.array(shape[::-1], float)
    unit = min(shape) / USUAL_SIDE
    mirrored = random.integers(0, 2, 3).astype(bool)

    def place(x: float, y: float, z: float) -> Floats:
        fractions = np.array([x, y, z]) + random.uniform(-0.02, 0.02, 3)
        found: Floats = np.round(np.where(mirrored, 1 - fractions, fractions) * (size - 1), 2)
        return found

    def vesicle(center: tuple[float, float, float], radius: float) -> Vesicle:
        return Vesicle(place(*center), np.round(radius * unit * random.uniform(0.92, 1.08, 3), 2))

    vesicles = (
        vesicle((0.34, 0.36, 0.50), 54),
        vesicle((0.72, 0.68, 0.46), 34),
        vesicle((0.78, 0.27, 0.60), 24),
    )
    tubes = tuple(_tube(place(0.5, *across), size, unit, random) for across in ((0.88, 0.40), (0.75, 0.78)))
    ribosomes = _ribosomes(vesicles, tubes, size, unit, random)
    tilts = np.degrees(np.arccos(random.uniform(-1, 1, len(ribosomes))))
    turns = random.uniform(-180, 180, (2, len(ribosomes)))
    return Scene(shape, unit, vesicles, tubes, ribosomes, np.round(np.stack([turns[0], tilts, turns[1]], axis=1), 2))


def _tube(middle: Floats, size: Floats, unit: float, random: np.random.Generator) -> Floats:
    """Return a gently bent line through the whole tomogram along x."""
    along = np.linspace(0.02, 0.98, TUBE_POINTS) * (size[0] - 1)
    off = (along - middle[0]) / size[0]
    bend, slope = random.uniform(-14, 14, 2) * unit
    y, z = middle[1] + bend * off**2, middle[2] + slope * off
    return np.round(np.stack([along, y, z], axis=1), 2)


def _ribosomes(
    vesicles: tuple[Vesicle, ...], tubes: tuple[Floats, ...], size: Floats, unit: float, random: np.random.Generator
) -> Floats:
    """Return centres outside the vesicles, beside the microtubules and apart from each other."""
    found: list[Floats] = []
    for candidate in np.round(random.uniform(0, 1, (1500, 3)) * (size - 1), 2):
        is_inside = ((candidate > 18 * unit) & (candidate < size - 1 - 18 * unit)).all()
        is_outside = all(
            np.linalg.norm((candidate - one.center) / (one.half_axes + (REACH + 5) * unit)) > 1 for one in vesicles
        )
        is_beside = all(np.linalg.norm(tube - candidate, axis=1).min() > (TUBE + REACH + 4) * unit for tube in tubes)
        is_apart = all(np.linalg.norm(other - candidate) > (2 * REACH + 2) * unit for other in found)
        if is_inside and is_outside and is_beside and is_apart:
            found.append(candidate)
        if len(found) == RIBOSOMES:
            break
    return np.array(found).reshape(-1, 3)
