"""One layer of a viewer state for each thing that is known about an image. Pure: values -> documents."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np

from coverslip.neuroglancer import shaders
from coverslip.neuroglancer.channels import check_type, limits
from coverslip.neuroglancer.colors import hash_of, instance_color, viewer_seed
from coverslip.neuroglancer.marks import INLINE, Mark
from coverslip.neuroglancer.scene import AnnotationLayer, LabelLayer, Scene, Shape, Tomogram
from coverslip.neuroglancer.sources import Sources

type Document = dict[str, Any]

MOST_LABELS = 256
"""Instances whose colours are in the state itself; more are coloured by Neuroglancer, from a seed that is."""
EXACT = 1 << 53
"""Labels below it are the same number in every JSON parser."""
MESH_DETAIL = 2.0
ORIENTED_MESH_DETAIL = 4.0


class Look(NamedTuple):
    """How a shape is shown: what its layer is called, and where its precomputed form is."""

    type: Literal["annotation", "segmentation"]
    title: str
    suffix: str
    is_mask: bool = False


LOOKS: Mapping[Shape, Look] = {
    "Point": Look("annotation", "point", "point"),
    "OrientedPoint": Look("annotation", "orientedpoint", "orientedpoint"),
    "InstanceSegmentation": Look("annotation", "point", "instancesegmentation"),
    "SegmentationMask": Look("segmentation", "segmentation", "segmentationmask", is_mask=True),
    "SemanticSegmentationMask": Look("segmentation", "segmentation", "semanticsegmentationmask", is_mask=True),
    "InstanceSegmentationMask": Look("segmentation", "instancesegmentation", "instancesegmentationmask", is_mask=True),
    "TriangularMesh": Look("segmentation", "mesh", "triangularmesh"),
    "TriangularMeshGroup": Look("segmentation", "mesh", "triangularmeshgroup"),
}
ORIENTED_MESH = Look("segmentation", "orientedmesh", "orientedmesh")
POINT_SHADERS: Mapping[Shape, str] = {
    "Point": shaders.POINTS,
    "OrientedPoint": shaders.ORIENTED_POINTS,
    "InstanceSegmentation": shaders.INSTANCE_POINTS,
}


@lru_cache(maxsize=64)
def meters(angstroms: float) -> float:
    """Return a length in metres, exactly the number that would be written down: 10.012 is 1.0012e-09."""
    return float(Decimal(repr(angstroms)).scaleb(-10))


def dimensions(angstroms: float) -> Document:
    """Return the three dimensions of a space of such voxels."""
    return {axis: [meters(angstroms), "m"] for axis in "xyz"}


def image_layer(scene: Scene, tomogram: Tomogram, name: str, sources: Sources) -> Document:
    """Return the layer of a tomogram's pixels."""
    check_type(scene.metadata)
    return {
        "type": "image",
        "name": name,
        "source": {"url": sources.image(scene), "transform": _in_space(tomogram.voxel_spacing, sources.axes)},
        "tab": "rendering",
        "visible": True,
        "opacity": 1.0,
        "blend": "additive",
        "volumeRendering": "off",
        "volumeRenderingGain": -7.8,
        "volumeRenderingDepthSamples": 128,
        "codeVisible": False,
        "shader": shaders.TOMOGRAM,
        "shaderControls": _contrast(tomogram, np.dtype(scene.metadata.dtype)),
    }


def _in_space(angstroms: float, axes: Sequence[str]) -> Document:
    """Return the transform that gives voxels this size, whatever their file says.

    It has every axis of the source: Neuroglancer passes over a transform of another number of axes. Those that are none
    of space become the layer's own, so that the viewer shows no slider for them.
    """
    space = dimensions(angstroms)
    given = {axis: space.get(axis, [1, ""]) for axis in axes}
    own = {axis if axis in space or axis.endswith("'") else f"{axis}'": scale for axis, scale in given.items()}
    return {"outputDimensions": own, "inputDimensions": given}


def annotation_layers(one: AnnotationLayer, space: float, color: str, sources: Sources) -> list[Document]:
    """Return the layer of one shape of an annotation, before it that of the meshes at its points where there are any.

    Parameters
    ----------
    one
        What to show.
    space
        Voxel spacing of the tomogram in angstroms.
    color
        Of the layer, ``#rrggbb``.
    sources
        Where things are.
    """
    look = LOOKS[one.shape]
    if look.type == "segmentation":
        return [_segmentation(one, look, space, color, sources)]
    has_mesh = one.shape == "OrientedPoint" and one.has_oriented_mesh
    points = {
        "type": "annotation",
        "name": f"{one.number} {one.object_name} {look.title}",
        "source": _precomputed(one, look, space, sources),
        "tab": "rendering",
        "visible": one.is_visualization_default and not has_mesh,
        "annotationColor": color,
        "codeVisible": False,
        "shader": POINT_SHADERS[one.shape],
        "shaderControls": {"pointScale": 1.0, "opacity": 1.0}
        | ({"lineWidth": 1.0} if one.shape == "OrientedPoint" else {}),
    }
    return [_segmentation(one, ORIENTED_MESH, space, color, sources), points] if has_mesh else [points]


