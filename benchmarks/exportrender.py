"""Pictures for publications out of pixels in memory, beside the same formulas written in plain NumPy."""

from functools import partial
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.conditions import is_quick
from benchmarks.contest import counted, timed
from benchmarks.row import Row
from coverslip.model.export import CellClass, CellLook, ChannelLook, ExportSpec, MarkerSet, MaskLook, ScaleBar
from coverslip.render.export import (
    Fov,
    around,
    cell_paint,
    encode_figure,
    figure_of,
    render_crop_to_array,
    render_fov_to_array,
    whole,
)

COLORS = {"DAPI": (0, 0, 1), "CD45": (0, 1, 0), "CD3": (1, 0, 0), "CD8": (0, 1, 1)}
LOW, HIGH = 60.0, 3000.0
CELL, PITCH, CROP = 22, 24, 128
EPS = float(np.finfo(np.float32).eps)

type Planes = dict[str, NDArray[np.uint16]]


def rows() -> list[Row]:
    """Return a row for whole fields, crops, coloured cells and files; the pictures are compared before."""
    side, crops = (512, 50) if is_quick() else (2048, 1000)
    planes, labels = field(side)
    fov = Fov("FOV1", dict(planes), {"whole_cell": labels}, pixel_um=(0.39, 0.39))
    spec = ExportSpec(markers=markers(), masks=(MaskLook(mask="whole_cell"),))
    np.testing.assert_array_equal(render_fov_to_array(fov, spec), plain(planes, labels))
    centers = np.random.default_rng(1).integers(CROP, side - CROP, (crops, 2)).tolist()
    barred = spec.model_copy(update={"scale_bar": ScaleBar()})
    return [
        timed(
            f"picture of a field of {side} x {side}, 4 channels and outlines",
            {"coverslip": partial(render_fov_to_array, fov, spec), "plain NumPy": partial(plain, planes, labels)},
            within=0.4,
            of="plain NumPy",
            note="from arrays in memory",
        ),
        counted(
            f"crops of {CROP} x {CROP}, 4 channels and outlines",
            {
                "coverslip": lambda: [
                    render_crop_to_array(fov, spec, center_xy=(x, y), size_px=CROP) for x, y in centers
                ],
                "plain NumPy": lambda: [plain_crop(planes, labels, x, y) for x, y in centers],
            },
            count=crops,
            times=1.5,
            of="plain NumPy",
        ),
        counted(
            f"crops of {CROP} x {CROP}, 4 channels, outlines and scale bar, as PNG",
            {
                "coverslip": lambda: [_png(fov, barred, x, y) for x, y in centers],
                "plain NumPy": lambda: [plain_png(plain_crop(planes, labels, x, y)) for x, y in centers],
            },
            count=crops,
            times=1,
            of="plain NumPy",
            note="plain NumPy has no scale bar, and writes with OpenCV's defaults",
        ),
        _painted(fov, spec, planes, labels),
        timed(
            f"PNG of a field of {side} x {side}, 4 channels and outlines",
            {
                "coverslip": lambda: encode_figure(figure_of(fov, spec, whole(fov.size)), "png"),
                "plain NumPy": lambda: plain_png(plain(planes, labels)),
            },
            within=0.8,
            of="plain NumPy",
            usual_rounds=5,
            note="plain NumPy writes with OpenCV's defaults",
        ),
    ]


def field(side: int) -> tuple[Planes, NDArray[np.int32]]:
    """Return noisy channels and a mask full of square cells."""
    random = np.random.default_rng(0)
    planes = {name: random.gamma(2, 400, (side, side)).astype(np.uint16) for name in COLORS}
    y, x = np.mgrid[:side, :side]
    inside = (y % PITCH < CELL) & (x % PITCH < CELL)
    numbers = y // PITCH * -(-side // PITCH) + x // PITCH + 1
    return planes, np.where(inside, numbers, 0).astype(np.int32)


