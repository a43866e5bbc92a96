"""Everything that a viewer state depends on, as frozen values, and which annotations belong to a tomogram."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from coverslip.errors import InvalidRequestError
from coverslip.model import ImageMetadata
from coverslip.model.annotations import Annotation
from coverslip.neuroglancer.colors import ColorSeed
from coverslip.neuroglancer.contrast import ContrastLimits
from coverslip.ngff.documents import Color, Window

Shape = Literal[
    "Point",
    "OrientedPoint",
    "InstanceSegmentation",
    "SegmentationMask",
    "SemanticSegmentationMask",
    "InstanceSegmentationMask",
    "TriangularMesh",
    "TriangularMeshGroup",
]
"""What an annotation of a tomogram is given as. Captions have no layer."""
SHAPES: tuple[Shape, ...] = get_args(Shape)


def _check_spacing(spacing: float, of: str) -> None:
    if not (math.isfinite(spacing) and spacing > 0):
        raise InvalidRequestError(f"{of}: a voxel spacing is a positive number of angstroms, not {spacing}")


@dataclass(frozen=True, slots=True)
class Tomogram:
    """What a state says of a tomogram beyond its pixels.

    Raises
    ------
    InvalidRequestError
        The voxel spacing is no positive number.
    """

    number: int
    """Its public number."""
    voxel_spacing: float
    """Side of a voxel in angstroms."""
    alignment: str = ""
    """Its alignment, as its metadata says; empty where they name none."""
    contrast: ContrastLimits | None = None
    """``None`` where nobody measured it yet: Neuroglancer then shows the range of the type."""
    deposition: int | None = None
    key: str = ""
    """Its OME-Zarr below the top of the layout; only needed where that is published."""

    def __post_init__(self) -> None:
        _check_spacing(self.voxel_spacing, f"tomogram {self.number}")


@dataclass(frozen=True, slots=True)
class AnnotationLayer:
    """One shape of an annotation of a tomogram.

    Raises
    ------
    InvalidRequestError
        The shape has no layer, or the voxel spacing is no positive number.
    """

    number: int
    """The public number of the annotation. Smaller ones are older and keep their colours."""
    object_name: str
    shape: Shape
    voxel_spacing: float
    """Side of the voxels that it counts in, in angstroms; need not be that of the tomogram."""
    alignment: str = ""
    """Its alignment, as its metadata says; empty where they name none."""
    is_visualization_default: bool = False
    has_oriented_mesh: bool = False
    """Whether there is a mesh at each oriented point."""
    seed: ColorSeed | None = None
    """What its colour follows from; ``None`` is made of object and shape."""
    labels: tuple[int, ...] | None = None
    """The instances of a mask; ``None`` where they are too many to be named, or are not known."""
    key: str = ""
    """What its precomputed folders begin with below the top of the layout, up to the ``_`` before the shape; only
    needed where they are published."""

    def __post_init__(self) -> None:
        if self.shape not in SHAPES:
            raise InvalidRequestError(f"annotation {self.number}: {self.shape!r} has no layer; known: {SHAPES}")
        _check_spacing(self.voxel_spacing, f"annotation {self.number}")

    @property
    def color_seed(self) -> ColorSeed:
        """What its colour follows from."""
        return self.seed or ColorSeed(object_name=self.object_name, shape=self.shape)


@dataclass(frozen=True, slots=True)
class LabelLayer:
    """A label image of an image."""

    name: str
    is_visible: bool = False
    labels: tuple[int, ...] | None = None
    """Its objects; ``None`` where they are too many to be named, or are not known. All are shown either way."""
    has_properties: bool = False
    """Whether the cell table says something about them."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a cell is: pixels of the full resolution, whole numbers being centres of pixels."""

    id: str
    x: float
    y: float
    z: float = 0.0
    t: float = 0.0
    description: str = ""


@dataclass(frozen=True, slots=True)
class CellLayer:
    """The objects of a cell table, as points."""

    name: str
    count: int
    places: tuple[Place, ...] = ()
    """All of them, or none where they are more than a state holds (``marks.INLINE``)."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What one state shows. Equal scenes have equal states, byte by byte; the order of layers here does not count."""

    image_id: str
    name: str
    metadata: ImageMetadata
    tomogram: Tomogram | None = None
    """What makes it a tomogram; any other image is shown channel by channel."""
    windows: tuple[Window, ...] = ()
    """Display range of every channel, colour samples counted as channels; of images that are no tomograms."""
    colors: tuple[Color, ...] | None = None
    """Display colour of every channel, of images that are no tomograms."""
    layers: tuple[AnnotationLayer, ...] = ()
    """Annotations of a tomogram; see ``matching``."""
    labels: tuple[LabelLayer, ...] = ()
    annotations: tuple[Annotation, ...] = ()
    """What people marked in the image."""
    cells: tuple[CellLayer, ...] = ()

    def __post_init__(self) -> None:
        if self.layers and self.tomogram is None:
            raise InvalidRequestError(f"{self.name}: only tomograms have annotations of depositions")


def _same(path: str) -> str:
    return path


def matching(
    layers: Iterable[AnnotationLayer],
    tomogram: Tomogram,
    *,
    default: str = "",
    comparable: Callable[[str], str] = _same,
) -> tuple[AnnotationLayer, ...]:
    """Return the layers that lie in the space of a tomogram: those with its alignment.

    Parameters
    ----------
    layers
        Of the whole run: every voxel spacing, every deposition.
    tomogram
        Whose state it is for.
    default
        The alignment of those that name none: the run's default.
    comparable
        Gives one form to all ways of writing a path, and ``""`` to what is none, which is nobody's alignment:
        ``cryoet.alignment_path.normalised`` with the layout filled in.

    Returns
    -------
    tuple of AnnotationLayer
        In the order of their numbers.
    """
    wanted = comparable(tomogram.alignment or default)
    if not wanted and (tomogram.alignment or default):
        return ()
    found = (one for one in layers if _is_in(one, wanted, default, comparable))
    return tuple(sorted(found, key=lambda one: (one.number, SHAPES.index(one.shape))))


def _is_in(layer: AnnotationLayer, wanted: str, default: str, comparable: Callable[[str], str]) -> bool:
    named = layer.alignment or default
    found = comparable(named)
    return found == wanted and bool(found or not named)
