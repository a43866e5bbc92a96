"""One file, read by us and by a reference reader, at random places."""

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import coverslip
from conformance.row import Array, Levels, Outcome, Reference
from coverslip.errors import CoverslipError
from coverslip.readers import Image

MOST_IMAGES = 6
"""Of a file with more images, so many are drawn."""
READS = 4
"""Random boxes of each level of each image, beside one whole plane."""


class Differs(Exception):  # noqa: N818  # it says what is so, and never leaves this module
    """Our pixels are not those of the reference."""


def compare(path: Path, reference: Reference, dice: random.Random, address: str = "") -> Outcome:
    """Return how our pixels compare with those of a reference reader.

    Parameters
    ----------
    path
        What is opened.
    reference
        Gives every image of the file.
    dice
        Choose images, levels, t, c, z and regions.
    address
        What we open, where that is not ``path``.
    """
    name = reference.__name__.removeprefix("by_").replace("_", " ")
    try:
        with coverslip.open_image(address or path) as file:
            ours = [one for image in file.images for one in (image, *image.labels)]
            images, reads, pixels = _compare_images(ours, _by_reference(reference, path), dice)
    except Differs as problem:
        return Outcome("wrong", name, detail=str(problem))
    except CoverslipError as error:
        return Outcome("wrong", name, detail=f"{type(error).__name__}: {error}")
    return Outcome("right", name, images, reads, pixels)


def refuse(path: Path, expected: type[CoverslipError]) -> Outcome:
    """Return whether opening a file, or reading the first plane of each image, fails with the documented error."""
    try:
        with coverslip.open_image(path) as file:
            for image in file.images:
                image.plane()
    except expected as error:
        return Outcome("refused", detail=f"{type(error).__name__}: {error}")
    except CoverslipError as error:
        return Outcome("wrong", detail=f"{type(error).__name__} instead of {expected.__name__}: {error}")
    return Outcome("wrong", detail=f"it opens, and should fail with {expected.__name__}")


def _by_reference(reference: Reference, path: Path) -> Sequence[Levels]:
    try:
        return reference(path)
    except Exception as error:  # format libraries raise anything at all, and the table goes on
        raise Differs(f"the reference does not read it: {type(error).__name__}: {error}") from error


def _compare_images(ours: Sequence[Image], theirs: Sequence[Levels], dice: random.Random) -> tuple[int, int, int]:
    if len(ours) != len(theirs):
        raise Differs(f"{len(ours)} images, the reference has {len(theirs)}")
    chosen = sorted(dice.sample(range(len(ours)), min(MOST_IMAGES, len(ours))))
    reads = pixels = 0
    for index in chosen:
        for level, expected in enumerate(theirs[index]):
            for box in _boxes(ours[index], level, expected, dice, f"image {index} level {level}"):
                reads, pixels = reads + 1, pixels + box
    return len(chosen), reads, pixels


def _boxes(image: Image, level: int, expected: Array, dice: random.Random, place: str) -> Sequence[int]:
    """Return the number of pixels of each box that was compared."""
    meta = image.metadata
    if level >= len(meta.levels):
        raise Differs(f"{place}: there is no such level")
    shape = meta.level_shape(level)
    if shape != expected.shape or meta.dtype != expected.dtype.name:
        raise Differs(f"{place}: {shape} {meta.dtype}, the reference has {expected.shape} {expected.dtype.name}")
    sizes = []
    for turn in range(READS + 1):
        t, c, z = ((at := dice.randrange(length), at + 1) for length in shape[:3])
        y, x = ((0, length) for length in shape[3:5])
        if turn:
            y, x = (_span(length, dice) for length in shape[3:5])
        region = coverslip.Region(t, c, z, y, x)
        pixels = image.read(level, region)
        if not np.array_equal(pixels, expected[region.slices], equal_nan=pixels.dtype.kind in "fc"):
            raise Differs(f"{place}: the pixels of t={t[0]} c={c[0]} z={z[0]} y={y} x={x} differ")
        sizes.append(pixels.size)
    return sizes


def _span(length: int, dice: random.Random) -> tuple[int, int]:
    start = dice.randrange(length)
    return start, dice.randint(start + 1, length)
