"""Precomputes on disk, for readers that want a folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from neuroglancer.read_precomputed_annotations import AnnotationReader


def put(files: Mapping[str, bytes], folder: Path) -> Path:
    """Write the files of a precompute into a folder and return it."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def reader_of(files: Mapping[str, bytes], folder: Path) -> AnnotationReader:
    """Return annotations as Neuroglancer's Python package reads them, with tensorstore below."""
    return AnnotationReader({"driver": "file", "path": f"{put(files, folder)}/"})


def value_of(annotation: Any) -> tuple[list[float], ...]:
    """Return the geometry of a point or a line."""
    if hasattr(annotation, "point"):
        return ([float(one) for one in annotation.point],)
    return [float(one) for one in annotation.point_a], [float(one) for one in annotation.point_b]
