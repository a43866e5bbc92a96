"""Multiplexed tissue: tumour nests in stroma with immune cells; images, cell masks and a cell table that agree."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coverslip.demo import optics
from coverslip.demo.optics import Plane
from coverslip.demo.texture import Oval, depth, fill, nearest_label, scatter, streaks

SIZE = 512
PIXEL_UM = 0.5
MARKERS = ("DAPI", "CD45", "PanCK", "Ki67", "Vimentin")
KINDS = ("tumour", "proliferating tumour", "immune", "stroma")


@dataclass(frozen=True, slots=True)
class CellRow:
    """One line of the cell table; pixels of the full image."""

    label: int
    centroid_y: float
    centroid_x: float
    area: int
    means: tuple[float, ...]
    """Mean grey level of every marker over the cell."""
    cluster: str


@dataclass(frozen=True, slots=True)
class FieldOfView:
    """One field of view."""

    images: NDArray[np.uint16]
    """C, Y, X in the order of ``MARKERS``."""
    cells: NDArray[np.int32]
    """Y, X; 0 is background, every other number one cell."""
    table: tuple[CellRow, ...]


def field_of_view(seed: int, nests: float) -> FieldOfView:
    """Return a field of tissue.

    Parameters
    ----------
    seed
        Which one.
    nests
        How much of it is tumour: higher is less, 0 is about half.
    """
    random = np.random.default_rng(seed)
    epithelium = optics.noise((SIZE, SIZE), 42, random) + 0.2 * optics.noise((SIZE, SIZE), 9, random) - nests
    angle = _fibre_direction(epithelium, random)
    ovals, kinds = _place(epithelium, angle, random)
    nuclei = np.zeros((SIZE, SIZE), np.int32)
    fill(nuclei, ovals, range(1, len(ovals) + 1))
    kind = np.array([-1, *kinds])
    cells = _grow(nuclei, kind)
    nuclei[cells != nuclei] = 0
    images = _stain(nuclei, cells, kind, epithelium, angle, random)
    cells, old = _renumber(cells)
    return FieldOfView(images, cells, measure(images, cells, [KINDS[kind[label]] for label in old]))


def measure(images: NDArray[np.uint16], cells: NDArray[np.int32], clusters: Sequence[str]) -> tuple[CellRow, ...]:
    """Return the table of a label image: labels 1 to N, all present, with the cluster of each in this order."""
    flat = cells.ravel()
    area = np.bincount(flat)[1:]
    y, x = np.mgrid[0 : cells.shape[0], 0 : cells.shape[1]]
    center_y, center_x = (np.bincount(flat, weights=axis.ravel())[1:] / area for axis in (y, x))
    means = np.stack([np.bincount(flat, weights=image.ravel())[1:] / area for image in images], axis=-1)
    return tuple(
        CellRow(i + 1, float(center_y[i]), float(center_x[i]), int(area[i]), tuple(means[i].tolist()), cluster)
        for i, cluster in enumerate(clusters)
    )


def _fibre_direction(epithelium: Plane, random: np.random.Generator) -> Plane:
    """Return the direction of fibres: along the borders of the nests, wavering."""
    slope_y, slope_x = np.gradient(optics.blur(epithelium, 14))
    direction: Plane = np.arctan2(slope_x, -slope_y) + 0.35 * optics.noise((SIZE, SIZE), 20, random)
    return direction


def _place(epithelium: Plane, angle: Plane, random: np.random.Generator) -> tuple[list[Oval], list[int]]:
    """Return the nuclei and the kind of each, as an index into ``KINDS``."""
    crowd = optics.noise((SIZE, SIZE), 34, random)
    taken = np.zeros((SIZE, SIZE), np.uint8)
    tumour = np.where(epithelium > 0.1, 13.5, 0).astype(np.float32)
    immune = np.where((epithelium < 0) & (crowd > 0.15), 9.5, 0).astype(np.float32)
    immune[(immune == 0) & (random.random((SIZE, SIZE)) < 0.03)] = 9.5
    stroma = np.where(epithelium < 0, 17, 0).astype(np.float32)
    ovals: list[Oval] = []
    kinds: list[int] = []
    for spacing, kind, tries in ((tumour, 0, 14_000), (immune, 2, 14_000), (stroma, 3, 9_000)):
        for y, x in scatter(spacing, tries, random, taken):
            along = float(angle[int(y), int(x)])
            long, short, turn = _nucleus_shape(kind, along, random)
            dividing = kind == 0 and random.random() < 0.24
            ovals.append(Oval(float(y), float(x), long, short, turn))
            kinds.append(1 if dividing else kind)
    return ovals, kinds


def _nucleus_shape(kind: int, along: float, random: np.random.Generator) -> tuple[float, float, float]:
    if kind == 3:
        return random.uniform(7.5, 11), random.uniform(2.4, 3.6), along + random.normal(0, 0.2)
    if kind == 2:
        size = random.uniform(3.9, 4.9)
        return size, size * random.uniform(0.85, 1), random.uniform(0, np.pi)
    size = random.uniform(6.2, 8.6)
    return size, size * random.uniform(0.66, 0.92), random.uniform(0, np.pi)


def _grow(nuclei: NDArray[np.int32], kind: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return whole cells: every pixel belongs to the nearest nucleus, up to the width of that kind's cytoplasm."""
    label, distance = nearest_label(nuclei)
    reach = np.array([7.5, 7.5, 2.6, 3.6])[kind[label]]
    return np.where(distance <= reach, label, 0).astype(np.int32)


