"""Budding yeast in differential interference contrast: relief lit from one side, no stain."""

import numpy as np
from numpy.typing import NDArray

from coverslip.demo import optics
from coverslip.demo.optics import Plane
from coverslip.demo.texture import Oval, scatter

SIZE = 1024
PIXEL_UM = 0.0645
SHEAR = np.radians(-52)
"""Direction in which the two beams are split."""


def yeast(seed: int = 6) -> NDArray[np.uint16]:
    """Return the picture: Y, X, 12 bits of a 16 bit camera."""
    random = np.random.default_rng(seed)
    path = np.zeros((SIZE, SIZE), np.float32)
    for cell in _cells(random):
        _add_cell(path, cell, random)
    path += 0.012 * optics.noise((SIZE, SIZE), 3, random) * (path > 0.02)
    path = optics.blur(path, 1.6)
    slope_y, slope_x = np.gradient(path)
    relief = slope_x * np.cos(SHEAR) + slope_y * np.sin(SHEAR)
    slow = 0.05 * optics.noise((SIZE, SIZE), 180, random)
    dirt = _dirt(random)
    light = 1300 * (1 + 9.5 * relief + slow - 0.05 * path) * dirt * optics.shading((SIZE, SIZE), random, 0.2)
    return optics.camera(light.astype(np.float32), random, gain=1.0, read_noise=8.0)


def _cells(random: np.random.Generator) -> list[Oval]:
    """Return cells in loose clumps, about half of them with a bud."""
    clumps = optics.noise((SIZE, SIZE), 110, random)
    spacing = np.where(clumps > -0.1, 70, np.where(clumps > -0.9, 165, 0)).astype(np.float32)
    ovals = []
    for y, x in scatter(spacing, 4000, random):
        size, turn = random.uniform(31, 40), random.uniform(0, 2 * np.pi)
        ovals.append(Oval(float(y), float(x), size * random.uniform(1.02, 1.2), size, turn))
        if random.random() < 0.5:
            bud = size * random.uniform(0.3, 0.75)
            away = ovals[-1].long + bud * 0.86
            ovals.append(Oval(float(y + away * np.sin(turn)), float(x + away * np.cos(turn)), bud * 1.08, bud, turn))
    return ovals


def _add_cell(path: Plane, cell: Oval, random: np.random.Generator) -> None:
    """Add the optical path of a cell: wall, cytoplasm, a vacuole that refracts less, a few granules."""
    reach = int(cell.long + 6)
    top, left = max(0, int(cell.y) - reach), max(0, int(cell.x) - reach)
    box = slice(top, max(0, int(cell.y) + reach)), slice(left, max(0, int(cell.x) + reach))
    part = path[box]
    if not part.size:
        return
    y, x = np.mgrid[0 : part.shape[0], 0 : part.shape[1]].astype(np.float32)
    y, x = y + np.float32(top - cell.y), x + np.float32(left - cell.x)
    along = x * np.float32(np.cos(cell.angle)) + y * np.float32(np.sin(cell.angle))
    across = y * np.float32(np.cos(cell.angle)) - x * np.float32(np.sin(cell.angle))
    away = np.hypot(along / np.float32(cell.long), across / np.float32(cell.short))
    body = np.sqrt(np.clip(1 - away**2, 0, None)) * np.float32(cell.short / 36)
    wall = 0.14 * np.exp(-(((away - 0.96) / 0.05) ** 2))
    inner = body + wall
    if cell.short > 24:
        shift = random.uniform(-0.25, 0.25, 2) * cell.short
        size = cell.short * random.uniform(0.34, 0.5)
        inner -= 0.55 * np.sqrt(np.clip(1 - ((along - shift[0]) ** 2 + (across - shift[1]) ** 2) / size**2, 0, None))
    for _ in range(int(cell.short / 5)):
        spot = random.uniform(-0.6, 0.6, 2) * cell.short
        distance = np.hypot(along - spot[0], across - spot[1])
        inner += random.uniform(0.05, 0.16) * np.exp(-((distance / random.uniform(1.8, 3.2)) ** 2))
    np.maximum(part, inner.astype(np.float32), out=part)


def _dirt(random: np.random.Generator) -> Plane:
    """Return specks far out of focus: weak diffraction rings on the lamp's image."""
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
    clean = np.ones((SIZE, SIZE), np.float32)
    for _ in range(5):
        center, size = random.uniform(0, SIZE, 2), random.uniform(9, 22)
        away = np.hypot(y - np.float32(center[0]), x - np.float32(center[1])) / np.float32(size)
        clean *= 1 - 0.035 * np.cos(3 * away) * np.exp(-away / 2)
    return clean
