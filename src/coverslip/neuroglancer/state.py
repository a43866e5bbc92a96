"""The viewer state of a scene: a pure function of what is known, byte by byte.

Format: https://neuroglancer-docs.web.app/json/api/index.html. What a tomogram looks like is what the CryoET Data Portal
shows; other images are shown channel by channel.
"""

import json
import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from coverslip.neuroglancer.addresses import check_origin
from coverslip.neuroglancer.channels import AXES, channel_layers, frame
from coverslip.neuroglancer.colors import hash_of, layer_colors
from coverslip.neuroglancer.layers import (
    annotation_layers,
    dimensions,
    image_layer,
    label_layer,
    marks_layer,
)
from coverslip.neuroglancer.marks import cell_marks, marks_of
from coverslip.neuroglancer.scene import SHAPES, AnnotationLayer, CellLayer, Scene, Tomogram
from coverslip.neuroglancer.sources import ORIGIN, Served, Sources

RECIPE = 1
"""Raise it when the same scene would get another state."""
TURNED = (0.3826834323650898, 0.0, 0.0, 0.9238795325112867)
"""Half a right angle about x, as a quaternion: a slab is seen from above its edge."""
PANEL = 400
"""Pixels of the screen that the longest side of a tomogram is fitted into."""

_OURS = re.compile(rb'("url":"[a-z0-9]+://)' + re.escape(ORIGIN).encode() + rb"(?=/)")


def build_state(scene: Scene, *, sources: Sources | None = None) -> dict[str, Any]:
    """Return the state that shows a scene.

    First the image, then annotations by their public numbers, label images, what people marked by tracks, and cells.
    Names of layers differ, and begin with the public number where there is one.

    Parameters
    ----------
    scene
        Everything the state depends on.
    sources
        Where Neuroglancer reads it; our own server where left out.

    Raises
    ------
    BuildError
        Neuroglancer has no such type of pixels.
    """
    chosen = sources or Served()
    state = _tomogram_state(scene, scene.tomogram, chosen) if scene.tomogram else _image_state(scene, chosen)
    state["layers"] += _more_layers(scene, state["dimensions"], chosen)
    _name_apart(state["layers"])
    state["selectedLayer"]["layer"] = state["layers"][0]["name"]
    return state


def to_bytes(state: dict[str, Any]) -> bytes:
    """Return a state as JSON: equal states have equal bytes."""
    return json.dumps(state, separators=(",", ":"), allow_nan=False).encode()


def with_origin(state: bytes, origin: str) -> bytes:
    """Return a state whose sources on our own server have its address.

    Parameters
    ----------
    state
        What ``to_bytes`` gave.
    origin
        Scheme, host and port, such as ``https://images.example.org:8080``, with a path where the server is below one.

    Raises
    ------
    InvalidRequestError
        That is no such address.
    """
    written = check_origin(origin).encode()
    # a quotation mark inside of a name is written with a backslash, so that only sources are found
    return _OURS.sub(lambda found: found.group(1) + written, state)


def _tomogram_state(scene: Scene, tomogram: Tomogram, sources: Sources) -> dict[str, Any]:
    metadata = scene.metadata
    lengths = (metadata.size_x, metadata.size_y, metadata.size_z)
    longest = max(lengths)
    state: dict[str, Any] = {
        "title": scene.name,
        "dimensions": dimensions(tomogram.voxel_spacing),
        "position": [length / 2 for length in lengths],
        "crossSectionScale": max(longest / PANEL, 1.0),
        "projectionScale": round(1.1 * longest, 6),
        "projectionOrientation": list(TURNED),
        "layers": [image_layer(scene, tomogram, scene.name, sources), *_annotations(scene, tomogram, sources)],
        "selectedLayer": {"visible": True, "side": "left"},
        "crossSectionBackgroundColor": "#000000",
        "hideCrossSectionBackground3D": True,
        "layout": "4panel",
        "showSlices": True,
        "showAxisLines": True,
        "layerListPanel": {"row": 1, "visible": True},
        "helpPanel": {"side": "right", "row": 0},
        "settingsPanel": {"side": "right", "row": 1},
        "selection": {"row": 2, "visible": False},
        "toolPalettes": {
            "Position": {
                "side": "bottom",
                "row": 1,
                "size": 100,
                "visible": True,
                "query": "type:dimension",
                "verticalStacking": False,
            }
        },
        "gpuMemoryLimit": 1_500_000_000,
    }
    if tomogram.deposition is not None:
        state["deposition_id"] = tomogram.deposition
    return state


