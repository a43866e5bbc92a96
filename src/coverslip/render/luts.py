"""Lookup tables: 256 colours from dark to bright."""

from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from coverslip.model.render import Lut

ANCHORS: Mapping[Lut, Sequence[str]] = MappingProxyType(
    {
        "gray": ("000000", "ffffff"),
        "red": ("000000", "ff0000"),
        "green": ("000000", "00ff00"),
        "blue": ("000000", "0000ff"),
        "cyan": ("000000", "00ffff"),
        "magenta": ("000000", "ff00ff"),
        "yellow": ("000000", "ffff00"),
        "fire": ("000000", "1e0064", "6e00a0", "b41478", "e63c28", "ff7800", "ffb400", "ffe65a", "ffffff"),
        "viridis": (
            *("440154", "481769", "472a7a", "433d84", "3d4e8a", "355e8d"),
            *("2e6d8e", "297b8e", "23898e", "1f978b", "21a585", "2eb37c"),
            *("46c06f", "65cb5e", "89d548", "b0dd2f", "d8e219", "fde725"),
        ),
    }
)
"""Colours at equal distances; between them the table is interpolated linearly. ``viridis`` follows the table of that
name by van der Walt and Smith (public domain) within 5 of 255; ``fire`` is black-body light of our own."""


@cache
def table(name: Lut) -> NDArray[np.uint8]:
    """Return the table of a name: uint8 of shape 256, 3 (red, green, blue), not writable."""
    colors = np.array([list(bytes.fromhex(anchor)) for anchor in ANCHORS[name]], np.float64)
    places = np.linspace(0, len(colors) - 1, 256)
    columns = [np.interp(places, np.arange(len(colors)), column) for column in colors.T]
    made: NDArray[np.uint8] = np.rint(np.stack(columns, axis=1)).astype(np.uint8)
    made.flags.writeable = False
    return made
