"""Binary glTF 2.0, looked through before trimesh reads it: only shapes are left, and every length fits the file.

Format: the glTF 2.0 specification of the Khronos Group. A document may state counts that would need any amount of
memory, name other files, or use one node in many places, each of which again uses one in many.
"""

import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from coverslip.cryoet.files import MOST_BYTES, parse_json, shown
from coverslip.errors import ReadError

MAGIC = b"glTF"
JSON_CHUNK = b"JSON"
BIN_CHUNK = b"BIN\0"
BYTES = {5120: 1, 5121: 1, 5122: 2, 5123: 2, 5125: 4, 5126: 4}
"""Of one number, by component type."""
NUMBERS = {"SCALAR": 1, "VEC3": 3}
"""Numbers of one element, of the types that indices and positions have."""
NODE = ("children", "mesh", "matrix", "translation", "rotation", "scale")
MOST_NODES = 10_000
MOST_NUMBERS = 100_000_000
"""Corners of all triangles together, as often as they are shown."""
TRIANGLES = 4
"""Mode of a primitive; lines, points, strips and fans have other numbers."""


def only_shapes(path: Path, content: bytes) -> bytes:
    """Return the same glb with nothing but nodes and triangles: no materials, images, normals, skins or animations.

    Raises
    ------
    ReadError
        It is damaged, refers to other files, is compressed, or promises more than the file holds.
    """
    document, binary = _chunks(path, content)
    if document.get("extensionsRequired"):
        raise ReadError(f"{path}: the glb needs extensions that are not read: {shown(document['extensionsRequired'])}")
    if any("uri" in buffer for buffer in _dicts(path, document, "buffers")):
        raise ReadError(f"{path}: the glb refers to other files")
    clean = _Shapes(path, document, len(binary)).kept()
    head = json.dumps(clean).encode()
    head += b" " * (-len(head) % 4)
    size = 12 + 8 + len(head) + 8 + len(binary)
    return b"".join(
        (
            struct.pack("<4sII", MAGIC, 2, size),
            struct.pack("<I4s", len(head), JSON_CHUNK) + head,
            struct.pack("<I4s", len(binary), BIN_CHUNK) + binary,
        )
    )