def label_layer(scene: Scene, one: LabelLayer, name: str, sources: Sources) -> Document | None:
    """Return the layer of a label image, or ``None`` where it cannot be had."""
    url = sources.labels(scene, one.name)
    if url is None:
        return None
    properties = sources.label_properties(scene, one.name) if one.has_properties else None
    seed = hash_of(f"{scene.image_id} {one.name}")
    return {
        "type": "segmentation",
        "name": name,
        "source": [{"url": address} for address in (url, properties) if address is not None],
        "tab": "segments" if properties else "rendering",
        "visible": one.is_visible,
        "selectedAlpha": 0.5,
        "ignoreNullVisibleSet": True,
        "colorSeed": viewer_seed(seed),
        **_colors(seed, one.labels),
    }


def marks_layer(name: str, color: str, marks: Sequence[Mark], space: Document, urls: Sequence[str | None]) -> Document:
    """Return a layer of annotations: in the state itself while they are few, else read from ``urls``.

    Parameters
    ----------
    name, color
        Of the layer.
    marks
        What is in it; empty where it is only known elsewhere.
    space
        Dimensions of the state.
    urls
        Where the annotations of each type are, ``None`` where they are nowhere but here.
    """
    layer = {"type": "annotation", "name": name, "tab": "annotations", "visible": True, "annotationColor": color}
    if not 0 < len(marks) <= INLINE and None not in urls:
        return {**layer, "source": [{"url": url} for url in urls]}
    local = {"url": "local://annotations", "transform": {"outputDimensions": space}}
    return {**layer, "source": local, "annotations": [mark.document() for mark in marks]}


def _segmentation(one: AnnotationLayer, look: Look, space: float, color: str, sources: Sources) -> Document:
    has_instances = one.shape == "InstanceSegmentationMask"
    if has_instances:
        seed = one.color_seed.number
        shown = {"colorSeed": viewer_seed(seed)} if _too_many(one.labels) else _colors(seed, one.labels, select=True)
    else:
        shown = {"segments": [1], "segmentDefaultColor": color}
    return {
        "type": "segmentation",
        "name": f"{one.number} {one.object_name} {look.title}",
        "source": {
            **_precomputed(one, look, space, sources),
            "subsources": {"default": True, "mesh": True},
            "enableDefaultSubsources": False,
        },
        "tab": "rendering",
        "visible": one.is_visualization_default,
        "selectedAlpha": 1,
        "hoverHighlight": False,
        "meshRenderScale": ORIENTED_MESH_DETAIL if look is ORIENTED_MESH else MESH_DETAIL,
        "pick": False,
        **shown,
    }


def _too_many(labels: Sequence[int] | None) -> bool:
    return labels is None or len(labels) > MOST_LABELS


def _colors(seed: int, labels: Sequence[int] | None, *, select: bool = False) -> Document:
    """Return the colours of instances where they are few, and with ``select`` that exactly these are shown."""
    if labels is None or _too_many(labels):
        return {}
    known = sorted(set(labels) - {0})
    found: Document = {"segmentColors": {str(label): instance_color(seed, label) for label in known}}
    if select:
        found["segments"] = [label if label < EXACT else str(label) for label in known]
    return found


def _precomputed(one: AnnotationLayer, look: Look, space: float, sources: Sources) -> Document:
    transform: Document = {"outputDimensions": dimensions(space), "inputDimensions": dimensions(one.voxel_spacing)}
    if look.is_mask:
        # the first voxel of a precomputed volume reaches from 0 to 1, that of the tomogram's OME-Zarr from -0.5 to 0.5
        shift = -0.5 * one.voxel_spacing / space
        transform["matrix"] = [[*(float(row == column) for column in range(3)), shift] for row in range(3)]
    return {"url": sources.annotation(one, look.suffix), "transform": transform}


def _contrast(tomogram: Tomogram, dtype: np.dtype[Any]) -> Document:
    controls: Document = {
        "invert_contrast": False,
        "invert_contrast_3D": True,
        "hide_values_outside_limits_3D": False,
    }
    found = tomogram.contrast
    if found is not None:
        pairs = (("contrast", found.range_2d, found.window_2d), ("contrast_3D", found.range_3d, found.window_3d))
        for name, shown, spanned in pairs:
            controls[name] = {"range": _limits(shown, dtype), "window": _limits(spanned, dtype)}
    return controls


def _limits(window: tuple[float, float], dtype: np.dtype[Any]) -> list[float]:
    """Return limits that the type has: whole numbers of types of whole numbers, and none outside of them."""
    low, high = window
    if dtype.kind in "iu":
        edges = np.iinfo(dtype)
        low, high = (min(max(one, float(edges.min)), float(edges.max)) for one in window)
    return list(limits(low, high, dtype))
