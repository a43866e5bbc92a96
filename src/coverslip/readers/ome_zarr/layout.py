"""Where the images of an OME-Zarr folder are: one multiscale group, a plate, a well, or bioformats2raw series."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coverslip.errors import ReadError, UnsupportedFormatError
from coverslip.readers.ome_zarr.documents import Node, is_zarr, read_node
from coverslip.readers.ome_zarr.stores import Store, open_store
from coverslip.readers.vendor_metadata import optional, parse_xml


@dataclass(frozen=True, slots=True)
class Found:
    """A group with multiscales, somewhere in the hierarchy."""

    group: Node
    name: str
    """What to call its image where the multiscale has no name of its own."""
    fixed: bool
    """Whether ``name`` goes before the multiscale's own: fields of a plate."""
    version: str | None = None
    remark: str | None = None
    """What the group that lists it says of it: the acquisition of a field."""


def _root(store: Store) -> Node:
    root = read_node(store, "")
    if root is None or root.array is not None:
        raise UnsupportedFormatError(
            f"{store.path}: a plain Zarr array without OME-Zarr metadata: what its axes mean is not written down. "
            "Open the group above it, or add OME-Zarr metadata"
        )
    return root


def find(store: Store, missing: list[str]) -> Iterator[Found]:
    """Return every group that holds images, in the file's own order.

    Parameters
    ----------
    store
        What was opened.
    missing
        Takes the names of what is listed but not there.

    Raises
    ------
    ReadError
        A document is damaged.
    UnsupportedFormatError
        It is Zarr, but holds no OME-Zarr image.
    """
    root = _root(store)
    ome = root.ome
    if "plate" in ome:
        for well in _entries(root, ome["plate"], "wells"):
            if (group := _group(root, well, "", missing)) is not None:
                version = root.version or stated_version(ome["plate"])
                yield from _find_fields(group, f"{well}/", missing, version, _acquisitions(ome["plate"]))
    elif "multiscales" in ome:
        yield Found(root, root.folder.name, fixed=False)
    elif "well" in ome:
        yield from _find_fields(root, "", missing, root.version or stated_version(ome["well"]))
    else:
        series = _series(root) if "labels" not in ome else []
        if not series:
            raise UnsupportedFormatError(_no_image(root))
        names: list[str] = optional(lambda: _series_names(root), [])
        names = names if len(names) == len(series) else series
        for path, name in zip(series, names, strict=True):
            if (group := _group(root, path, "", missing)) is not None:
                yield Found(group, name or path, fixed=False, version=root.version)


def _find_fields(
    well: Node, prefix: str, missing: list[str], version: str | None, acquisitions: Mapping[object, str] | None = None
) -> Iterator[Found]:
    """Return the fields of one well."""
    document: Any = well.ome.get("well")
    paths = _entries(well, document, "images")
    numbers = [item.get("acquisition") for item in document["images"]]
    for path, number in zip(paths, numbers, strict=True):
        name = (acquisitions or {}).get(number) if isinstance(number, int | str) else None
        if (group := _group(well, path, prefix, missing)) is not None:
            remark = f"acquisition {name}" if name else None
            yield Found(group, f"{prefix}{path}", fixed=True, version=version, remark=remark)


def _acquisitions(plate: Mapping[str, Any]) -> dict[object, str]:
    """Return the names of the acquisitions of a plate by their number; the number where one has no name."""
    listed = plate.get("acquisitions")
    stated = [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    numbers = [(item.get("id"), item) for item in stated]
    return {number: str(item.get("name") or number) for number, item in numbers if isinstance(number, int | str)}


def _entries(node: Node, document: object, key: str) -> list[str]:
    """Return the paths in a list such as ``{"wells": [{"path": "A/1"}]}``."""
    items = document.get(key) if isinstance(document, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) and "path" in item for item in items):
        raise ReadError(f"{node.folder}: the metadata should list {key!r}, each with a path, and does not")
    return [str(item["path"]) for item in items]


def _group(parent: Node, path: str, prefix: str, missing: list[str]) -> Node | None:
    """Return a group below another one, or note that it is missing."""
    group = read_node(parent.store, parent.child(path))
    if group is None:
        missing.append(f"{prefix}{path}")
    return group


def _series(root: Node) -> list[str]:
    """Return the images of a bioformats2raw folder: as listed in ``OME``, else the numbered groups.

    https://ngff.openmicroscopy.org/0.5/#bf2raw
    """
    listing = read_node(root.store, "OME")
    listed = listing.ome.get("series") if listing is not None else None
    if isinstance(listed, list) and listed:
        return [str(path) for path in listed]
    numbered = (name for name in root.store.names("") if name.isascii() and name.isdecimal())
    groups = ((name, read_node(root.store, name)) for name in sorted(numbered, key=int))
    return [name for name, group in groups if group is not None and "multiscales" in group.ome]


def _series_names(root: Node) -> list[str]:
    """Return the names of the images in the OME-XML of a bioformats2raw folder, in its order; none where it is not."""
    content = root.store.read("OME/METADATA.ome.xml")
    images = parse_xml(content).iterfind("{*}Image") if content else ()
    return [image.get("Name", "").strip() for image in images]


def _no_image(root: Node) -> str:
    if "labels" in root.ome:
        return f"{root.folder}: a folder of label images, which belong to the image in {root.folder.parent}: open that"
    return (
        f"{root.folder}: a Zarr group without OME-Zarr metadata (multiscales, plate, well or bioformats2raw series): "
        "what its arrays and axes mean is not written down"
    )


def is_only_a_shelf(folder: Path) -> bool:
    """Return whether a Zarr folder is a plain group around other folders, each to be looked at by itself.

    One that holds images by the book is not, and one that holds arrays is not either: it has to say what they mean.
    """
    try:
        store = open_store(folder)
        root = read_node(store, "")
        if root is None or root.array is not None or {"plate", "multiscales", "well", "labels"} & {*root.ome}:
            return False
        if _series(root) or "bioformats2raw.layout" in root.ome:
            return False
        below = [name for name in store.names("") if is_zarr(folder / name)]
        return bool(below) and all((node := read_node(store, name)) and node.array is None for name in below)
    except ReadError:
        return False  # whoever opens it says why it is damaged


def stated_version(document: object) -> str | None:
    """Return the version that a document of 0.4 or older states for itself."""
    version = document.get("version") if isinstance(document, dict) else None
    return version if isinstance(version, str) else None
