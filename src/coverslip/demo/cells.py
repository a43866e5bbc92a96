"""Cultured cells at high magnification: chromatin, microtubules and actin in three dimensions."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from coverslip.demo import optics
from coverslip.demo.filaments import Points, Steer, look_up, splat, walk
from coverslip.demo.mitosis import Dividing
from coverslip.demo.optics import Plane, Volume

SLICES, SIZE = 24, 512
PIXEL_UM, STEP_UM = 0.132, 0.35
FLOOR = 3.0
"""Slice in which the cells touch the cover glass."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One spread cell; pixels, slices, radians."""

    center: Points
    nucleus: Points
    half_axes: tuple[float, float, float]
    """Of the nucleus: along its long axis, across it, in z."""
    angle: float
    radius: float
    """Of the whole cell."""


def hela_stack(seed: int = 11) -> NDArray[np.uint16]:
    """Return chromatin, microtubules and actin of cultured cells, one of them dividing: C, Z, Y, X."""
    random = np.random.default_rng(seed)
    dividing = Dividing(np.array([318.0, 180.0], np.float32), 0.6)
    cells = _scatter(dividing, random)
    label, edge = _territories(cells, dividing, random)
    nuclei = np.stack([_nucleus(cell, random) for cell in cells])
    height = _height(edge, nuclei)
    shape = (SLICES, SIZE, SIZE)
    dna = _chromatin(cells, nuclei, random)
    tubulin, actin = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for i, cell in enumerate(cells):
        inside = (label == i).astype(np.uint8)
        _microtubules(tubulin, cell, inside, nuclei[i], height, random)
        _stress_fibres(actin, cell, inside, random)
    _cortex(actin, label, edge, height, random)
    dividing.add(dna, tubulin, actin, random)
    light = optics.shading((SIZE, SIZE), random)
    recorded = [
        optics.camera((optics.widefield(volume, haze=haze) * brightness + veil) * light, random)
        for volume, haze, brightness, veil in (
            (dna, 0.25, 330, 5),
            (tubulin, 0.3, 420, 7),
            (actin, 0.25, 420, 7),
        )
    ]
    return np.stack(recorded)


def _scatter(dividing: Dividing, random: np.random.Generator) -> list[Cell]:
    """Return cells at comfortable distances, some of them cut by the border of the field."""
    taken = [dividing.center]
    for _ in range(4000):
        place = random.uniform(-70, SIZE + 70, 2).astype(np.float32)
        if all(np.linalg.norm(place - other) > (150 if other is dividing.center else 185) for other in taken):
            taken.append(place)
    cells = []
    for center in taken[1:]:
        nucleus = center + random.normal(0, 9, 2).astype(np.float32)
        axes = random.uniform(54, 66), random.uniform(41, 50), random.uniform(6.2, 7.8)
        cells.append(Cell(center, nucleus, axes, random.uniform(0, np.pi), random.uniform(128, 160)))
    return cells


def _territories(
    cells: Sequence[Cell], dividing: Dividing, random: np.random.Generator
) -> tuple[NDArray[np.int32], Plane]:
    """Return which cell covers a pixel (-1: none) and how far the next cell border is, in pixels."""
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
    far = []
    for cell in cells:
        dy, dx = y - cell.center[0], x - cell.center[1]
        along = dx * np.cos(cell.angle) + dy * np.sin(cell.angle)
        across = dy * np.cos(cell.angle) - dx * np.sin(cell.angle)
        lobes = 0.17 * optics.noise((SIZE, SIZE), 30, random) + 0.045 * optics.noise((SIZE, SIZE), 9, random)
        far.append(np.hypot(along / 1.18, across / 0.86) / cell.radius + lobes)
    distance = np.stack(far)
    label = distance.argmin(axis=0).astype(np.int32)
    label[(distance.min(axis=0) > 1) | (dividing.body(1.06) > 0.5)] = -1
    edge = np.zeros((SIZE, SIZE), np.float32)
    for i in range(len(cells)):
        inside = np.pad((label == i).astype(np.uint8), 1, mode="edge")
        edge += cv2.distanceTransform(inside, cv2.DIST_L2, 5)[1:-1, 1:-1]
    return label, edge


