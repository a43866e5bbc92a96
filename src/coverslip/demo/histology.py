"""A stained section of colon mucosa as a slide scanner sees it: crypts with goblet cells in cell-rich stroma."""

import cv2
import numpy as np
from numpy.typing import NDArray

from coverslip.demo import optics
from coverslip.demo.optics import Plane
from coverslip.demo.texture import Oval, fill, scatter, streaks

SIZE = 2048
PIXEL_UM = 0.5
HEMATOXYLIN = np.array([0.65, 0.70, 0.29], np.float32)
EOSIN = np.array([0.12, 0.88, 0.26], np.float32)
"""Optical densities in red, green and blue of one unit of stain: the usual values of colour deconvolution
(Ruifrok and Johnston, 2001), eosin a little warmer."""
SURFACE, MUSCLE = 230, 1720
"""Rows between which the mucosa lies; above is the empty gut, below a band of muscle and loose tissue."""


def stained_section(seed: int = 3) -> NDArray[np.uint8]:
    """Return the section in transmitted white light: Y, X, 3 (red, green, blue)."""
    random = np.random.default_rng(seed)
    y = np.mgrid[0:SIZE, 0:SIZE][0].astype(np.float32)
    wave = 46 * optics.noise((SIZE, SIZE), 130, random)
    level = y + wave
    crypts = _crypts(level, random)
    inside, around, lumen = _crypt_fields(crypts, random)
    mucosa = _soft((level - SURFACE) / 3) * _soft((MUSCLE - level) / 4)
    below = _soft((level - MUSCLE) / 4)
    surface = _soft((level - SURFACE) / 3) * _soft((SURFACE + 34 - level) / 4)
    glands = np.maximum(inside, surface)
    angle = np.where(level > MUSCLE, 0.05, np.pi / 2) + 0.5 * optics.noise((SIZE, SIZE), 40, random)
    fibres = streaks(optics.noise((SIZE, SIZE), 1.3, random), angle.astype(np.float32), 9)
    nuclei = _nuclei(crypts, level, glands, angle.astype(np.float32), random)
    mucus = _goblets(crypts, around, random)
    cytoplasm = 0.5 + 0.06 * optics.noise((SIZE, SIZE), 3, random)
    gaps = _soft((0.1 - fibres - 0.5 * optics.noise((SIZE, SIZE), 8, random)) / 0.25)
    stroma = mucosa * (1 - glands) * (0.34 + 0.12 * fibres) * (1 - 0.5 * gaps)
    loose = _soft((level - MUSCLE - 110) / 12)
    muscle = below * (0.62 + 0.1 * fibres) * (1 - loose) + loose * (0.3 + 0.2 * fibres) * (1 - 0.75 * gaps)
    eosin = stroma + muscle + glands * cytoplasm * 0.75
    eosin = eosin * (1 - 0.82 * mucus) * (1 - lumen) * (1 - 0.45 * nuclei)
    chromatin = nuclei * np.exp(0.3 * optics.noise((SIZE, SIZE), 1.4, random))
    basophil = 0.13 * glands * (1 - lumen) + 0.035 * mucus + 0.06 * mucosa + 0.03 * below
    return _through_light(np.clip(eosin, 0, None), 0.95 * chromatin + basophil * (1 - lumen), random)


def _soft(value: NDArray[np.floating]) -> Plane:
    """Return a smooth step from 0 to 1 around 0."""
    step: Plane = (1 / (1 + np.exp(-np.clip(value, -30, 30)))).astype(np.float32)
    return step


def _crypts(level: Plane, random: np.random.Generator) -> list[Oval]:
    """Return the glands, cut across, at about equal distances within the mucosa."""
    spacing = np.where((level > SURFACE + 100) & (level < MUSCLE - 60), 134, 0).astype(np.float32)
    return [
        Oval(float(y), float(x), size * random.uniform(1, 1.3), size, random.uniform(0, np.pi))
        for y, x in scatter(spacing, 6000, random)
        for size in [random.uniform(54, 66)]
    ]


def _crypt_fields(crypts: list[Oval], random: np.random.Generator) -> tuple[Plane, Plane, Plane]:
    """Return where the glands are, how far out in its gland a pixel lies (1: its wall; 9: outside), and the lumina."""
    far = np.full((SIZE, SIZE), 9, np.float32)
    bend = 0.05 * optics.noise((SIZE, SIZE), 16, random)
    for oval in crypts:
        box = tuple(slice(max(0, int(at - 1.3 * oval.long)), int(at + 1.3 * oval.long)) for at in (oval.y, oval.x))
        y, x = np.mgrid[box].astype(np.float32)
        part = far[box]
        y, x = y[: part.shape[0], : part.shape[1]] - np.float32(oval.y), x[: part.shape[0], : part.shape[1]]
        x = x - np.float32(oval.x)
        along = x * np.float32(np.cos(oval.angle)) + y * np.float32(np.sin(oval.angle))
        across = y * np.float32(np.cos(oval.angle)) - x * np.float32(np.sin(oval.angle))
        np.minimum(part, np.hypot(along / np.float32(oval.long), across / np.float32(oval.short)), out=part)
    far += bend
    return _soft((1 - far) / 0.02), far, _soft((0.17 - far) / 0.02)


