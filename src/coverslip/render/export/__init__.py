"""Pictures for publications: fields of view, cells and regions, in the look of a marker set. Pure."""

from coverslip.render.export.cells import CellPaint, cell_paint, label_boxes
from coverslip.render.export.fov import Fov, Pixels
from coverslip.render.export.figure import Figure, flatten
from coverslip.render.export.pictures import (
    Tiles,
    figure_of,
    render_crop_to_array,
    render_fov_to_array,
    render_roi_to_array,
    tiles_of,
)
from coverslip.render.export.regions import Window, around, around_box, of_roi, whole

__all__ = [
    "CellPaint",
    "Fov",
    "Figure",
    "Pixels",
    "Tiles",
    "Window",
    "around",
    "around_box",
    "cell_paint",
    "figure_of",
    "flatten",
    "label_boxes",
    "of_roi",
    "render_crop_to_array",
    "render_fov_to_array",
    "render_roi_to_array",
    "tiles_of",
    "whole",
]
