"""Scenes as a microscope sees them: the reconstruction, the tilt series, frames and the labels of every voxel."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from coverslip.demo.deposition.scene import LEAFLET, MEMBRANE, TUBE, Floats, Scene, Shape, Vesicle
from coverslip.demo.tomogram import directions, lumps, reconstruct, rotation

MOST_FINE = 8.0
"""Of a scene wider than this many usual ones, points get no more numerous: their mass grows instead."""

type Cloud = NDArray[np.float32]
"""Shape N, 4: x, y, z in voxels, and mass."""


@dataclass(frozen=True, slots=True)
class Tilt:
    """How one section of a tilt series was taken, and how it lies.

    A point x, y, z of the specimen, from the middle of the tomogram, comes to ``turn @ (x cos + z sin, y) + offset``,
    from the middle of the image, with the tilt angle's cosine and sine.
    """

    angle: float
    """In degrees, about y."""
    turn: float
    """In the plane, in degrees, anticlockwise."""
    offset: tuple[float, float]
    """x, y in pixels."""


def cloud_of(scene: Scene, random: np.random.Generator) -> Cloud:
    """Return everything in a scene as points with mass."""
    unit = min(max(scene.unit, 1.0), MOST_FINE)
    clouds = [_membrane(one, scene.unit, unit, random) for one in scene.vesicles]
    clouds += [_tube(tube, scene.unit, unit, random) for tube in scene.tubes]
    clouds += _ribosomes(scene, random)
    clouds.append(_crowd(scene, random))
    return np.concatenate(clouds).astype(np.float32)


def tomogram(scene: Scene, cloud: Cloud, random: np.random.Generator) -> NDArray[np.float32]:
    """Return the reconstruction, shape Z, Y, X: mean 0, standard deviation 1, protein and lipid dark."""
    noise = random.standard_normal(scene.shape, dtype=np.float32)
    noise *= np.float32(0.9 * min(scene.unit, 1.0) ** 1.5)
    noise += _voxels(cloud, scene.shape)
    seen = reconstruct(noise, scene.unit)
    seen -= seen.mean(dtype=np.float64).astype(np.float32)
    seen /= -seen.std(dtype=np.float64).astype(np.float32)
    return seen


def tilt_series(scene: Scene, cloud: Cloud, tilts: tuple[Tilt, ...], random: np.random.Generator) -> NDArray[np.int16]:
    """Return projections, shape tilts, Y, X: electrons are missing where mass is."""
    _, height, width = scene.shape
    middle = (np.array(scene.shape[::-1], np.float32) - 1) / 2
    x, y, z = (cloud[:, :3] - middle).T
    sections = []
    for tilt in tilts:
        angle, turn = np.radians(tilt.angle), np.radians(tilt.turn)
        across = x * np.float32(np.cos(angle)) + z * np.float32(np.sin(angle))
        right = np.cos(turn) * across - np.sin(turn) * y + tilt.offset[0] + middle[0]
        down = np.sin(turn) * across + np.cos(turn) * y + tilt.offset[1] + middle[1]
        column, row = np.rint(right).astype(np.intp), np.rint(down).astype(np.intp)
        within = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        flat = row[within] * width + column[within]
        mass = np.bincount(flat, cloud[within, 3], height * width).reshape(height, width).astype(np.float32)
        light = 1000 * np.exp(-0.012 / max(scene.unit, 0.1) * cv2.GaussianBlur(mass, (0, 0), 0.8))
        light *= np.float32(0.55 + 0.45 * np.cos(angle))
        sections.append(light + np.sqrt(light) * random.standard_normal(light.shape, dtype=np.float32))
    return np.rint(np.stack(sections)).astype(np.int16)


def frame(count: int, side: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """Return a few exposures of a direct detector, shape count, side, side: single electrons."""
    return random.poisson(1.2, (count, side, side)).astype(np.uint8)


def gain(side: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Return how differently the pixels of a detector count, shape 1, side, side; 1 on average."""
    values = 1 + 0.04 * random.standard_normal((1, side, side), dtype=np.float32)
    return (values / values.mean()).astype(np.float32)


def membranes(scene: Scene) -> NDArray[np.int8]:
    """Return 2 in the membranes of vesicles, 1 inside them, 0 elsewhere; shape Z, Y, X."""
    labels = np.zeros(scene.shape, np.int8)
    half = np.float32(max(MEMBRANE * scene.unit, 0.75))
    for one in scene.vesicles:
        box, depth = _depth(one, scene.shape, float(half))
        here = labels[box]
        here[depth > half] = 1
        here[np.abs(depth) <= half] = 2
    return labels


def vesicles(scene: Scene) -> NDArray[np.uint16]:
    """Return the number of the vesicle, from 1, in it and in its membrane, 0 elsewhere; shape Z, Y, X."""
    labels = np.zeros(scene.shape, np.uint16)
    half = max(MEMBRANE * scene.unit, 0.75)
    for number, one in enumerate(scene.vesicles, start=1):
        box, depth = _depth(one, scene.shape, half)
        labels[box][depth >= -half] = number
    return labels


