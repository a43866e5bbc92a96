"""Regions in any of the formats, told apart by the ending of a file's name."""

from collections.abc import Sequence
from pathlib import PurePath

from coverslip.errors import InvalidRequestError
from coverslip.model.rois import Roi
from coverslip.rois.geojson import read_geojson, write_geojson
from coverslip.rois.imagej import read_imagej, read_imagej_zip, write_imagej, write_imagej_zip
from coverslip.rois.table import read_table, write_table

ENDINGS = (".csv", ".geojson", ".json", ".roi", ".zip")
"""The table of 24 columns; GeoJSON, twice; one region of ImageJ; several of them."""


def read_rois(data: bytes, name: str, fov: str = "") -> tuple[Roi, ...]:
    """Return the regions of a file.

    Parameters
    ----------
    data
        What is in it.
    name
        Of the file.
    fov
        The field of view of regions that name neither theirs nor a map.

    Raises
    ------
    InvalidRequestError
        The ending is that of no format.
    ReadError
        It is damaged, too large, or something else.
    """
    ending = ending_of(name)
    if ending == ".csv":
        found = read_table(data)
    elif ending == ".roi":
        found = (read_imagej(data, fov, PurePath(name).stem),)
    elif ending == ".zip":
        found = read_imagej_zip(data, fov)
    else:
        found = read_geojson(data, fov)
    return tuple(roi if roi.fov or roi.map_id or not fov else roi.model_copy(update={"fov": fov}) for roi in found)


def write_rois(rois: Sequence[Roi], name: str) -> bytes:
    """Return regions as the bytes of a file.

    Parameters
    ----------
    rois
        Which; those without edges have no place in GeoJSON.
    name
        Of the file.

    Raises
    ------
    InvalidRequestError
        The ending is that of no format, or the format cannot hold them: ``.roi`` holds one.
    """
    ending = ending_of(name)
    if ending == ".csv":
        return write_table(rois).encode()
    if ending == ".zip":
        return write_imagej_zip(rois)
    if ending == ".roi":
        if len(rois) != 1:
            raise InvalidRequestError(f"{name}: a .roi file holds one region, not {len(rois):,}: write a .zip")
        return write_imagej(rois[0])
    return write_geojson(rois).encode()


def ending_of(name: str) -> str:
    """Return the ending that says the format of a file of regions, in small letters.

    Raises
    ------
    InvalidRequestError
        It is that of no format.
    """
    ending = PurePath(name).suffix.lower()
    if ending not in ENDINGS:
        raise InvalidRequestError(f"{name}: regions are in files that end with {', '.join(ENDINGS)}")
    return ending
