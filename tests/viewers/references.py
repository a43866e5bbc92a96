"""What the libraries of the formats themselves read: the oracle that every viewer is compared with."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import czifile
import liffile
import mrcfile
import nd2
import numpy as np

from tests.ngff.images import Array


def read_czi(path: Path) -> Sequence[Array]:
    """Return the scenes of a CZI as czifile reads them: T, C, Z, Y, X."""
    with czifile.CziFile(path) as file:
        return [canonical(scene.asarray(), "".join(scene.dims)) for scene in file.scenes.values()]


def read_nd2(path: Path) -> Sequence[Array]:
    """Return the image of an ND2 without positions as nd2 reads it: T, C, Z, Y, X."""
    with nd2.ND2File(path) as file:
        return [canonical(file.asarray(), "".join(file.sizes))]


def read_lif(path: Path) -> Sequence[Array]:
    """Return the images of a LIF as liffile reads them: T, C, Z, Y, X."""
    with liffile.LifFile(path) as file:
        return [canonical(image.asarray(), "".join(image.dims)) for image in file.images]


def read_mrc(path: Path) -> Sequence[Array]:
    """Return the volume of an MRC file as mrcfile reads it: T, C, Z, Y, X."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # mrcfile sets the type of arrays, which numpy deprecates
        return [canonical(np.array(mrcfile.read(path)), "ZYX")]


REFERENCES: Mapping[str, Callable[[Path], Sequence[Array]]] = {
    ".czi": read_czi,
    ".nd2": read_nd2,
    ".lif": read_lif,
    ".mrc": read_mrc,
}


def canonical(pixels: Array, axes: str) -> Array:
    """Return pixels as T, C, Z, Y, X."""
    axes = axes[-pixels.ndim :]
    assert set(axes) <= set("TCZYX")
    lengths = [pixels.shape[axes.index(axis)] if axis in axes else 1 for axis in "TCZYX"]
    return pixels.transpose([axes.index(axis) for axis in "TCZYX" if axis in axes]).reshape(lengths)