def subunits(unit: float) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
    """Return centre and half axes, x, y, z in voxels, of the large and the small part of a ribosome."""
    large = np.array([0, 0, 3.5]) * unit, np.array([11, 13, 10.5]) * unit
    small = np.array([0, 1, -9.5]) * unit, np.array([6.5, 11, 5.5]) * unit
    return large, small


def _depth(one: Vesicle, shape: Shape, margin: float) -> tuple[tuple[slice, ...], NDArray[np.float32]]:
    """Return a box round a vesicle, and of its voxels how deep they lie below the middle of the membrane."""
    center, axes = one.center[::-1], one.half_axes[::-1]
    low = np.maximum(np.floor(center - axes - margin - 1), 0).astype(int)
    high = np.minimum(np.ceil(center + axes + margin + 2), shape).astype(int)
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    grids = [np.arange(a, b, dtype=np.float32) - np.float32(c) for a, b, c in zip(low, high, center, strict=True)]
    z, y, x = np.meshgrid(*grids, indexing="ij", sparse=True)
    radius = np.sqrt(z**2 + y**2 + x**2)
    share = np.sqrt((z / axes[0]) ** 2 + (y / axes[1]) ** 2 + (x / axes[2]) ** 2)
    # along the ray from the centre, which is close to the distance while the axes are alike
    depth = np.where(share > 1e-6, radius / np.maximum(share, 1e-6) - radius, axes.min())
    return box, depth.astype(np.float32)


def _membrane(one: Vesicle, scale: float, unit: float, random: np.random.Generator) -> Cloud:
    """Return both leaflets."""
    area = 4 * np.pi * float(np.mean(one.half_axes)) ** 2 * (unit / scale) ** 2
    way = directions(int(area * 1.1) + 1, random)
    normal = way / one.half_axes
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    surface = way * one.half_axes
    both = np.concatenate([surface + LEAFLET * scale * normal, surface - LEAFLET * scale * normal]) + one.center
    return _with_mass(both, 1.1 * (scale / unit) ** 2)


def _tube(points: Floats, scale: float, unit: float, random: np.random.Generator) -> Cloud:
    """Return the 13 protofilaments of a microtubule."""
    steps = np.arange(-0.05, 1.05, 0.4 / (points[-1, 0] - points[0, 0] + 1) * scale / unit)
    along = points[0, 0] + steps * (points[-1, 0] - points[0, 0])
    axis = np.stack([along, *(np.interp(along, points[:, 0], points[:, n]) for n in (1, 2))], axis=1)
    found = []
    for turn in np.arange(13) * 2 * np.pi / 13:
        ring = np.array([0, np.cos(turn), np.sin(turn)]) * TUBE * scale
        beads = 0.75 + 0.25 * np.cos(along / scale * 2 * np.pi / 5.2 + turn)
        found.append(_with_mass(axis + ring + random.normal(0, 0.3 * scale, axis.shape), 5.0 * scale * beads))
    return np.concatenate(found)


def _ribosomes(scene: Scene, random: np.random.Generator) -> list[Cloud]:
    """Return every ribosome: one lumpy model of two subunits, turned and placed."""
    parts = []
    for (center, axes), count in zip(subunits(1.0), (170, 60), strict=True):
        # lumps are made of vectors z, y, x
        z, y, x = lumps(tuple(center[::-1]), tuple(axes[::-1]), count, random).T
        parts.append(np.stack([x, y, z], axis=1))
    model = np.concatenate(parts) * np.float32(scene.unit)
    mass = 1.7 * 230 * 14 * scene.unit**3 / len(model)
    turned = [rotation((-rot, -tilt, -psi))[::-1, ::-1] for rot, tilt, psi in scene.angles]
    return [_with_mass(model @ turn.T + center, mass) for turn, center in zip(turned, scene.ribosomes, strict=True)]


def _crowd(scene: Scene, random: np.random.Generator) -> Cloud:
    """Return the many small proteins of the cytosol."""
    size = np.array(scene.shape[::-1])
    places = random.uniform(0, 1, (3200, 3)) * size
    for one in scene.vesicles:
        inside = np.linalg.norm((places - one.center) / one.half_axes, axis=1) < 1
        places = places[~inside | (random.random(len(places)) < 0.1)]
    width = np.repeat(random.uniform(1.2, 3.0, (len(places), 1)), 24, axis=0) * scene.unit
    cloud = np.repeat(places, 24, axis=0) + random.normal(0, 1, (24 * len(places), 3)) * width
    return _with_mass(cloud, 1.2 * scene.unit**3)


def _with_mass(places: NDArray[np.floating], mass: float | NDArray[np.floating]) -> Cloud:
    """Return points with their mass."""
    column = np.broadcast_to(np.asarray(mass, np.float32), (len(places),))
    return np.column_stack([places, column]).astype(np.float32)


def _voxels(cloud: Cloud, shape: Shape) -> NDArray[np.float32]:
    """Return the mass in every voxel; points outside are left out."""
    place = np.rint(cloud[:, 2::-1]).astype(np.intp)
    within = ((place >= 0) & (place < np.array(shape))).all(axis=1)
    flat = np.ravel_multi_index(tuple(place[within].T), shape)
    mass: NDArray[np.float32] = np.bincount(flat, cloud[within, 3], int(np.prod(shape))).astype(np.float32)
    return mass.reshape(shape)
