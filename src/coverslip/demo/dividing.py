"""A time-lapse of a growing culture: nuclei wander, condense, line up, split and spread again."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from coverslip.demo import optics
from coverslip.demo.optics import Plane

FRAMES, SIZE = 30, 512
PIXEL_UM, INTERVAL_S = 0.325, 300.0
UNIT = 40
"""Half of a nucleus' long axis in the square it is drawn in before it is scaled, turned and placed."""
PROPHASE, METAPHASE = 4, 9
"""Ends of the phases, in frames after a nucleus begins to condense; then it splits."""
NEVER = 10_000


@dataclass(slots=True)
class Nucleus:
    """One nucleus on its way; pixels, radians, frames."""

    place: NDArray[np.float64]
    speed: NDArray[np.float64]
    angle: float
    size: float
    """Half of the long axis in interphase."""
    aspect: float
    brightness: float
    texture: int
    begins: int
    """The frame in which it begins to condense."""
    born: int = -NEVER
    """The frame of the division it came from."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a nucleus and its cell look in one frame, relative to interphase."""

    long: float
    short: float
    bright: float
    condensed: float
    """0: chromatin as usual, 1: chromosomes."""
    rounded: float
    """0: the cell lies flat, 1: it is a ball."""


def time_lapse(seed: int = 5) -> NDArray[np.uint16]:
    """Return chromatin and cell bodies over time: T, C, Y, X."""
    random = np.random.default_rng(seed)
    nuclei = _seed(random)
    stamps = [_stamp(random) for _ in range(8)]
    grain = np.stack([optics.noise((SIZE, SIZE), 5, random) for _ in range(2)])
    warp = 9 * optics.noise((2, SIZE // 2, SIZE // 2), 13, random)
    light = optics.shading((SIZE, SIZE), random, 0.3)
    frames = []
    for frame in range(FRAMES):
        chromatin = _chromatin(nuclei, stamps, frame)
        bodies = _bodies(nuclei, warp, frame) * (1 - 0.4 * np.minimum(chromatin, 1))
        mix = frame / (FRAMES - 1)
        bodies *= np.exp(0.22 * (grain[0] * (1 - mix) + grain[1] * mix))
        red = optics.blur(chromatin, 1.2) * 0.85 + optics.blur(chromatin, 16) * 0.25
        green = optics.blur(bodies, 1.3) * 0.8 + optics.blur(bodies, 20) * 0.2
        frames.append([optics.camera((plane + 0.04) * light * 260, random) for plane in (red, green)])
        nuclei = _divide(nuclei, frame + 1, random)
        _move(nuclei, frame + 1, random)
    return np.array(frames)


def look(nucleus: Nucleus, frame: int) -> Look:
    """Return how a nucleus looks in a frame: interphase, prophase, metaphase, or a daughter's way back."""
    since = frame - nucleus.born
    if since < 2:
        return Look(0.86, 0.24, 2.5, 1, 1)
    if since < 12:
        part = (since - 2) / 10
        return Look(0.62 + 0.26 * part, 0.36 + 0.4 * part, 2.3 - 1.2 * part, 1 - part, max(0.0, 1 - 1.6 * part))
    age = frame - nucleus.begins
    if age < 0:
        return Look(1, nucleus.aspect, 1, 0, 0)
    if age < PROPHASE:
        part = (age + 1) / PROPHASE
        return Look(1 - 0.14 * part, nucleus.aspect + 0.05 * part, 1 + 0.8 * part, part, part)
    return Look(0.92, 0.27, 2.6, 1, 1)


def _seed(random: np.random.Generator) -> list[Nucleus]:
    """Return the culture of the first frame."""
    places: list[NDArray[np.float64]] = []
    for _ in range(3000):
        place = random.uniform(-40, SIZE + 40, 2)
        if len(places) < 58 and all(np.linalg.norm(place - other) > 62 for other in places):
            places.append(place)
    return [
        Nucleus(
            place=place,
            speed=random.normal(0, 0.8, 2),
            angle=random.uniform(0, np.pi),
            size=random.uniform(21, 27),
            aspect=random.uniform(0.66, 0.9),
            brightness=random.uniform(0.7, 1.2),
            texture=int(random.integers(8)),
            begins=int(random.integers(-8, FRAMES)) if i % 3 == 0 else NEVER,
        )
        for i, place in enumerate(places)
    ]


def _stamp(random: np.random.Generator) -> NDArray[np.float32]:
    """Return an interphase and a condensed nucleus, 2, Y, X, each filling the circle of radius ``UNIT``."""
    side = 2 * UNIT + 24
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) - side / 2
    around = np.arctan2(y, x)
    radius = np.hypot(y, x) / UNIT
    for k in range(2, 6):
        radius = radius * (1 + random.normal(0, 0.05 / k) * np.cos(k * around + random.uniform(0, 6)))
    inside = 1 / (1 + np.exp((radius - 1) / 0.03))
    usual = np.exp(0.2 * optics.noise(y.shape, 2.6, random) + 0.15 * optics.noise(y.shape, 7, random))
    for _ in range(random.integers(2, 5)):
        spot = random.uniform(-0.5, 0.5, 2) * UNIT
        usual *= 1 - 0.5 * np.exp(-((np.hypot(y - spot[0], x - spot[1]) / random.uniform(5, 9)) ** 4))
    threads = np.exp(-((optics.noise(y.shape, 3.2, random) / 0.6) ** 2)) * 0.9 + 0.45
    ragged = 1 / (1 + np.exp((radius + 0.08 * optics.noise(y.shape, 5, random) - 0.97) / 0.05))
    return np.stack([inside * usual, ragged * threads]).astype(np.float32)


def _chromatin(nuclei: Sequence[Nucleus], stamps: Sequence[NDArray[np.float32]], frame: int) -> Plane:
    """Return the labelled histones of one frame."""
    plane = np.zeros((SIZE, SIZE), np.float32)
    for nucleus in nuclei:
        shape = look(nucleus, frame)
        usual, condensed = stamps[nucleus.texture]
        stamp = usual * (1 - shape.condensed) + condensed * shape.condensed
        along, across = nucleus.size / UNIT * shape.long, nucleus.size / UNIT * shape.short
        cos, sin = np.cos(nucleus.angle), np.sin(nucleus.angle)
        turn = np.array([[cos * along, -sin * across], [sin * along, cos * across]])
        shift = nucleus.place[::-1] - turn @ np.array([len(stamp) / 2, len(stamp) / 2])
        plane += cv2.warpAffine(
            stamp, np.column_stack([turn, shift]), (SIZE, SIZE), flags=cv2.INTER_LINEAR
        ) * np.float32(nucleus.brightness * shape.bright)
    return plane


def _bodies(nuclei: Sequence[Nucleus], warp: NDArray[np.float32], frame: int) -> Plane:
    """Return cytoplasm and membranes of one frame: flat cells that share the ground, and balls that stand on it."""
    half = SIZE // 2
    nearest = np.full((2, half, half), 9, np.float32)
    balls = np.zeros((half, half), np.float32)
    for nucleus in nuclei:
        rounded = look(nucleus, frame).rounded
        reach = nucleus.size * (2.35 - 0.9 * rounded) * (0.9 if frame - nucleus.born < 12 else 1)
        box = tuple(
            slice(max(0, int((at - 1.6 * reach) / 2)), max(0, int((at + 1.6 * reach) / 2))) for at in nucleus.place
        )
        y, x = np.mgrid[box].astype(np.float32) * 2
        if not y.size or box[0].start >= half or box[1].start >= half:
            continue
        bent = warp[:, *box]
        y, x = y[: bent.shape[1], : bent.shape[2]], x[: bent.shape[1], : bent.shape[2]]
        dy, dx = y - np.float32(nucleus.place[0]), x - np.float32(nucleus.place[1])
        flat = np.hypot(dy + bent[0], dx + bent[1]) / np.float32(reach) + np.float32(2 * rounded)
        first, second = nearest[:, *box]
        np.minimum(second, np.maximum(first, flat), out=second)
        np.minimum(first, flat, out=first)
        inside = np.clip(1 - (dy**2 + dx**2) / np.float32(0.8 * reach) ** 2, 0, 1)
        np.maximum(balls[box], np.float32(1.15 * rounded) * np.sqrt(inside), out=balls[box])
    low = np.exp(-(nearest[0] ** 4)) * (0.34 + 0.3 * np.exp(-(((nearest[1] - nearest[0]) / 0.045) ** 2)))
    both = np.where(balls > 0, np.maximum(balls, 0.15), low)
    whole: Plane = cv2.resize(both.astype(np.float32), (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)
    return whole


def _divide(nuclei: Sequence[Nucleus], frame: int, random: np.random.Generator) -> list[Nucleus]:
    """Return the nuclei with those at the end of metaphase split into two."""
    after: list[Nucleus] = []
    for nucleus in nuclei:
        if frame - nucleus.begins < METAPHASE:
            after.append(nucleus)
            continue
        apart = np.array([np.cos(nucleus.angle), -np.sin(nucleus.angle)])
        after += [
            Nucleus(
                place=nucleus.place + side * apart * nucleus.size * 0.3,
                speed=side * apart * nucleus.size * 0.26,
                angle=nucleus.angle + random.normal(0, 0.06),
                size=nucleus.size * 0.93,
                aspect=random.uniform(0.7, 0.9),
                brightness=nucleus.brightness * 0.92,
                texture=int(random.integers(8)),
                begins=NEVER,
                born=frame,
            )
            for side in (-1.0, 1.0)
        ]
    return after


def _move(nuclei: Sequence[Nucleus], frame: int, random: np.random.Generator) -> None:
    """Move every nucleus one step: persistent, and pushed away by close neighbours."""
    places = np.stack([nucleus.place for nucleus in nuclei])
    gaps = places[:, None] - places[None]
    distance = np.linalg.norm(gaps, axis=-1) + np.eye(len(places)) * NEVER
    push = (gaps / distance[..., None] * np.clip(54 - distance, 0, None)[..., None] * 0.06).sum(axis=1)
    for nucleus, shove in zip(nuclei, push, strict=True):
        still = 0.3 if look(nucleus, frame).rounded and nucleus.born < 0 else 1.0
        nucleus.speed = 0.72 * nucleus.speed + random.normal(0, 0.55, 2)
        nucleus.place = nucleus.place + still * nucleus.speed + shove
        nucleus.angle += random.normal(0, 0.035)