class _Shapes:
    """Nodes and triangles of a document, each array with a view of its own that is no longer than it."""

    def __init__(self, path: Path, document: dict[str, Any], present: int) -> None:
        self._path = path
        self._present = present
        self._document = document
        self._nodes = self._dicts("nodes")
        self._accessors, self._views = self._dicts("accessors"), self._dicts("bufferViews")
        self._kept: dict[int, int] = {}
        self._arrays: list[dict[str, Any]] = []
        self._places: list[dict[str, Any]] = []

    def kept(self) -> dict[str, Any]:
        """Return the document that is left."""
        meshes = [
            [self._primitive(each) for each in _dicts(self._path, mesh, "primitives")] for mesh in self._dicts("meshes")
        ]
        self._check_total(meshes)
        return {
            "asset": {"version": "2.0"},
            "scene": 0,
            "scenes": [{"nodes": self._roots()}],
            "nodes": [{key: node[key] for key in NODE if key in node} for node in self._nodes],
            "meshes": [{"primitives": primitives} for primitives in meshes],
            "accessors": self._arrays,
            "bufferViews": self._places,
            "buffers": [{"byteLength": self._present}],
        }

    def _dicts(self, key: str) -> list[dict[str, Any]]:
        return _dicts(self._path, self._document, key)

    def _roots(self) -> list[int]:
        """Return the nodes of the scene; everything below them is a tree, as the specification has it."""
        hung: set[int] = set()
        for node in self._nodes:
            children = node.get("children", [])
            if not _are_indices(children, self._nodes) or hung.intersection(children):
                raise ReadError(f"{self._path}: the children of a node are not there, or hang in two places")
            hung.update(children)
        scene = _entry(self._dicts("scenes"), self._document.get("scene", 0))
        roots = [] if scene is None else scene.get("nodes", [])
        if len(self._nodes) > MOST_NODES or not _are_indices(roots, self._nodes) or hung.intersection(roots):
            raise ReadError(f"{self._path}: the {len(self._nodes):,} nodes of the glb are no tree, or too many")
        return list(roots)

    def _primitive(self, primitive: dict[str, Any]) -> dict[str, Any]:
        """Return triangles with nothing but positions and indices."""
        attributes = primitive.get("attributes")
        if primitive.get("mode", TRIANGLES) != TRIANGLES or not isinstance(attributes, dict):
            raise ReadError(f"{self._path}: the glb has shapes that are no triangles")
        kept: dict[str, Any] = {
            "attributes": {"POSITION": self._array(attributes.get("POSITION"), "VEC3")},
            "mode": TRIANGLES,
        }
        if "indices" in primitive:
            kept["indices"] = self._array(primitive["indices"], "SCALAR")
        return kept

    def _array(self, index: object, kind: str) -> int:
        """Return the number that an array has in the document that is left; it lies within the file."""
        accessor = _entry(self._accessors, index)
        view = _entry(self._views, (accessor or {}).get("bufferView"))
        if accessor is None or view is None or "sparse" in accessor or accessor.get("type") != kind:
            raise ReadError(f"{self._path}: accessor {shown(index)} of the glb is missing, sparse, or no {kind}")
        component = accessor.get("componentType")
        size = (BYTES.get(component, 0) if type(component) is int else 0) * NUMBERS[kind]
        stride = view.get("byteStride", size)
        parts = (
            accessor.get("count"),
            accessor.get("byteOffset", 0),
            view.get("byteOffset", 0),
            view.get("byteLength"),
        )
        if not size or not all(type(part) is int and part >= 0 for part in (*parts, stride)) or stride < size:
            raise ReadError(f"{self._path}: accessor {shown(index)} of the glb makes no sense")
        count, inner, start, length = (int(part or 0) for part in parts)
        needed = max(0, count - 1) * stride + size
        if inner + needed > length or start + length > self._present or view.get("buffer", 0) != 0:
            raise ReadError(
                f"{self._path}: accessor {shown(index)} of the glb reaches beyond the file: it is truncated"
            )
        number = index if type(index) is int else -1
        if number not in self._kept:
            self._kept[number] = len(self._arrays)
            self._arrays.append(
                {"bufferView": len(self._places), "componentType": component, "count": count, "type": kind}
            )
            place = {"buffer": 0, "byteOffset": start + inner, "byteLength": needed}
            self._places.append(place | ({"byteStride": stride} if stride != size else {}))
        return self._kept[number]

    def _check_total(self, meshes: list[list[dict[str, Any]]]) -> None:
        """Refuse what becomes large by being shown again and again."""
        sizes = [
            sum(
                self._arrays[array]["count"]
                for primitive in primitives
                for array in (primitive["attributes"]["POSITION"], primitive.get("indices", 0))
            )
            for primitives in meshes
        ]
        total = 0
        for node in self._nodes:
            if "mesh" in node and not _are_indices([node["mesh"]], meshes):
                raise ReadError(f"{self._path}: a node shows a mesh that is not there: {shown(node['mesh'])}")
            total += sizes[node["mesh"]] if "mesh" in node else 0
        stored = sum(place["byteLength"] for place in self._places)
        if total > MOST_NUMBERS or stored > MOST_BYTES:
            raise ReadError(f"{self._path}: the glb shows {total:,} corners, {stored:,} bytes, which is too much")


def _chunks(path: Path, content: bytes) -> tuple[dict[str, Any], bytes]:
    """Return the document and the binary chunk."""
    if len(content) < 20 or content[:4] != MAGIC or struct.unpack_from("<I", content, 4)[0] != 2:
        raise ReadError(f"{path}: this is no glTF 2.0 in one file. First 8 bytes: {content[:8]!r}")
    found: dict[bytes, bytes] = {}
    at = 12
    while at + 8 <= len(content):
        size, kind = struct.unpack_from("<I4s", content, at)
        if at + 8 + size > len(content):
            raise ReadError(f"{path}: a chunk of {size} bytes begins at byte {at}: the file is truncated")
        found.setdefault(kind, content[at + 8 : at + 8 + size])
        at += 8 + size
    text = found.get(JSON_CHUNK, b"").decode("utf-8", "replace")
    document = parse_json(text, path)
    if not isinstance(document, dict):
        raise ReadError(f"{path}: the document of the glb is no object")
    return document, found.get(BIN_CHUNK, b"")


def _dicts(path: Path, document: dict[str, Any], key: str) -> list[dict[str, Any]]:
    entries = document.get(key, [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ReadError(f"{path}: {key} of the glb is no list of objects")
    return entries


def _are_indices(found: object, entries: Sequence[object]) -> bool:
    """Return whether this is a list of different indices of entries."""
    if not isinstance(found, list) or not all(type(each) is int and 0 <= each < len(entries) for each in found):
        return False
    return len(set(found)) == len(found)


def _entry(entries: list[dict[str, Any]], index: object) -> dict[str, Any] | None:
    return entries[index] if type(index) is int and 0 <= index < len(entries) else None
