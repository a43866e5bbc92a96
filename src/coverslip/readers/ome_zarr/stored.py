"""Whether the files of an image can be handed to other programs as they are: valid, complete and all in one folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from coverslip.model.protocols import StoredGroup
from coverslip.readers.ome_zarr.documents import V2_DOCUMENTS, V3_DOCUMENT, Node
from coverslip.readers.ome_zarr.layout import stated_version
from coverslip.readers.ome_zarr.metadata import CANONICAL, Axes
from coverslip.readers.ome_zarr.stores import FolderStore

_VERSIONS: Mapping[tuple[str, int], Literal["0.4", "0.5"]] = {("0.4", 2): "0.4", ("0.5", 3): "0.5"}
"""OME-Zarr version and Zarr format that belong together."""


def stored_group(
    group: Node, multiscales: Sequence[Mapping[str, Any]], levels: Sequence[Node], axes: Axes
) -> StoredGroup | None:
    """Return the group, or ``None`` where programs should rather be shown what this reader makes of it.

    That is so outside of folders, for other versions, several multiscales in one group, levels that are missing or
    left out, documents that lack what the specification demands (axes with a name and a type, in the order t, c, z,
    y, x, and a scale for each level), and where a document or the first stored file of a level is a symbolic link:
    those are never followed.

    Parameters
    ----------
    group
        The group of the image.
    multiscales
        All that it describes.
    levels
        The arrays that can be read, finest first.
    axes
        Those of the arrays.
    """
    if not isinstance(group.store, FolderStore):
        return None
    multiscale = multiscales[0]
    version = _VERSIONS.get((stated_version(multiscale) or group.version or "", group.zarr_format))
    if version is None or len(multiscales) > 1:
        return None
    datasets = multiscale["datasets"]
    if len(datasets) != len(levels) or not all(map(_has_scale, datasets)) or not _are_strict(multiscale, axes):
        return None
    if any(level.zarr_format != group.zarr_format for level in levels):
        return None
    groups = V2_DOCUMENTS[:2] if version == "0.4" else (V3_DOCUMENT,)
    array = V2_DOCUMENTS[2] if version == "0.4" else V3_DOCUMENT
    documents = [*(group.folder / name for name in groups), *(level.folder / array for level in levels)]
    if not all(map(_is_plain, documents)) or any(_leads_away(group.folder, level.folder) for level in levels):
        return None
    return StoredGroup(
        group.folder, version, tuple(level.folder.relative_to(group.folder).as_posix() for level in levels)
    )


def _are_strict(multiscale: Mapping[str, Any], axes: Axes) -> bool:
    """Return whether the axes are written as the specification wants them and any viewer knows them."""
    stated = multiscale.get("axes")
    if not isinstance(stated, list) or not all(isinstance(axis, dict) and "type" in axis for axis in stated):
        return False
    places = [CANONICAL.find(name) for name in axes.names if len(name) == 1]
    return len(places) == len(axes.names) and -1 not in places and places == sorted(places)


def _has_scale(dataset: Mapping[str, Any]) -> bool:
    steps = dataset.get("coordinateTransformations")
    return isinstance(steps, list) and any(isinstance(step, dict) and step.get("type") == "scale" for step in steps)


def _is_plain(file: Path) -> bool:
    return file.is_file() and not file.is_symlink()


def _leads_away(root: Path, folder: Path) -> bool:
    """Return whether a folder on the way to a level, or to its first stored chunk, is a link, or that chunk is one."""
    if any(
        parent.is_symlink() for parent in (folder, *folder.parents) if parent.is_relative_to(root) and parent != root
    ):
        return True
    while folder.is_dir():
        first = next((item for item in folder.iterdir() if item.name not in (V3_DOCUMENT, *V2_DOCUMENTS)), None)
        if first is None:
            return False
        if first.is_symlink():
            return True
        folder = first
    return False
