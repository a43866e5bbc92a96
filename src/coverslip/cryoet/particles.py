"""Particles of RELION 3 and 4, of TOMOMAN, of STOPGAP and of Dynamo: positions with shifts, and orientations.

None of these programs says whether its first pixel is 0 or 1 in a way that others follow, and none of the converters
between them moves a coordinate. Nothing is moved here either.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from coverslip.cryoet import rotations
from coverslip.cryoet.files import Text, read_text, shown
from coverslip.cryoet.pointset import Options, Points, PointShape, as_asked, is_of
from coverslip.cryoet.star import Star, Table, read_star

if TYPE_CHECKING:
    from coverslip.cryoet.rotations import Floats

COORDINATES = ("rlnCoordinateX", "rlnCoordinateY", "rlnCoordinateZ")
PIXEL_SHIFTS = ("rlnOriginX", "rlnOriginY", "rlnOriginZ")
ANGSTROM_SHIFTS = ("rlnOriginXAngst", "rlnOriginYAngst", "rlnOriginZAngst")
ANGLES = ("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi")
BOX_ANGLES = ("rlnTomoSubtomogramRot", "rlnTomoSubtomogramTilt", "rlnTomoSubtomogramPsi")
PIXEL_SIZES = ("rlnTomoTiltSeriesPixelSize", "rlnImagePixelSize")
"""Of an optics group, in angstroms; the first one that is there. Coordinates count pixels of the tilt series."""
GROUP = "rlnOpticsGroup"
STOPGAP = ("orig_x", "orig_y", "orig_z", "x_shift", "y_shift", "z_shift", "phi", "psi", "the")
DYNAMO_COLUMNS = 26
"""Columns up to z; further ones may be missing."""
DYNAMO = {"dx": 4, "dy": 5, "dz": 6, "tdrot": 7, "tilt": 8, "narot": 9, "x": 24, "y": 25, "z": 26}
"""Column numbers of the table convention in Dynamo's wiki, from 1."""
DYNAMO_TOMOGRAM = 20


def read_relion3(path: Path, shape: PointShape, options: Options) -> Points:
    """Return the particles of a RELION 3 star file that belong to a micrograph: ``coordinate - origin``, in pixels.

    Raises
    ------
    ReadError
        It is damaged, or has not the columns.
    """
    return _relion(read_star(path), "rlnMicrographName", shape, options)


def read_relion4(path: Path, shape: PointShape, options: Options) -> Points:
    """Return the particles of a RELION 4 star file that belong to a tomogram, or of one that TOMOMAN writes.

    Coordinates count pixels of the tilt series; shifts are angstroms and are divided by the pixel size of the
    particle's optics group. Where the box of a particle is turned itself, RELION's ``ParticleSet`` turns its shift and
    its orientation with it: ``coordinate - box @ origin``, ``box @ particle``. The shifts of TOMOMAN are pixels.

    Raises
    ------
    ReadError
        It is damaged, or has not the columns.
    """
    return _relion(read_star(path), "rlnTomoName", shape, options)


def read_stopgap(path: Path, shape: PointShape, options: Options) -> Points:
    """Return the particles of a STOPGAP motive list that belong to a tomogram number: ``orig + shift``, in pixels.

    Raises
    ------
    ReadError
        It is damaged, or has not the columns.
    """
    table = read_star(path).table_with("orig_x")
    if options.filter_value is not None:
        table = table.where([is_of(word, options.filter_value) for word in table.words("tomo_num")])
    values = table.numbers(STOPGAP)
    turned = rotations.stopgap(values[:, 6:9])
    return as_asked(path, shape, options, values[:, 0:3] + values[:, 3:6], rotations=turned)


def read_dynamo(path: Path, shape: PointShape, options: Options) -> Points:
    """Return the particles of a Dynamo table that belong to a tomogram number: ``x + dx``, in pixels.

    Raises
    ------
    ReadError
        A row has fewer than 26 columns, or no numbers in those that count.
    """
    text = read_text(path)
    numbers = [
        [text.number(words[at - 1], line, name) for name, at in DYNAMO.items()]
        for line, words in text.rows("%")
        if is_of(_tomogram(text, line, words), options.filter_value)
    ]
    values = np.array(numbers, np.float64).reshape(-1, len(DYNAMO))
    turned = rotations.dynamo(values[:, 3:6])
    return as_asked(path, shape, options, values[:, 6:9] + values[:, 0:3], rotations=turned)


def _tomogram(text: Text, line: int, words: list[str]) -> str:
    """Return the tomogram number of a row that is long enough."""
    if len(words) < DYNAMO_COLUMNS:
        raise text.wrong(line, f"a row of a Dynamo table has {DYNAMO_COLUMNS} columns or more, this one {len(words)}")
    return words[DYNAMO_TOMOGRAM - 1]


def _relion(star: Star, name: str, shape: PointShape, options: Options) -> Points:
    """Return the particles of any RELION file; ``name`` is the column that says where each belongs."""
    table = star.table_with(COORDINATES[0])
    if options.filter_value is not None:
        table = table.where([word == options.filter_value for word in table.words(name)])
    boxes = rotations.relion(table.numbers(BOX_ANGLES)) if BOX_ANGLES[0] in table else None
    shifts = _shifts(star, table)
    if boxes is not None:
        shifts = (boxes @ shifts[:, :, None])[:, :, 0]
    turned = None
    if shape == "OrientedPoint":
        turned = rotations.relion(table.numbers(ANGLES))
        turned = turned if boxes is None else boxes @ turned
    return as_asked(star.text.path, shape, options, table.numbers(COORDINATES) - shifts, rotations=turned)


def _shifts(star: Star, table: Table) -> "Floats":
    """Return what is taken off the coordinates, in pixels: shape (n, 3); zeros where the file has no shifts."""
    if ANGSTROM_SHIFTS[0] in table:
        return table.numbers(ANGSTROM_SHIFTS) / _pixel_sizes(star, table)[:, None]
    if PIXEL_SHIFTS[0] in table:
        return table.numbers(PIXEL_SHIFTS)
    return np.zeros((len(table.rows), 3))


def _pixel_sizes(star: Star, table: Table) -> "Floats":
    """Return the pixel size of each particle in angstroms: shape (n,)."""
    optics = star.blocks.get("optics")
    groups = None if optics is None else optics.table
    size = next((column for column in PIXEL_SIZES if groups is not None and column in groups), None)
    if groups is None or size is None:
        raise star.text.wrong(
            0, f"shifts in angstroms need data_optics with a pixel size, one of: {', '.join(PIXEL_SIZES)}"
        )
    sizes = groups.numbers([size])[:, 0]
    for value, line in zip(sizes, groups.rows, strict=True):
        if value <= 0:
            raise star.text.wrong(line, f"{size} is {value}")
    if GROUP not in table and len(sizes) == 1:
        return np.full(len(table.rows), sizes[0])
    names = groups.words(GROUP)
    found = dict(zip(names, sizes, strict=True))
    if len(found) != len(names):
        raise star.text.wrong(0, f"an optics group is there twice: {shown(names)}")
    wanted = table.words(GROUP)
    for group, line in zip(wanted, table.rows, strict=True):
        if group not in found:
            raise star.text.wrong(line, f"there is no optics group {shown(group)}")
    return np.array([found[group] for group in wanted], np.float64)