def _stain(
    nuclei: NDArray[np.int32],
    cells: NDArray[np.int32],
    kind: NDArray[np.int64],
    epithelium: Plane,
    angle: Plane,
    random: np.random.Generator,
) -> NDArray[np.uint16]:
    """Return what the camera sees of every marker: C, Y, X."""
    count = len(kind)
    inside = (nuclei > 0).astype(np.float32)
    shape = (SIZE, SIZE)
    what = np.where(cells > 0, kind[cells], -1)
    rim = np.exp(-((depth(cells) / 1.5) ** 2)) * (cells > 0)
    chromatin = inside * np.exp(0.28 * optics.noise(shape, 1.6, random)) * random.gamma(14, 1 / 14, count)[cells]
    chromatin *= np.array([0.8, 0.95, 1.25, 0.9, 0])[what]
    own = random.gamma(5, 1 / 5, count)[cells]
    cd45 = (rim + 0.22 * (1 - inside)) * (what == 2) * own
    keratin = ((what == 0) | (what == 1)) * (0.35 + 0.55 * rim + 0.25 * np.abs(optics.noise(shape, 1.8, random)))
    keratin *= (1 - 0.72 * optics.blur(inside, 0.8)) * own
    proliferation = random.gamma(2.5, 0.4, count)[cells]
    spots = np.clip(0.75 + 0.5 * optics.noise(shape, 1.4, random), 0, None)
    ki67 = inside * proliferation * spots * np.array([0.02, 1, 0.09, 0.03, 0])[what]
    fibres = np.clip(streaks(optics.noise(shape, 1.1, random), angle, 11) - 0.15, 0, None)
    ground = optics.blur((epithelium < 0).astype(np.float32), 2.5)
    vimentin = 0.55 * fibres * ground * (1 - 0.8 * inside) + 0.6 * (what == 3) * (1 - 0.6 * inside) * own
    vimentin += 0.25 * (what == 2) * rim
    light = optics.shading(shape, random, 0.18)
    planes = [
        (chromatin, 480, 1.0, 0.3),
        (cd45, 330, 0.9, 0.15),
        (keratin, 300, 0.9, 0.2),
        (ki67, 300, 1.0, 0.12),
        (vimentin, 220, 0.9, 0.2),
    ]
    stained = []
    for plane, photons, sigma, haze in planes:
        field = plane.astype(np.float32)
        seen = optics.blur(field, sigma) * (1 - haze) + optics.blur(field, 12) * haze
        stained.append(optics.camera((seen * photons + 5) * light, random))
    return np.stack(stained)


def _renumber(cells: NDArray[np.int32]) -> tuple[NDArray[np.int32], list[int]]:
    """Return the label image with labels 1 to N in reading order, and the old label of each."""
    old, first, new = np.unique(cells, return_index=True, return_inverse=True)
    order = np.argsort(np.where(old == 0, -1, first))
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rank[new].reshape(cells.shape).astype(np.int32), [int(old[i]) for i in order[1:]]
