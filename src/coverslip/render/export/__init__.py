"""Pictures for publications: fields of view, cells and regions, in the look of a marker set. Pure."""

from coverslip.render.export.cells import CellPaint, cell_paint, label_boxes
from coverslip.render.export.contrast import common_limits
from coverslip.render.export.figure import Figure, flatten
from coverslip.render.export.files import encode_figure
from coverslip.render.export.fov import Fov, Pixels
from coverslip.render.export.gallery import ContactSheet, PdfGallery
from coverslip.render.export.pictures import (
    Tiles,
    figure_of,
    render_crop_to_array,
    render_fov_to_array,
    render_roi_to_array,
    tiles_of,
)
from coverslip.render.export.raw import RawImage, raw_image
from coverslip.render.export.regions import Window, around, around_box, of_roi, whole
from coverslip.render.export.tiffs import write_raw, write_tiles

__all__ = [
    "CellPaint",
    "ContactSheet",
    "Figure",
    "Fov",
    "PdfGallery",
    "Pixels",
    "RawImage",
    "Tiles",
    "Window",
    "around",
    "around_box",
    "cell_paint",
    "common_limits",
    "encode_figure",
    "figure_of",
    "flatten",
    "label_boxes",
    "of_roi",
    "raw_image",
    "render_crop_to_array",
    "render_fov_to_array",
    "render_roi_to_array",
    "tiles_of",
    "whole",
    "write_raw",
    "write_tiles",
]
