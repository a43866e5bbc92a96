"""Where the images of an OME-Zarr folder are: one multiscale group, a plate, a well, or bioformats2raw series."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from coverslip.errors import ReadError, UnsupportedFormatError
from coverslip.readers.ome_zarr.documents import Node, read_node
from coverslip.sources import RemotePath


@dataclass(frozen=True, slots=True)
class Found:
    """A group with multiscales, somewhere in the hierarchy."""

    group: Node
    name: str
    """What to call its image where the multiscale has no name of its own."""
    fixed: bool
    """Whether ``name`` goes before the multiscale's own: fields of a plate."""
    version: str | None = None


def _root(path: Path) -> Node:
    root = read_node(path)
    if root is None or root.array is not None:
        raise UnsupportedFormatError(
            f"{path}: a plain Zarr array without OME-Zarr metadata: what its axes mean is not written down. "
            "Open the group above it, or add OME-Zarr metadata"
        )
    return root


def find(path: Path, missing: list[str]) -> Iterator[Found]:
    """Return every group that holds images, in the file's own order.

    Parameters
    ----------
    path
        The opened folder.
    missing
        Takes the names of what is listed but not there.

    Raises
    ------
    ReadError
        A document is damaged.
    UnsupportedFormatError
        It is Zarr, but holds no OME-Zarr image.
    """
    root = _root(path)
    ome = root.ome
    if "plate" in ome:
        for well in _entries(root, ome["plate"], "wells"):
            if (group := _group(root, well, "", missing)) is not None:
                yield from _find_fields(group, f"{well}/", missing, root.version or stated_version(ome["plate"]))
    elif "multiscales" in ome:
        yield Found(root, root.folder.name, fixed=False)
    elif "well" in ome:
        yield from _find_fields(root, "", missing, root.version or stated_version(ome["well"]))
    else:
        series = _series(root)
        if not series:
            raise UnsupportedFormatError(_no_image(root))
        for name in series:
            if (group := _group(root, name, "", missing)) is not None:
                yield Found(group, name, fixed=False, version=root.version)


def _find_fields(well: Node, prefix: str, missing: list[str], version: str | None) -> Iterator[Found]:
    """Return the fields of one well."""
    for path in _entries(well, well.ome.get("well"), "images"):
        if (group := _group(well, path, prefix, missing)) is not None:
            yield Found(group, f"{prefix}{path}", fixed=True, version=version)


def _entries(node: Node, document: object, key: str) -> list[str]:
    """Return the paths in a list such as ``{"wells": [{"path": "A/1"}]}``."""
    items = document.get(key) if isinstance(document, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) and "path" in item for item in items):
        raise ReadError(f"{node.folder}: the metadata should list {key!r}, each with a path, and does not")
    return [str(item["path"]) for item in items]


def _group(parent: Node, path: str, prefix: str, missing: list[str]) -> Node | None:
    """Return a group below another one, or note that it is missing."""
    group = read_node(parent.child(path))
    if group is None:
        missing.append(f"{prefix}{path}")
    return group


def _series(root: Node) -> list[str]:
    """Return the images of a bioformats2raw folder: as listed in ``OME``, else the numbered groups.

    https://ngff.openmicroscopy.org/0.5/#bf2raw
    """
    listing = read_node(root.folder / "OME")
    listed = listing.ome.get("series") if listing is not None else None
    if isinstance(listed, list) and listed:
        return [str(path) for path in listed]
    groups = ((name, read_node(root.folder / name)) for name in _numbered(root.folder))
    return [name for name, group in groups if group is not None and "multiscales" in group.ome]


def _numbered(folder: Path) -> list[str]:
    """Return the names in a folder that are numbers, in their order; of a web server, which lists nothing, none."""
    if isinstance(folder, RemotePath) and folder.address.is_web:
        return []
    return sorted((item.name for item in folder.iterdir() if item.name.isascii() and item.name.isdecimal()), key=int)


def _no_image(root: Node) -> str:
    if "labels" in root.ome:
        return f"{root.folder}: a folder of label images, which belong to the image in {root.folder.parent}: open that"
    return (
        f"{root.folder}: a Zarr group without OME-Zarr metadata (multiscales, plate, well or bioformats2raw series): "
        "what its arrays and axes mean is not written down"
    )


def stated_version(document: object) -> str | None:
    """Return the version that a document of 0.4 or older states for itself."""
    version = document.get("version") if isinstance(document, dict) else None
    return version if isinstance(version, str) else None