def colored(layers: Iterable[AnnotationLayer]) -> list[tuple[AnnotationLayer, str]]:
    """Return layers in the order in which they are shown, oldest first, each with its colour as ``#rrggbb``."""
    ordered = sorted(layers, key=_age)
    return list(zip(ordered, layer_colors([one.color_seed.number for one in ordered]), strict=True))


def _annotations(scene: Scene, tomogram: Tomogram, sources: Sources) -> Iterable[dict[str, Any]]:
    for one, color in colored(scene.layers):
        yield from annotation_layers(one, tomogram.voxel_spacing, color, sources)


def _age(layer: AnnotationLayer) -> tuple[object, ...]:
    """Return what layers are in the order of: later ones leave the colours and names of earlier ones alone."""
    what = layer.object_name, layer.alignment, layer.key
    return layer.number, SHAPES.index(layer.shape), layer.voxel_spacing, *what


def _image_state(scene: Scene, sources: Sources) -> dict[str, Any]:
    layers = channel_layers(scene.metadata, sources.image(scene), windows=scene.windows, colors=scene.colors)
    return {**frame(scene.metadata), "title": scene.name, "layers": layers}


def _more_layers(scene: Scene, space: dict[str, Any], sources: Sources) -> list[dict[str, Any]]:
    """Return the layers that any image may have."""
    axes = "".join(axis for axis in AXES if axis in space)
    labels = [
        label_layer(scene, one, f"{one.name} labels", sources) for one in sorted(scene.labels, key=lambda one: one.name)
    ]
    found = [layer for layer in labels if layer is not None]
    tracks = sorted(scene.annotations, key=lambda one: (one.track, one.id))
    for track, annotations in groupby(tracks, key=lambda one: one.track):
        marks = marks_of(list(annotations), scene.metadata, axes)
        if marks:
            urls = [sources.marks(scene, track, kind) for kind in sorted({mark.kind for mark in marks})]
            found.append(marks_layer(track, _color(f"track {track}"), marks, space, urls))
    for cells in sorted(scene.cells, key=lambda one: one.name):
        layer = _cells(scene, cells, space, sources)
        found += [] if layer is None else [layer]
    return found


def _cells(scene: Scene, cells: CellLayer, space: dict[str, Any], sources: Sources) -> dict[str, Any] | None:
    """Return the layer of cells, or ``None`` where there are none or they cannot be had."""
    axes = "".join(axis for axis in AXES if axis in space)
    marks = cell_marks(cells.places, axes)
    url = sources.cells(scene, cells.name)
    if cells.count == 0 or (url is None and not marks):
        return None
    return marks_layer(cells.name, _color(f"cells {cells.name}"), marks, space, [url])


def _color(text: str) -> str:
    """Return a colour that follows from a text alone."""
    return layer_colors([hash_of(text)])[0]


def _name_apart(layers: Sequence[dict[str, Any]]) -> None:
    """Give a number to all but the first of layers that would have the same name."""
    taken: set[str] = set()
    counts: dict[str, int] = {}
    for layer in layers:
        wanted = name = layer["name"]
        while name in taken:
            counts[wanted] = counts.get(wanted, 1) + 1
            name = f"{wanted} ({counts[wanted]})"
        layer["name"] = name
        taken.add(name)