def markers() -> MarkerSet:
    """Return the look of the four channels."""
    looks = (
        ChannelLook(channel=name, color="#" + "".join(f"{255 * part:02x}" for part in color), low=LOW, high=HIGH)
        for name, color in COLORS.items()
    )
    return MarkerSet(name="Immune", channels=tuple(looks))


def plain(planes: Planes, labels: NDArray[np.int32]) -> NDArray[np.uint8]:
    """Return the picture as anybody would write it."""
    total = plain_sum(planes)
    total[plain_boundary(labels)] = 1
    return to_bytes(total)


def plain_sum(planes: Planes) -> NDArray[np.float32]:
    """Return the channels in their colours: Y, X, 3."""
    total = np.zeros((*next(iter(planes.values())).shape, 3), np.float32)
    for name, color in COLORS.items():
        grey = np.clip((planes[name].astype(np.float32) - LOW) / max(HIGH - LOW, EPS), 0, 1)
        total += grey[..., None] * np.array(color, np.float32)
    clipped: NDArray[np.float32] = np.clip(total, 0, 1)
    return clipped


def plain_boundary(labels: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Return inner boundaries by comparing with four shifted copies."""
    wide = np.pad(labels, 1, mode="edge")
    differs = wide[:-2, 1:-1] != labels
    differs |= wide[2:, 1:-1] != labels
    differs |= wide[1:-1, :-2] != labels
    differs |= wide[1:-1, 2:] != labels
    inner: NDArray[np.bool_] = differs & (labels != 0)
    return inner


def to_bytes(total: NDArray[Any]) -> NDArray[np.uint8]:
    """Return brightness as bytes, cut and not rounded."""
    cut: NDArray[np.uint8] = (np.clip(total, 0, 1) * 255).astype(np.uint8)
    return cut


def plain_crop(planes: Planes, labels: NDArray[np.int32], x: int, y: int) -> NDArray[np.uint8]:
    """Return a crop."""
    part = slice(y - CROP // 2, y + CROP // 2), slice(x - CROP // 2, x + CROP // 2)
    return plain({name: plane[part] for name, plane in planes.items()}, labels[part])


def plain_png(picture: NDArray[np.uint8]) -> bytes:
    """Return a PNG."""
    return bytes(cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1])


def _png(fov: Fov, spec: ExportSpec, x: int, y: int) -> bytes:
    return encode_figure(figure_of(fov, spec, around((x, y), CROP)), "png")


def _painted(fov: Fov, spec: ExportSpec, planes: Planes, labels: NDArray[np.int32]) -> Row:
    """Return the row of cells in the colours of their classes."""
    numbers = np.arange(1, int(labels.max()) + 1)
    classes = (CellClass(value="0", color="#ff0000"), CellClass(value="1", color="#00ff00"))
    look = CellLook(mask="whole_cell", column="class", classes=classes)
    painted = Fov(fov.name, fov.channels, fov.masks, paint=cell_paint(look, numbers, numbers % 3))
    colored = spec.model_copy(update={"cells": look, "masks": ()})

    def by_hand() -> NDArray[np.uint8]:
        total = plain_sum(planes)
        edge = plain_boundary(labels)
        for kind, color in ((0, (1, 0, 0)), (1, (0, 1, 0))):
            inside = (labels % 3 == kind) & (labels != 0)
            part = np.float32(0.35)
            total[inside] = (1 - part) * total[inside] + part * np.array(color, np.float32)
            total[inside & edge] = color
        return to_bytes(total)

    np.testing.assert_array_equal(render_fov_to_array(painted, colored), by_hand())
    side = fov.size[0]
    return timed(
        f"picture of a field of {side} x {side}, 4 channels and every cell in its class's colour",
        {"coverslip": partial(render_fov_to_array, painted, colored), "plain NumPy": by_hand},
        within=0.8,
        of="plain NumPy",
        usual_rounds=5,
    )
