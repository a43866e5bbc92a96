"""A cryo-electron tomogram of cytoplasm: ribosomes, vesicles, a mitochondrion's rim, microtubules and gold beads."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SHAPE = (96, 400, 400)
"""Z, Y, X in voxels."""
VOXEL_ANGSTROM = 7.84
LEAFLET = 2.6
"""Half of the distance between the two lines of a membrane, in voxels (4 nm)."""

NOISE_LEVEL = 0.25
"""Of the reconstruction, in mass per voxel: sets the grey levels."""

TUBES = ((44.0, 152.0, 0.02, 2e-4), (50.0, 208.0, -0.02, 1e-4))
"""Microtubules along x: z, y at x = 0, slope and bend of y."""

type Cloud = NDArray[np.float32]
"""Shape N, 4: z, y, x in voxels, and mass."""


@dataclass(frozen=True, slots=True)
class Particle:
    """One ribosome: its centre in voxels (z, y, x) and its orientation as ZYZ angles in degrees."""

    center: tuple[float, float, float]
    angles: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Tomogram:
    """The reconstruction and what is in it."""

    density: NDArray[np.int8]
    """Z, Y, X; protein, lipid and gold are dark."""
    particles: tuple[Particle, ...]


@dataclass(frozen=True, slots=True)
class Shell:
    """A closed membrane: centre and half axes z, y, x in voxels."""

    center: NDArray[np.float32]
    half_axes: NDArray[np.float32]


def cytoplasm(seed: int = 4) -> Tomogram:
    """Return the tomogram."""
    random = np.random.default_rng(seed)
    shells = _shells(random)
    particles = _particles(shells, random)
    clouds = [_membrane(shell, random) for shell in shells]
    clouds += _ribosomes(particles, random)
    clouds += _microtubules(random)
    clouds += [_crowd(shells, random)]
    clouds += [_ball(np.array(place, np.float32), 5.5, 2600, 5.0, random) for place in ((9, 66, 352), (88, 250, 30))]
    density = _voxels(np.concatenate(clouds))
    noise = random.standard_normal(SHAPE, dtype=np.float32)
    seen = reconstruct(density + 1.0 * noise)
    levels = 6 - 30 * seen / np.float32(NOISE_LEVEL)
    return Tomogram(np.clip(np.rint(levels), -128, 127).astype(np.int8), particles)


def _shells(random: np.random.Generator) -> list[Shell]:
    """Return vesicles of several sizes, and two membranes of a mitochondrion with its cristae in one corner."""

    def shell(z: float, y: float, x: float, rz: float, ry: float, rx: float) -> Shell:
        return Shell(np.array([z, y, x], np.float32), np.array([rz, ry, rx], np.float32))

    vesicles = [
        shell(52, 96, 128, 58, 62, 55),
        shell(40, 120, 143, 26, 24, 27),
        shell(60, 300, 66, 37, 36, 39),
        shell(52, 120, 312, 33, 30, 34),
        shell(70, 40, 236, 25, 27, 24),
    ]
    rim = [shell(48, 455, 440, 190, 235, 205), shell(48, 455, 440, 172, 217, 187)]
    cristae = [shell(50, 350, 372, 60, 13, 62), shell(44, 386, 330, 52, 11, 58), shell(56, 312, 398, 60, 10, 40)]
    return [*vesicles, *rim, *cristae]


def _membrane(shell: Shell, random: np.random.Generator) -> Cloud:
    """Return both leaflets of a membrane, the part of it that lies in the tomogram; a little uneven."""
    a, b, c = shell.half_axes
    area = 4 * np.pi * (((a * b) ** 1.6 + (a * c) ** 1.6 + (b * c) ** 1.6) / 3) ** (1 / 1.6)
    way = directions(int(area * 1.1), random)
    bumps = np.ones(len(way), np.float32)
    for bump in directions(9, random):
        bumps += np.float32(random.normal(0, 0.012)) * np.cos(5 * way @ bump)
    surface = way * shell.half_axes * bumps[:, None]
    normal = way / shell.half_axes
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    both = np.concatenate([surface + LEAFLET * normal, surface - LEAFLET * normal]) + shell.center
    return _with_mass(both, 0.85)


def _particles(shells: list[Shell], random: np.random.Generator) -> tuple[Particle, ...]:
    """Return ribosomes in the cytosol: outside all membranes, apart from each other, some in polysomes."""
    centers: list[NDArray[np.float64]] = []
    limits = np.array(SHAPE, float)

    def is_free(place: NDArray[np.float64]) -> bool:
        outside = all(np.linalg.norm((place - s.center) / (s.half_axes + 18)) > 1 for s in shells)
        apart = all(np.linalg.norm(place - other) > 31 for other in centers)
        beside = all(np.hypot(*(place - _tube_axis(tube, place[2]))[:2]) > 32 for tube in TUBES)
        return bool(outside and apart and beside and (place > 14).all() and (place < limits - 14).all())

    for _ in range(2500):
        place = random.uniform(0, 1, 3) * limits
        heading = random.normal(0, 1, 3)
        for _ in range(int(random.integers(1, 6))):
            if len(centers) < 64 and is_free(place):
                centers.append(place)
            heading += random.normal(0, 0.5, 3)
            place = place + 35 * heading / np.linalg.norm(heading)
    angles = [(random.uniform(0, 360), float(np.degrees(np.arccos(random.uniform(-1, 1))))) for _ in centers]
    return tuple(
        Particle((float(z), float(y), float(x)), (rot, tilt, random.uniform(0, 360)))
        for (z, y, x), (rot, tilt) in zip(centers, angles, strict=True)
    )


def _ribosomes(particles: tuple[Particle, ...], random: np.random.Generator) -> Iterator[Cloud]:
    """Yield every ribosome: one lumpy model of two subunits, turned and placed."""
    large = lumps((0, 0, 3.5), (12.5, 13, 11), 170, random)
    small = lumps((0, 1, -11), (7, 12.5, 6), 70, random)
    model = np.concatenate([large, small])
    for particle in particles:
        yield _with_mass(model @ rotation(particle.angles).T + np.array(particle.center, np.float32), 1.7)


def lumps(
    center: tuple[float, float, float], axes: tuple[float, float, float], count: int, random: np.random.Generator
) -> NDArray[np.float32]:
    """Return points of small dense lumps that fill an ellipsoid."""
    inside = directions(count, random) * random.uniform(0, 1, (count, 1)) ** (1 / 3) * np.array(axes)
    cloud = np.repeat(inside + np.array(center), 14, axis=0)
    return (cloud + random.normal(0, 1.6, cloud.shape)).astype(np.float32)


def rotation(angles: tuple[float, float, float]) -> NDArray[np.float32]:
    """Return the matrix of ZYZ angles in degrees, for vectors z, y, x."""
    rot, tilt, psi = np.radians(angles)

    def about_z(turn: float) -> NDArray[np.float64]:
        return np.array([[1, 0, 0], [0, np.cos(turn), np.sin(turn)], [0, -np.sin(turn), np.cos(turn)]])

    about_y = np.array([[np.cos(tilt), 0, -np.sin(tilt)], [0, 1, 0], [np.sin(tilt), 0, np.cos(tilt)]])
    matrix: NDArray[np.float32] = (about_z(psi) @ about_y @ about_z(rot)).astype(np.float32)
    return matrix


def _tube_axis(tube: tuple[float, float, float, float], along: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the points z, y, x of a microtubule's axis at some x."""
    z, y, slope, bend = tube
    return np.stack([z + 0.02 * along, y + slope * along + bend * (along - 200) ** 2, along], axis=-1)


