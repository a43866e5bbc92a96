"""Key photos of tomograms: the middle slices with what a viewer shows of the annotations when it is opened.

Four, as in the CryoET Data Portal: the whole plane, and three made from it that are cut to 4:3.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from coverslip.cryoet import read_ndjson
from coverslip.cryoet.pointset import PointShape
from coverslip.derive.kind import Follows, Inputs, Of, Subject
from coverslip.derive.viewing.layout_files import MASK_FORMATS, file_of, opened, path_of, voxel_spacing_of
from coverslip.derive.viewing.measured import CONTRAST_LIMITS, measured
from coverslip.derive.viewing.states import layers_of
from coverslip.errors import ImageLoadError, RegionError, StorageError, UnreadableFileError
from coverslip.model import CanRead, Region
from coverslip.model.entities import EntityRecord
from coverslip.neuroglancer import AnnotationLayer, colored
from coverslip.neuroglancer.colors import instance_color
from coverslip.render import encode
from coverslip.render.key_photo import (
    LARGEST,
    SLICES,
    Picture,
    Rgb,
    Slab,
    cut_to_ratio,
    grey,
    of_width,
    paint_mask,
    paint_points,
    project,
    radius_of,
    slab_of,
)

MIDDLE = "tomogram-middle"
KEY_PHOTO = "key-photo-original"
WIDTHS = {"key-photo-snapshot": 512, "key-photo-thumbnail": 134, "key-photo-expanded": 1024}
"""Pixels of those that are made from it."""
POINTS: tuple[PointShape, ...] = ("Point", "OrientedPoint", "InstanceSegmentation")
MASKS = ("SegmentationMask", "SemanticSegmentationMask", "InstanceSegmentationMask")
MOST_VALUES = 1 << 24
"""Voxels of a mask held in memory at a time."""


@dataclass(frozen=True, slots=True)
class Middle:
    """The middle slices of a tomogram in grey. An annotation more reads no voxel of the tomogram again."""

    name: str = MIDDLE
    version: int = 1
    of: Of = "image"
    needs: tuple[str, ...] = (CONTRAST_LIMITS,)
    follows: tuple[Follows, ...] = ()
    allows_stale: bool = False
    media_type: str = "image/png"
    suffix: str = ".png"

    def cost(self, subject: Subject) -> int:
        """Return how many slices are read of the tomogram."""
        return min(SLICES, subject.image.metadata.size_z)

    def build(self, _subject: Subject, inputs: Inputs) -> bytes:
        """Return the picture as PNG."""
        limits = measured(inputs.artifacts[CONTRAST_LIMITS]).limits
        with inputs.open_source() as image:
            pixels = project(image, largest=LARGEST)
        return encode(grey(pixels, limits.range_2d), self.media_type)


@dataclass(frozen=True, slots=True)
class KeyPhoto:
    """The middle slices of a tomogram, whole, with points and masks in the colours of the viewer's layers."""

    name: str = KEY_PHOTO
    version: int = 1
    of: Of = "image"
    needs: tuple[str, ...] = (MIDDLE,)
    follows: tuple[Follows, ...] = ("entities",)
    allows_stale: bool = True
    media_type: str = "image/png"
    suffix: str = ".png"

    def cost(self, _subject: Subject) -> int:
        """Return the one picture that is read."""
        return 1

    def build(self, subject: Subject, inputs: Inputs) -> bytes:
        """Return the picture as PNG."""
        picture = _decoded(inputs.artifacts[MIDDLE])
        surroundings = inputs.known.surroundings(subject.image.id)
        if surroundings is not None:
            slab = slab_of(subject.image.metadata, picture)
            painter = _Painter(picture, slab, voxel_spacing_of(surroundings.tomogram), inputs)
            for layer in drawn_layers(surroundings.annotations):
                painter.paint(*layer)
        return encode(picture, self.media_type)


@dataclass(frozen=True, slots=True)
class SmallKeyPhoto:
    """The key photo cut to 4:3, in one width."""

    name: str
    width: int
    version: int = 1
    of: Of = "image"
    needs: tuple[str, ...] = (KEY_PHOTO,)
    follows: tuple[Follows, ...] = ()
    allows_stale: bool = True
    media_type: str = "image/png"
    suffix: str = ".png"

    def cost(self, _subject: Subject) -> int:
        """Return the one picture that is read."""
        return 1

    def build(self, _subject: Subject, inputs: Inputs) -> bytes:
        """Return the picture as PNG."""
        whole = _decoded(inputs.artifacts[KEY_PHOTO])
        return encode(of_width(cut_to_ratio(whole), self.width), self.media_type)