def _goblets(crypts: list[Oval], around: Plane, random: np.random.Generator) -> Plane:
    """Return the pale drops of mucus between the nuclei and the lumen of the glands."""
    drops = np.zeros((SIZE, SIZE), np.uint8)
    ovals = []
    for oval in crypts:
        count = int(random.integers(11, 15))
        for turn in np.linspace(0, 2 * np.pi, count, endpoint=False) + random.uniform(0, 1, count) * 0.25:
            if random.random() < 0.82:
                y, x = _on_wall(oval, turn, random.uniform(0.5, 0.62))
                pointing = np.arctan2(y - oval.y, x - oval.x)
                ovals.append(Oval(y, x, random.uniform(11, 15), random.uniform(5.2, 7.2), float(pointing)))
    fill(drops, ovals, [255] * len(ovals), smooth=True)
    return optics.blur(drops.astype(np.float32) / 255, 1.5) * _soft((0.86 - around) / 0.03)


def _on_wall(oval: Oval, turn: float, distance: float) -> tuple[float, float]:
    """Return a place in a gland: a direction from its centre and a share of the way to its wall."""
    along, across = oval.long * distance * np.cos(turn), oval.short * distance * np.sin(turn)
    cos, sin = np.cos(oval.angle), np.sin(oval.angle)
    return float(oval.y + along * sin + across * cos), float(oval.x + along * cos - across * sin)


def _nuclei(crypts: list[Oval], level: Plane, glands: Plane, angle: Plane, random: np.random.Generator) -> Plane:
    """Return how much chromatin a pixel holds: basal rows in the glands, scattered round and long ones between."""
    ovals = []
    for oval in crypts:
        count = int((oval.long + oval.short) * np.pi / 12.5)
        for turn in np.linspace(0, 2 * np.pi, count, endpoint=False) + random.normal(0, 0.02, count):
            y, x = _on_wall(oval, turn, random.normal(0.87, 0.025))
            pointing = np.arctan2(y - oval.y, x - oval.x) + random.normal(0, 0.15)
            ovals.append(Oval(y, x, random.uniform(8, 11.5), random.uniform(4.2, 5.6), float(pointing)))
    free = np.where((glands < 0.1) & (level > SURFACE + 36), 1, 0).astype(np.float32)
    crowd = optics.noise((SIZE, SIZE), 50, random)
    spacing = free * np.where(level > MUSCLE, 34, np.where(crowd > -0.2, 13, 17)).astype(np.float32)
    for y, x in scatter(spacing, 60_000, random):
        long_one = level[int(y), int(x)] > MUSCLE or random.random() < 0.3
        size = random.uniform(4.6, 6)
        shape = (random.uniform(9, 13), random.uniform(2.6, 3.6)) if long_one else (size, size * random.uniform(0.8, 1))
        turn = float(angle[int(y), int(x)]) + random.normal(0, 0.2)
        ovals.append(Oval(float(y), float(x), *shape, turn))
    top = scatter(np.where(np.abs(level - SURFACE - 22) < 6, 9, 0).astype(np.float32), 60_000, random)
    ovals += [Oval(float(y), float(x), 9.5, 4.6, np.pi / 2 + random.normal(0, 0.15)) for y, x in top]
    drawn = np.zeros((SIZE, SIZE), np.uint8)
    fill(drawn, ovals, random.uniform(130, 255, len(ovals)).tolist(), smooth=True)
    return optics.blur(drawn.astype(np.float32) / 255, 0.8)


def _through_light(eosin: Plane, hematoxylin: Plane, random: np.random.Generator) -> NDArray[np.uint8]:
    """Return white light after both stains, with the scanner's blur, shading and noise."""
    light = optics.shading((SIZE, SIZE), random, 0.03)
    uneven = 1 + 0.08 * optics.noise((SIZE, SIZE), 220, random)
    section = np.empty((SIZE, SIZE, 3), np.uint8)
    for i, white in enumerate((243, 241, 244)):
        passed = np.exp(-(eosin * EOSIN[i] + hematoxylin * HEMATOXYLIN[i] * 1.35) * uneven) * light * white
        passed = cv2.GaussianBlur(passed.astype(np.float32), (0, 0), 0.7)
        passed += random.standard_normal((SIZE, SIZE), dtype=np.float32) * 2.0
        section[..., i] = optics.to_bytes(passed)
    return section
