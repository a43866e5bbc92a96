"""What a microscope does to a specimen: blur, haze, shading, photons and a camera."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

type Plane = NDArray[Any]
"""Shape Y, X; floating point."""
type Volume = NDArray[Any]
"""Shape Z, Y, X; floating point."""


def blur(plane: Plane, sigma: float) -> Plane:
    """Return the plane after a Gaussian blur, sigma in pixels; 0 leaves it as it is."""
    if sigma <= 0:
        return plane
    blurred: Plane = cv2.GaussianBlur(plane, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101)
    return blurred


def blur_volume(volume: Volume, sigma_xy: float, sigma_z: float) -> Volume:
    """Return the volume after a Gaussian blur with its own sigma (pixels, slices) in the plane and along z."""
    planes = np.stack([blur(plane, sigma_xy) for plane in volume])
    if sigma_z <= 0:
        return planes
    step = np.arange(len(volume), dtype=np.float32)
    kernel = np.exp(-0.5 * ((step[:, None] - step[None, :]) / sigma_z) ** 2)
    kernel /= kernel.sum(axis=1, keepdims=True)
    mixed: Volume = (kernel @ planes.reshape(len(volume), -1)).reshape(volume.shape)
    return mixed


def widefield(volume: Volume, *, sigma_xy: float = 0.9, sigma_z: float = 1.3, haze: float = 0.25) -> Volume:
    """Return what the objective makes of the specimen: a core that is longer in z, and out-of-focus haze.

    Parameters
    ----------
    volume
        Fluorophores, Z, Y, X.
    sigma_xy, sigma_z
        Of the in-focus core, in pixels and slices.
    haze
        Share of the light that arrives spread over a wide area and most of the depth.
    """
    far = np.stack([cv2.resize(plane, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA) for plane in volume])
    far = blur_volume(far, 4.0, len(volume) / 4)
    size = volume.shape[2], volume.shape[1]
    sharp = blur_volume(volume, sigma_xy, sigma_z) * (1 - haze)
    for z, veil in enumerate(far):
        sharp[z] += haze * cv2.resize(veil, size, interpolation=cv2.INTER_CUBIC)
    return sharp


def noise(shape: tuple[int, ...], sigma: float, random: np.random.Generator) -> NDArray[np.float32]:
    """Return smooth random values with mean 0 and standard deviation 1; the last two axes are smoothed by sigma."""
    coarse = max(1, int(sigma / 2))
    rows, columns = (-(-length // coarse) + 8 for length in shape[-2:])
    planes = random.standard_normal((int(np.prod(shape[:-2])), rows, columns), dtype=np.float32)
    out = np.empty((len(planes), *shape[-2:]), np.float32)
    for plane, target in zip(planes, out, strict=True):
        smooth: Plane = blur(plane, sigma / coarse)
        if coarse > 1:
            smooth = cv2.resize(smooth, (columns * coarse, rows * coarse), interpolation=cv2.INTER_CUBIC)
        target[:] = smooth[2 * coarse : 2 * coarse + shape[-2], 2 * coarse : 2 * coarse + shape[-1]]
    out -= out.mean()
    out /= out.std()
    return out.reshape(shape)


def shading(shape: tuple[int, int], random: np.random.Generator, depth: float = 0.25) -> Plane:
    """Return uneven illumination: 1 at its brightest, lower by about ``depth`` in the corners; off-centre."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    center = random.uniform(0.4, 0.6, 2)
    away = ((y / shape[0] - center[0]) ** 2 + (x / shape[1] - center[1]) ** 2) / 0.5
    falloff: Plane = (1 - depth * away).astype(np.float32)
    return falloff


def camera(
    photons: NDArray[Any],
    random: np.random.Generator,
    *,
    offset: float = 100.0,
    gain: float = 2.0,
    read_noise: float = 1.6,
) -> NDArray[np.uint16]:
    """Return what a camera records: shot noise, read noise and offset, in grey levels.

    Shot noise is drawn as a normal variable of the Poisson distribution's mean and variance; with an offset and
    read noise on top the difference is not seen.

    Parameters
    ----------
    photons
        Expected photons per pixel.
    offset, gain, read_noise
        Grey levels, grey levels per electron, electrons.
    """
    expected = np.maximum(photons, 0)
    jitter = random.standard_normal(photons.shape, dtype=np.float32)
    jitter *= np.sqrt(expected + np.float32(read_noise**2))
    levels = (expected + jitter) * np.float32(gain) + np.float32(offset)
    recorded: NDArray[np.uint16] = np.clip(np.rint(levels), 0, 65535).astype(np.uint16)
    return recorded


def to_bytes(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return values of 0 to 255 rounded to uint8."""
    rounded: NDArray[Any] = np.clip(np.rint(values), 0, 255)
    return rounded.astype(np.uint8)
