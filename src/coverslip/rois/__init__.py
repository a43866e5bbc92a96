"""Regions of interest as other programs write them: CSV tables, GeoJSON, ImageJ files; and expressions over their tags.

Bytes and text in, values out, and back. Pure; opens no file.
"""

from coverslip.rois.formats import read_rois, write_rois
from coverslip.rois.geojson import read_geojson, write_geojson
from coverslip.rois.imagej import read_imagej, read_imagej_zip, write_imagej, write_imagej_zip
from coverslip.rois.merging import merged
from coverslip.rois.table import COLUMNS, read_table, write_table
from coverslip.rois.tags import TagExpression, parse_tags

__all__ = [
    "COLUMNS",
    "TagExpression",
    "merged",
    "parse_tags",
    "read_geojson",
    "read_imagej",
    "read_imagej_zip",
    "read_rois",
    "read_table",
    "write_geojson",
    "write_imagej",
    "write_imagej_zip",
    "write_rois",
    "write_table",
]
