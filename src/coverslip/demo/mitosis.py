"""A cell in metaphase: a round body, chromosomes in a plate, and the spindle that holds them."""

from dataclasses import dataclass

import numpy as np

from coverslip.demo import optics
from coverslip.demo.filaments import Points, splat, walk
from coverslip.demo.optics import Plane, Volume

MIDDLE = 11.0
"""Slice of the spindle's axis."""
RADIUS = 66.0
"""Of the rounded cell, in pixels."""
HALF_HEIGHT = 9.0
"""Of the rounded cell, in slices."""


@dataclass(frozen=True, slots=True)
class Dividing:
    """Where the cell is (y, x in pixels) and the direction of its spindle in radians."""

    center: Points
    angle: float

    def body(self, scale: float = 1.0) -> Plane:
        """Return 1 inside the outline of the cell and 0 outside, in the plane."""
        y, x = np.mgrid[0:512, 0:512].astype(np.float32)
        away = np.hypot(y - self.center[0], x - self.center[1]) / (RADIUS * scale)
        inside: Plane = (away < 1).astype(np.float32)
        return inside

    def add(self, dna: Volume, tubulin: Volume, actin: Volume, random: np.random.Generator) -> None:
        """Add the cell to the three volumes (Z, Y, X) in place."""
        y, x = np.mgrid[0:512, 0:512].astype(np.float32)
        z = np.arange(len(dna), dtype=np.float32)[:, None, None]
        dy, dx = y - self.center[0], x - self.center[1]
        along = dx * np.cos(self.angle) + dy * np.sin(self.angle)
        across = dy * np.cos(self.angle) - dx * np.sin(self.angle)
        lumps = optics.blur_volume(optics.noise(dna.shape, 3.5, random), 0, 1.2)
        plate = ((along / 10.5) ** 2 + (across / 45) ** 4 + ((z - MIDDLE) / 6.4) ** 4 + 0.45 * lumps / lumps.std()) - 1
        dna += (1.9 + 0.35 * lumps) / (1 + np.exp(np.clip(plate / 0.12, -30, 30)))
        uneven = 1 + 0.022 * optics.noise(dna.shape[1:], 22, random)
        round_ = np.hypot(along / 1.04, across / 0.97) * uneven / RADIUS
        shell = np.sqrt(round_**2 + ((z - MIDDLE) / HALF_HEIGHT) ** 2)
        inside = 1 / (1 + np.exp(np.clip((shell - 1) / 0.02, -30, 30)))
        patchy = np.exp(0.3 * optics.noise(dna.shape[1:], 6, random))
        actin += (0.13 * np.exp(-(((shell - 0.96) / 0.045) ** 2)) + 0.02 * inside) * patchy
        tubulin += 0.035 * inside
        self._spindle(tubulin, random)

    def _spindle(self, tubulin: Volume, random: np.random.Generator) -> None:
        axis = np.array([np.sin(self.angle), np.cos(self.angle)], np.float32)
        side = np.array([axis[1], -axis[0]], np.float32)
        for sign in (-1.0, 1.0):
            pole = self.center + sign * 40 * axis
            count = 170
            across = random.uniform(-30, 30, count)
            deep = random.uniform(-4.5, 4.5, count)
            part = np.linspace(0, 1, 60, dtype=np.float32)[:, None]
            bulge = np.sin(part * np.pi / 2)
            reach = part * random.uniform(0.85, 1.15, count)
            points = pole - sign * 40 * reach[..., None] * axis + (bulge * across)[..., None] * side
            splat(tubulin, MIDDLE + bulge * deep, points.astype(np.float32), 0.5)
            aster = walk(
                np.tile(pole, (40, 1)), random.uniform(0, 2 * np.pi, 40).astype(np.float32), 26, random, wiggle=0.01
            )
            fade = np.linspace(1, 0.2, 26)[:, None] + np.zeros(40)
            height = MIDDLE + np.linspace(0, 1, 26)[:, None] * random.uniform(-4, 4, 40)
            splat(tubulin, height, aster, 0.7 * fade)