def _microtubules(random: np.random.Generator) -> Iterator[Cloud]:
    """Yield hollow tubes of 13 protofilaments and thin actin filaments next to them."""
    along = np.arange(-60, 460, 0.5, dtype=np.float32)
    for tube in TUBES:
        axis = _tube_axis(tube, along)
        for turn in np.arange(13) * 2 * np.pi / 13:
            ring = np.array([np.sin(turn), np.cos(turn), 0]) * 13.5
            beads = 0.75 + 0.25 * np.cos(along * 2 * np.pi / 5.2 + turn)
            yield _with_mass(axis + ring + random.normal(0, 0.3, axis.shape), 11 * beads)
    for z, y, slope in ((70, 20, 0.62), (66, 32, 0.6), (26, 330, -0.3), (30, 344, -0.28)):
        twist = along * 2 * np.pi / 46
        helix = np.stack([z + 2.6 * np.sin(twist), y + slope * along + 2.6 * np.cos(twist), along], axis=-1)
        yield _with_mass(helix, 4.5)


def _crowd(shells: list[Shell], random: np.random.Generator) -> Cloud:
    """Return the many small proteins of the cytosol, fewer inside vesicles."""
    places = random.uniform(0, 1, (5200, 3)) * np.array(SHAPE)
    inside = np.zeros(len(places), bool)
    for shell in shells[:5]:
        inside |= np.linalg.norm((places - shell.center) / shell.half_axes, axis=1) < 1
    places = places[~inside | (random.random(len(places)) < 0.15)]
    cloud = np.repeat(places, 26, axis=0)
    size = np.repeat(random.uniform(1.2, 3.0, (len(places), 1)), 26, axis=0)
    return _with_mass(cloud + random.normal(0, 1, cloud.shape) * size, 1.2)


