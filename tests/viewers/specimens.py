"""One file of each format that viewers are tested with: small, but more than one chunk, level, channel and slice."""

from pathlib import Path

import numpy as np

from tests.ngff.images import Array
from tests.readers import generate_czi, generate_lif, generate_mrc, generate_nd2

HEIGHT, WIDTH = 300, 540
"""More than a chunk wide, and large enough for a level of its own."""
REAL = ("czi/CD_s_1_t_3_c_2_z_5.czi", "nd2/example-pbmc.nd2", "lif/xz-example.lif", "mrc/julian-test.mrc")
"""Of the folder of real samples, one of each format."""


def spots(count_t: int, count_c: int, count_z: int, seed: int) -> Array:
    """Return noise with bright spots, uint16, T, C, Z, Y, X; every plane is another one."""
    dice = np.random.default_rng(seed)
    pixels = dice.poisson(200.0, (count_t, count_c, count_z, HEIGHT, WIDTH)).astype(np.float64)
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    for t, c, z in np.ndindex(count_t, count_c, count_z):
        for _ in range(12):
            y, x, radius = dice.uniform(0, HEIGHT), dice.uniform(0, WIDTH), dice.uniform(8, 30)
            pixels[t, c, z] += 9000 * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * radius**2))
    return np.clip(pixels, 0, 65535).astype(np.uint16)


def write_czi(folder: Path) -> Path:
    """Write two time points, two channels and three slices."""
    image = spots(2, 2, 3, 1)
    blocks = [generate_czi.Block(image[t, c, z], "YX", {"T": t, "C": c, "Z": z}) for t, c, z in np.ndindex(2, 2, 3)]
    channels = [("DAPI", "#FF0000FF", 353, 465), ("EGFP", "#FF00FF00", 488, 509)]
    return generate_czi.write(
        folder / "cells.czi", blocks, generate_czi.document(channels, (0.1, 0.1, 0.5), increment=2.5)
    )


def write_nd2(folder: Path) -> Path:
    """Write two channels and four slices."""
    image = spots(1, 2, 4, 2)
    frames = [image[0, :, z].transpose(1, 2, 0) for z in range(4)]
    generate_nd2.write(folder / "cells.nd2", frames, [generate_nd2.z_loop(4, 0.6)], names=("DAPI", "FITC"))
    return folder / "cells.nd2"


def write_lif(folder: Path) -> Path:
    """Write one image of two channels and three slices."""
    image = spots(1, 2, 3, 3)
    picture = generate_lif.Picture(
        "stack", image[0], "CZYX", luts=("Green", "Red"), lengths={"X": 1e-4, "Y": 0.55e-4, "Z": 2e-6}
    )
    return generate_lif.write(folder / "cells.lif", [picture])


def write_mrc(folder: Path) -> Path:
    """Write a volume of floating-point numbers."""
    volume = spots(1, 1, 5, 4)[0, 0].astype(np.float32) / 7
    return generate_mrc.write(folder / "tomogram.mrc", volume)


WRITERS = {"CZI": write_czi, "ND2": write_nd2, "LIF": write_lif, "MRC": write_mrc}