def _nucleus(cell: Cell, random: np.random.Generator) -> Plane:
    """Return the relative distance from the centre of a nucleus: below 1 inside, in the plane."""
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
    dy, dx = y - cell.nucleus[0], x - cell.nucleus[1]
    along = dx * np.cos(cell.angle) + dy * np.sin(cell.angle)
    across = dy * np.cos(cell.angle) - dx * np.sin(cell.angle)
    around = np.arctan2(across, along)
    outline = np.ones_like(around)
    for k in range(2, 7):
        outline += random.normal(0, 0.055 / k) * np.cos(k * around + random.uniform(0, 2 * np.pi))
    relative: Plane = np.hypot(along / cell.half_axes[0], across / cell.half_axes[1]) / outline
    return relative


def _height(edge: Plane, nuclei: NDArray[np.float32]) -> Plane:
    """Return how thick the cells are, in slices: a thin rim that rises towards the nuclei."""
    rim = 1.2 + 6 * (1 - np.exp(-edge / 45))
    over = 15 * np.exp(-((nuclei.min(axis=0) / 1.15) ** 4))
    return optics.blur(np.maximum(rim, over).astype(np.float32), 5)


def _chromatin(cells: Sequence[Cell], nuclei: NDArray[np.float32], random: np.random.Generator) -> Volume:
    """Return DNA: patchy, denser along the envelope, with dark nucleoli."""
    z = np.arange(SLICES, dtype=np.float32)[:, None, None]
    volume = np.zeros((SLICES, SIZE, SIZE), np.float32)
    for cell, flat in zip(cells, nuclei, strict=True):
        rows, columns = (np.flatnonzero((flat < 1.15).any(axis=axis)) for axis in (1, 0))
        if not len(rows):
            continue
        box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        inner = flat[box]
        tall = np.abs(z - (FLOOR + cell.half_axes[2])) / cell.half_axes[2]
        deep = (inner**2.4 + tall**2.4) ** (1 / 2.4)
        shape = (SLICES, *inner.shape)
        fine = optics.blur_volume(optics.noise(shape, 1.7, random), 0, 0.9)
        patchy = optics.blur_volume(optics.noise(shape, 5, random), 0, 1.6)
        dense = np.exp(0.42 * fine / fine.std() + 0.3 * patchy / patchy.std())
        dense += 0.9 * np.exp(-(((deep - 0.95) / 0.05) ** 2))
        for _ in range(random.integers(2, 5)):
            dense *= _nucleolus(cell, box, z, random)
        volume[:, *box] += 0.6 * dense / (1 + np.exp((deep - 1) / 0.02)) * random.uniform(0.75, 1.25)
    return volume


def _nucleolus(cell: Cell, box: tuple[slice, slice], z: Volume, random: np.random.Generator) -> Volume:
    """Return the factor that darkens the chromatin inside a nucleolus and brightens its rim."""
    place = cell.nucleus + random.uniform(-0.42, 0.42, 2) * cell.half_axes[1]
    size = random.uniform(7, 12)
    y, x = np.mgrid[box].astype(np.float32)
    height = FLOOR + cell.half_axes[2] * random.uniform(0.8, 1.2)
    away = np.sqrt((y - place[0]) ** 2 + (x - place[1]) ** 2 + ((z - height) * STEP_UM / PIXEL_UM) ** 2) / size
    factor: Volume = 1 - 0.82 / (1 + np.exp((away - 1) / 0.08)) + 0.3 * np.exp(-(((away - 1.15) / 0.12) ** 2))
    return factor