def _ball(center: NDArray[np.float32], radius: float, count: int, mass: float, random: np.random.Generator) -> Cloud:
    """Return a solid ball."""
    filled = directions(count, random) * random.uniform(0, 1, (count, 1)).astype(np.float32) ** (1 / 3) * radius
    return _with_mass(filled + center, mass)


def directions(count: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Return random unit vectors."""
    vectors = random.standard_normal((count, 3), dtype=np.float32)
    unit: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def _with_mass(places: NDArray[np.floating], mass: float | NDArray[np.floating]) -> Cloud:
    """Return points with their mass, without those outside the tomogram."""
    column = np.broadcast_to(np.asarray(mass, np.float32), (len(places),))
    cloud = np.column_stack([places, column]).astype(np.float32)
    within = (cloud[:, :3] >= 0) & (np.rint(cloud[:, :3]) < np.array(SHAPE))
    kept: Cloud = cloud[within.all(axis=1)]
    return kept


def _voxels(cloud: Cloud) -> NDArray[np.float32]:
    """Return the mass in every voxel."""
    flat = np.ravel_multi_index(tuple(np.rint(cloud[:, :3]).astype(np.intp).T), SHAPE)
    return np.bincount(flat, cloud[:, 3], int(np.prod(SHAPE))).astype(np.float32).reshape(SHAPE)


def reconstruct(density: NDArray[np.float32], fineness: float = 1.0) -> NDArray[np.float32]:
    """Return the density as electrons show it: band-limited with bright fringes, blind in the missing wedge.

    The tilt axis is y, tilts reach 60 degrees: nothing is known where kz is steeper than that. Slow variations are
    weak (phase contrast), fine ones are lost to the contrast transfer function's envelope and to denoising.

    Parameters
    ----------
    density
        Shape Z, Y, X.
    fineness
        How many voxels lie where the usual tomogram has one: limits of resolution are as much finer.
    """
    spectrum = np.fft.rfftn(density)
    kz, ky, kx = (np.fft.fftfreq(n).astype(np.float32) for n in density.shape)
    kz, ky, kx = kz[:, None, None], ky[None, :, None], np.abs(kx[None, None, : density.shape[2] // 2 + 1])
    steep = np.abs(kz) - np.float32(np.tan(np.radians(60))) * kx
    seen = 1 / (1 + np.exp(np.clip(steep / 0.006, -30, 30)))
    k2 = (kz**2 + ky**2 + kx**2) * np.float32(fineness) ** 2
    transfer = (1 - 0.88 * np.exp(-k2 / 0.022**2)) * np.exp(-k2 / 0.135**2)
    spectrum *= seen * transfer
    return np.fft.irfftn(spectrum, s=density.shape, axes=(0, 1, 2)).astype(np.float32)
