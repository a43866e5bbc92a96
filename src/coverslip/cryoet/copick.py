"""Picks of copick: a JSON document with places in angstroms and 4 x 4 transformations."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coverslip.cryoet import rotations
from coverslip.cryoet.files import MOST_POINTS, json_number, json_whole, read_json, shown
from coverslip.cryoet.pointset import Options, Points, PointShape, as_asked
from coverslip.errors import ReadError

if TYPE_CHECKING:
    from coverslip.cryoet.rotations import Floats

IDENTITY = np.eye(4)


def read_copick(path: Path, shape: PointShape, options: Options) -> Points:
    """Return the picks of one file: ``location + translation``, divided by binning, which is the voxel size.

    The upper left 3 x 3 of a transformation is the orientation, its last column a shift in angstroms, which copick
    itself adds when it exports; a pick without a transformation is not turned. The ids of instances are those of the
    file. Where they are all 0, which copick writes when nobody gave any, each pick is an instance of its own, from 0.

    Raises
    ------
    ReadError
        It is damaged, its unit is not angstrom, or a transformation is no rotation.
    """
    document = read_json(path)
    picks = document.get("points") if isinstance(document, dict) else None
    if not isinstance(picks, list):
        raise ReadError(f"{path}: this is no file of copick: it has no list of points")
    if len(picks) > MOST_POINTS:
        raise ReadError(f"{path}: {len(picks):,} points are too many; {MOST_POINTS:,} may be")
    if document.get("unit") not in {None, "angstrom"}:
        raise ReadError(f"{path}: places are read in angstroms, not in {shown(document['unit'])}")
    places = np.empty((len(picks), 3))
    transforms = np.empty((len(picks), 4, 4))
    ids = np.empty(len(picks), np.int64)
    for n, pick in enumerate(picks):
        places[n], transforms[n], ids[n] = _pick(path, pick, f"points[{n}]")
    turned = transforms[:, :3, :3]
    if shape == "OrientedPoint" and (wrong := rotations.first_that_is_none(turned)) is not None:
        raise ReadError(f"{path}: points[{wrong}].transformation_ is no rotation")
    if not ids.any():
        ids = np.arange(len(picks), dtype=np.int64)
    return as_asked(path, shape, options, places + transforms[:, :3, 3], rotations=turned, instance_ids=ids)


def _pick(path: Path, pick: Any, where: str) -> "tuple[list[float], Floats, int]":
    """Return place, transformation and instance id of one pick."""
    place = pick.get("location") if isinstance(pick, dict) else None
    if not isinstance(place, dict):
        raise ReadError(f"{path}: {where} has no location")
    location = [json_number(place.get(axis), path, f"{where}.location.{axis}") for axis in "xyz"]
    number = pick.get("instance_id")
    return (
        location,
        _transform(path, pick.get("transformation_"), f"{where}.transformation_"),
        0 if number is None else json_whole(number, path, f"{where}.instance_id"),
    )


def _transform(path: Path, rows: Any, where: str) -> "Floats":
    if rows is None:
        return IDENTITY
    if not (isinstance(rows, list) and len(rows) == 4 and all(isinstance(row, list) and len(row) == 4 for row in rows)):
        raise ReadError(f"{path}: {where} is no matrix of 4 x 4")
    matrix = np.array([[json_number(value, path, where) for value in row] for row in rows])
    if not np.array_equal(matrix[3], IDENTITY[3]):
        raise ReadError(f"{path}: {where} ends with {matrix[3].tolist()}, not with 0, 0, 0, 1")
    return matrix