def _microtubules(
    volume: Volume,
    cell: Cell,
    inside: NDArray[np.uint8],
    nucleus: Plane,
    height: Plane,
    random: np.random.Generator,
) -> None:
    """Add microtubules that grow from the centrosome, bend along the cell border and go around the nucleus."""
    count = 300
    side = random.uniform(0, 2 * np.pi)
    away = np.array([np.sin(side), np.cos(side)], np.float32) * (cell.half_axes[1] + 9)
    home = cell.nucleus + away
    start = home + random.normal(0, 4, (count, 2)).astype(np.float32)
    heading = random.uniform(0, 2 * np.pi, count).astype(np.float32)
    loose = count * 11 // 20
    around = random.uniform(0, 2 * np.pi, loose)
    outward = np.stack([np.sin(around), np.cos(around)], axis=-1)
    start[:loose] = cell.nucleus + outward * random.uniform(0.9, 1.5, (loose, 1)) * cell.half_axes[0]
    heading[:loose] = around + random.normal(0, 0.8, loose)
    rim = cv2.distanceTransform(np.pad(inside, 1, mode="edge"), cv2.DIST_L2, 5)[1:-1, 1:-1]
    over = (np.arange(count) % 3 == 0).astype(np.float32)
    steer = _keep_inside(rim, nucleus, 1 - over)
    paths = walk(start, heading, 330, random, wiggle=0.012, steer=steer)
    length = random.integers(90, 330, count)
    grown = np.arange(len(paths))[:, None] < length
    room = look_up(height, paths)
    low = np.where(over > 0, random.choice([0.02, 0.97], count), random.uniform(0.05, 0.75, count))
    drift = 0.12 * np.sin(np.arange(len(paths))[:, None] / 60 + random.uniform(0, 6, count))
    z = FLOOR + room * np.clip(low + drift, 0, 1)
    splat(volume, z, paths, 0.8 * grown * (look_up(inside, paths) > 0))


def _keep_inside(rim: Plane, nucleus: Plane, avoids: NDArray[np.float32]) -> Steer:
    """Return a push away from the cell border and, for the filaments that avoid it, from the nucleus."""
    border = _slope(optics.blur(rim, 3))
    envelope = _slope(nucleus)
    envelope /= np.maximum(np.linalg.norm(envelope, axis=-1, keepdims=True), 1e-6)

    def push(place: Points) -> Points:
        from_border = 0.3 * np.clip(1 - look_up(rim, place) / 12, 0, 1)
        from_nucleus = 0.12 * np.clip((1.15 - look_up(nucleus, place)) / 0.15, 0, 1) * avoids
        pushed: Points = from_border[:, None] * look_up(border, place) + from_nucleus[:, None] * look_up(
            envelope, place
        )
        return pushed

    return push


def _slope(plane: Plane) -> Points:
    """Return the gradient at every pixel: Y, X, 2."""
    slope_y, slope_x = np.gradient(plane)
    return np.stack([slope_y, slope_x], axis=-1)


def _stress_fibres(volume: Volume, cell: Cell, inside: NDArray[np.uint8], random: np.random.Generator) -> None:
    """Add bundles of actin that run along the cell just above the cover glass."""
    places = np.argwhere(inside).astype(np.float32)
    if not len(places):
        return
    count = 12 + len(places) // 500
    middle = places[random.integers(0, len(places), count)]
    heading = random.normal(cell.angle, 0.16, count).astype(np.float32)
    reach = random.gamma(3.0, 22.0, count)
    strength = random.gamma(1.0, 0.3, count)
    for direction in (0.0, np.pi):
        paths = walk(middle, heading + np.float32(direction), 130, random, wiggle=0.003)
        within = np.logical_and.accumulate(look_up(inside, paths) > 0, axis=0)
        along = np.arange(len(paths))[:, None]
        beaded = 1 + 0.35 * np.sin(along / 3.5 + random.uniform(0, 6, count))
        weight = within * np.clip((reach - along) / 12, 0, 1) * strength * beaded
        height = FLOOR + random.uniform(0, 0.8, (1, count)) + np.zeros(within.shape)
        for _ in range(3):
            strand = paths + random.normal(0, 0.6, (1, count, 2)).astype(np.float32)
            splat(volume, height, strand, weight * 0.5)


def _cortex(volume: Volume, label: NDArray[np.int32], edge: Plane, height: Plane, random: np.random.Generator) -> None:
    """Add the actin under the membrane: bright ruffled borders, and a fine mesh on top of the cells."""
    covered = label >= 0
    ruffle = np.exp(0.6 * optics.noise((SIZE, SIZE), 12, random))
    border = np.exp(-(((edge - 1.5) / 1.6) ** 2)) * covered * ruffle
    mesh = np.exp(-((optics.noise((SIZE, SIZE), 2.2, random) / 0.22) ** 2)) * covered
    for z in range(SLICES):
        side = 1 / (1 + np.exp((z - FLOOR - height) / 0.4)) / (1 + np.exp((FLOOR - 0.6 - z) / 0.2))
        top = np.exp(-(((z - FLOOR - height) / 0.9) ** 2))
        volume[z] += 0.13 * border * side + 0.05 * mesh * top + 0.016 * covered * side