def _decoded(png: bytes) -> Picture:
    """Return a picture out of the storage.

    Raises
    ------
    StorageError
        It is none.
    """
    whole = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    if whole is None:
        raise StorageError("the picture of a tomogram in the storage is none")
    return cv2.cvtColor(whole, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


KEY_PHOTOS: tuple[KeyPhoto | SmallKeyPhoto, ...] = (
    KeyPhoto(),
    *(SmallKeyPhoto(name, width) for name, width in WIDTHS.items()),
)
"""All of them, the one that the others are made from first."""


def drawn_layers(annotations: tuple[EntityRecord, ...]) -> list[tuple[AnnotationLayer, EntityRecord, str]]:
    """Return what a key photo shows, oldest first, with the colours that the viewer has: masks, then points.

    That is what a viewer shows when it is opened, but for meshes. Of an annotation with points and oriented points,
    the points are drawn once.
    """
    of = {one.id: one for one in annotations}
    layers = [layer for one in annotations for layer in layers_of(one, None)]
    shown = [(layer, of[layer.number], color) for layer, color in colored(layers) if layer.is_visualization_default]
    with_points = {layer.number for layer, _, _ in shown if layer.shape == "Point"}
    masks = [one for one in shown if one[0].shape in MASKS]
    points = [
        one
        for one in shown
        if one[0].shape in POINTS and not (one[0].shape == "OrientedPoint" and one[0].number in with_points)
    ]
    return masks + points


@dataclass(frozen=True, slots=True)
class _Painter:
    """Draws annotations into the photo of a tomogram."""

    picture: Picture
    slab: Slab
    spacing: float
    """Of the tomogram, in angstrom."""
    inputs: Inputs

    def paint(self, layer: AnnotationLayer, entity: EntityRecord, color: str) -> None:
        """Draw one layer; what is damaged is left out, what could not be looked at is an error."""
        try:
            if layer.shape in MASKS:
                self._mask(layer, entity, color)
            else:
                self._points(layer, entity, color)
        except UnreadableFileError:
            raise
        except (ImageLoadError, RegionError):
            return

    def _points(self, layer: AnnotationLayer, entity: EntityRecord, color: str) -> None:
        shape = next(one for one in POINTS if one == layer.shape)
        points = read_ndjson(path_of(self.inputs, entity, file_of(entity, shape, "ndjson")), shape)
        places = points.coordinates * (layer.voxel_spacing / self.spacing)
        first, last = self.slab.span
        inside = (places[:, 2] >= first - 0.5) & (places[:, 2] < last - 0.5)
        colors = np.array([rgb_of(color)], np.uint8)
        if points.instance_ids is not None:
            numbers, each = np.unique(points.instance_ids[inside], return_inverse=True)
            seed = layer.color_seed.number
            known = [rgb_of(instance_color(seed, number)) for number in numbers.tolist()]
            colors = np.array(known, np.uint8).reshape(-1, 3)[each]
        on_photo = (places[inside, :2] + 0.5) * self.slab.scale - 0.5
        paint_points(self.picture, on_photo, colors, radius_of(self.slab.size))

    def _mask(self, layer: AnnotationLayer, entity: EntityRecord, color: str) -> None:
        with opened(self.inputs, entity, file_of(entity, layer.shape, *MASK_FORMATS)) as mask:
            found = _mask_in(mask, self.slab, self.spacing / layer.voxel_spacing)
        if layer.shape != "InstanceSegmentationMask":
            paint_mask(self.picture, (found == 1).astype(np.uint8), [rgb_of(color)])
            return
        numbers, each = np.unique(found, return_inverse=True)
        seed = layer.color_seed.number
        known = [rgb_of(instance_color(seed, number)) for number in numbers.tolist()]
        paint_mask(self.picture, np.where(found > 0, each.reshape(found.shape) + 1, 0), known)


def _mask_in(mask: CanRead, slab: Slab, step: float) -> NDArray[np.int64]:
    """Return the largest label of a mask in the slab at every pixel of its photo; 0 outside of the mask.

    Parameters
    ----------
    mask
        Only the slices and rows that are shown are read.
    slab
        Which slices, and how large the photo is.
    step
        Voxels of the mask for each pixel of the tomogram.
    """
    meta = mask.metadata
    rows, columns = slab.size
    first, last = (max(0, _nearest(slab.span[0] * step)), min(meta.size_z, _nearest((slab.span[1] - 1) * step) + 1))
    found = np.zeros((rows, columns), np.int64)
    y, x = (_places(length, slab.scale, step) for length in (rows, columns))
    wide = np.flatnonzero((x >= 0) & (x < meta.size_x))
    if first >= last or not wide.size:
        return found
    left, right = int(x[wide[0]]), int(x[wide[-1]]) + 1
    at_once = max(1, MOST_VALUES // ((last - first) * (right - left)))
    for row, high in _bands(y, meta.size_y, at_once):
        box = Region((0, 1), (0, 1), (first, last), (int(y[row]), int(y[high - 1]) + 1), (left, right))
        block = mask.read(0, box)
        labels = (block if block.ndim == 5 else block[..., 0])[0, 0].max(axis=0)
        found[row:high, wide] = labels[np.ix_(y[row:high] - y[row], x[wide] - left)].astype(np.int64)
    return found


def _bands(y: NDArray[np.int64], size: int, at_once: int) -> Iterator[tuple[int, int]]:
    """Yield rows of the photo, half-open, that lie in the mask and need no more than so many rows of it."""
    inside = np.flatnonzero((y >= 0) & (y < size))
    if not inside.size:
        return
    row, end = int(inside[0]), int(inside[-1]) + 1
    while row < end:
        high = int(np.searchsorted(y[:end], y[row] + at_once))
        high = max(row + 1, high)
        yield row, high
        row = high


def _places(length: int, scale: float, step: float) -> NDArray[np.int64]:
    """Return the voxel of a mask that lies at each pixel of a photo: centres of first voxels lie on each other."""
    centers = (np.arange(length) + 0.5) / scale - 0.5
    return np.floor(centers * step + 0.5).astype(np.int64)


def _nearest(place: float) -> int:
    return int(np.floor(place + 0.5))


def rgb_of(color: str) -> Rgb:
    """Return red, green and blue of ``#rrggbb``."""
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)
