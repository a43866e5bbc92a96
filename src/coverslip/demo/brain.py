"""A section of the hippocampus: a dense band of nuclei, and astrocytes that reach between them."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from coverslip.demo import optics
from coverslip.demo.filaments import Points, look_up, splat, walk
from coverslip.demo.optics import Plane, Volume
from coverslip.demo.texture import Oval, fill, scatter

SIZE = 1536
PIXEL_UM = 0.454


@dataclass(frozen=True, slots=True)
class Arms:
    """Processes of astrocytes, one per row; pixels and radians."""

    start: Points
    heading: NDArray[Any]
    strength: NDArray[Any]
    length: NDArray[Any]
    width: float


def hippocampus(seed: int = 8) -> NDArray[np.uint16]:
    """Return nuclei and astrocytes (DAPI and GFAP): C, Y, X."""
    random = np.random.default_rng(seed)
    band = _band(random)
    density = np.where(band > 1.6, 92, np.where(band > 1.1, 74, 0)).astype(np.float32)
    somata = scatter(density, 12_000, random)
    nuclei = _nuclei(band, somata, random)
    astrocytes = _astrocytes(band, somata, random)
    light = optics.shading((SIZE, SIZE), random, 0.22)
    tissue = np.exp(0.25 * optics.noise((SIZE, SIZE), 60, random))
    recorded = []
    for plane, photons, veil in ((nuclei, 300, 0.1), (astrocytes, 330, 0.06)):
        seen = optics.blur(plane, 1.0) * 0.72 + optics.blur(plane, 9) * 0.33
        recorded.append(optics.camera((seen + veil * tissue) * light * photons, random))
    return np.stack(recorded)


def _band(random: np.random.Generator) -> Plane:
    """Return how far the middle of the granule cell layer is, in half widths of the layer: a hairpin."""
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
    wave = 1 + 0.1 * optics.noise((SIZE, SIZE), 120, random)
    tip, opening = np.array([900, 330], np.float32), 0.00062
    middle = tip[1] + opening * (y - tip[0]) ** 2
    slope = 2 * opening * (y - tip[0])
    away: Plane = np.abs(x - middle) / np.sqrt(1 + slope**2) / 62 * wave
    away += 0.07 * optics.noise((SIZE, SIZE), 9, random)
    return away


def _nuclei(band: Plane, somata: Points, random: np.random.Generator) -> Plane:
    """Return DNA: granule cells shoulder to shoulder in the band, few others outside."""
    taken: NDArray[Any] = np.zeros((SIZE, SIZE), np.uint8)
    taken[tuple(np.rint(somata).astype(int).T)] = 1
    taken = cv2.dilate(taken, np.ones((25, 25), np.uint8))
    dense = scatter(np.where(band < 1, 11.5, 0).astype(np.float32), 45_000, random, taken)
    sparse = scatter(np.where(band > 1.15, 44, 0).astype(np.float32), 9_000, random, taken)
    ovals = []
    for (y, x), low, high in [
        *((p, 7.2, 9.2) for p in dense),
        *((p, 6.0, 12.5) for p in sparse),
        *((p, 6.5, 9) for p in somata),
    ]:
        size = random.uniform(low, high)
        ovals.append(Oval(float(y), float(x), size, size * random.uniform(0.68, 0.97), random.uniform(0, np.pi)))
    sharp, deep = np.zeros((2, SIZE, SIZE), np.float32)
    below = random.random(len(ovals)) < 0.3
    values = random.gamma(16, 1 / 16, len(ovals))
    for layer, chosen in ((sharp, ~below), (deep, below)):
        fill(layer, [ovals[i] for i in np.flatnonzero(chosen)], values[chosen].tolist())
    spots = np.exp(-((optics.noise((SIZE, SIZE), 2.0, random) - 2.1) ** 2) / 0.5)
    grain = np.exp(0.2 * optics.noise((SIZE, SIZE), 1.8, random)) + 1.3 * spots
    return sharp * grain + 0.6 * optics.blur(deep, 3.5)


def _astrocytes(band: Plane, somata: Points, random: np.random.Generator) -> Plane:
    """Return GFAP: star-shaped cells with branching arms, and thin radial fibres through the band."""
    volume = np.zeros((2, SIZE, SIZE), np.float32)
    arms = random.integers(6, 12, len(somata))
    start = np.repeat(somata, arms, axis=0)
    turn = np.concatenate([random.uniform(0, 6) + np.arange(n) * 2 * np.pi / n for n in arms])
    heading = (turn + random.normal(0, 0.35, len(turn))).astype(np.float32)
    strength = np.repeat(random.gamma(6, 1 / 6, len(somata)), arms)
    _grow(volume, Arms(start, heading, strength, random.uniform(26, 62, len(turn)), 2.1), random)
    fibres = np.argwhere((band > 1.0) & (band < 1.06))
    roots = fibres[random.integers(0, len(fibres), 260)].astype(np.float32)
    slope_y, slope_x = (look_up(slope, roots) for slope in np.gradient(optics.blur(band, 12)))
    inward = np.arctan2(-slope_y, -slope_x) + random.normal(0, 0.2, len(roots))
    _grow(volume, Arms(roots, inward, np.full(len(roots), 0.55), random.uniform(60, 120, len(roots)), 0.8), random)
    bodies = np.zeros((SIZE, SIZE), np.float32)
    fill(bodies, [Oval(float(y), float(x), 6.5, 5, 0) for y, x in somata], random.gamma(5, 0.11, len(somata)).tolist())
    glow: Plane = volume[0] + optics.blur(bodies, 1.5) + 0.05 * np.exp(0.5 * optics.noise((SIZE, SIZE), 3, random))
    return glow


def _grow(volume: Volume, arms: Arms, random: np.random.Generator) -> None:
    """Add arms that taper, and side branches that leave the thick ones half way."""
    count = len(arms.start)
    paths = walk(arms.start, arms.heading, int(arms.length.max()), random, wiggle=0.035)
    taper = np.clip(1.1 - np.arange(len(paths))[:, None] / arms.length, 0, None)
    for _ in range(4):
        strand = paths + random.normal(0, 0.45 * arms.width, (1, count, 2)) * taper[..., None]
        splat(volume, np.zeros(taper.shape), strand, 0.42 * arms.strength * (taper > 0.1) * (0.4 + 0.6 * taper))
    if arms.width < 1.5:
        return
    for side in (-1.0, 1.0):
        place = paths[(arms.length * random.uniform(0.25, 0.7, count)).astype(int), np.arange(count)]
        leaving = arms.heading + side * random.uniform(0.4, 1.1, count)
        length = arms.length * random.uniform(0.3, 0.65, count)
        _grow(volume, Arms(place, leaving, arms.strength * 0.8, length, 1.0), random)
