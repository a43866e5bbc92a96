"""The polygon or line of a region of interest on its picture."""

from dataclasses import replace

import cv2
import numpy as np

from coverslip.model.export import ShapeLook
from coverslip.model.rois import RoiShape
from coverslip.render.export.figure import Figure, Path
from coverslip.render.export.regions import Grid

THICKNESS_PART = 0.006
FAR = 1e7
"""Pixels; sixteenths of places further away are no whole numbers of 32 bits."""


def with_shape(figure: Figure, look: ShapeLook, shape: RoiShape, where: Grid, background: str) -> Figure:
    """Return a figure with the shape of its region drawn, and the surroundings filled where that is asked for.

    Parameters
    ----------
    figure
        The picture alone.
    look
        Colour and thickness.
    shape
        In pixels of the image at full resolution.
    where
        How the image became the picture.
    background
        Of what lies outside a polygon; of a pixel its middle counts.
    """
    corner = where.asked.x0, where.asked.y0
    points = tuple(((x - corner[0]) / where.step, (y - corner[1]) / where.step) for x, y in shape.points)
    if look.clip and shape.closed:
        inside = np.zeros(figure.pixels.shape[:2], np.uint8)
        # OpenCV counts from the middle of a pixel, in 1/16 of it
        fine = np.rint((np.clip(points, -FAR, FAR) - 0.5) * 16).astype(np.int32)
        cv2.fillPoly(inside, [fine], 1, cv2.LINE_8, 4)
        pixels = figure.pixels.copy()
        pixels[inside == 0] = list(bytes.fromhex(background[1:]))
        figure = replace(figure, pixels=pixels)
    if not look.outline:
        return figure
    thickness = look.thickness or max(1.0, min(figure.pixels.shape[:2]) * THICKNESS_PART)
    return figure.with_marks(Path(points, thickness, look.color, shape.closed))
