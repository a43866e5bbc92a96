"""Meshes of every format: values by hand."""

import base64
import io
import json
import struct
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from coverslip.cryoet import Mesh, read_mesh, read_mesh_group, to_glb
from coverslip.errors import InvalidRequestError, ReadError
from tests.cryoet.written import put

CORNERS = [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 3.0]]
FACES = [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]
OBJ = """# made by hand
mtllib ../secret.mtl
v 0 0 0
v 1 0 0
v 0 2 0
v 0 0 3
usemtl a
f 1 3 2
f 1//1 2//1 4//1
f -4 -1 -2
f 2 3 4
"""
VTK_TEXT = """# vtk DataFile Version {version}
by hand
ASCII
DATASET POLYDATA
POINTS 4 float
0 0 0 1 0 0
0 2 0 0 0 3
{cells}
CELL_DATA 4
anything at all
"""
OLD_CELLS = "POLYGONS 4 16\n3 0 2 1\n3 0 1 3\n3 0 3 2\n3 1 2 3"
NEW_CELLS = """METADATA
INFORMATION 0

POLYGONS 5 12
OFFSETS vtktypeint64
0 3 6 9
12
CONNECTIVITY vtktypeint64
0 2 1 0 1 3 0 3 2
1 2 3"""


def stl(corners: Any = CORNERS, faces: Any = FACES) -> bytes:
    """Return a binary STL: triangles with corners of their own."""
    rows = b"".join(
        struct.pack("<12fH", 0, 0, 0, *(value for corner in face for value in corners[corner]), 0) for face in faces
    )
    return bytes(80) + struct.pack("<I", len(faces)) + rows


def glb(document: dict[str, Any] | None = None, **changes: Any) -> bytes:
    """Return a glb of the four triangles, or of another document over the same numbers."""
    numbers = np.array(FACES, "<u2").tobytes() + np.array(CORNERS, "<f4").tobytes()
    made = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 1, "NORMAL": 9}, "indices": 0, "material": 4}]}],
        "accessors": [
            {"bufferView": 0, "componentType": 5123, "count": 12, "type": "SCALAR"},
            {"bufferView": 0, "byteOffset": 24, "componentType": 5126, "count": 4, "type": "VEC3"},
        ],
        "bufferViews": [{"buffer": 0, "byteLength": len(numbers)}],
        "buffers": [{"byteLength": len(numbers)}],
    }
    head = json.dumps(made | (document or {}) | changes).encode()
    head += b" " * (-len(head) % 4)
    parts = struct.pack("<I4s", len(head), b"JSON") + head + struct.pack("<I4s", len(numbers), b"BIN\0") + numbers
    return struct.pack("<4sII", b"glTF", 2, 12 + len(parts)) + parts


def hff(segments: dict[str, tuple[str, list[tuple[Any, Any]]]], **modes: str) -> bytes:
    """Return an EMDB-SFF file of segments by number: name, and meshes of vertices and triangles."""
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file["version"] = "0.8.0.dev1"
        for number, (name, meshes) in segments.items():
            segment = file.create_group(f"segment_list/{number}")
            segment["biological_annotation/name"] = name
            for n, (vertices, triangles) in enumerate(meshes):
                for key, values, mode in (("vertices", vertices, "float32"), ("triangles", triangles, "uint32")):
                    wanted = modes.get(key, mode)
                    group = segment.create_group(f"mesh_list/{n}/{key}")
                    order = "big" if wanted.startswith(">") else "little"
                    group["mode"] = wanted.lstrip("<>")
                    if wanted[0] in "<>":
                        group["endianness"] = order
                    data = np.array(values, np.dtype(wanted.lstrip("<>")).newbyteorder(">" if order == "big" else "<"))
                    group["data"] = base64.b64encode(data.tobytes())
    return stream.getvalue()


def check(mesh: Mesh, scale: float = 1.0) -> None:
    """Compare with the four triangles."""
    np.testing.assert_array_equal(mesh.vertices, np.array(CORNERS) * scale)
    np.testing.assert_array_equal(mesh.faces, FACES)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("obj", OBJ),
        ("vtk", VTK_TEXT.format(version="3.0", cells=OLD_CELLS)),
        ("vtk", VTK_TEXT.format(version="5.1", cells=NEW_CELLS)),
        ("glb", glb()),
        ("glb", glb(nodes=[{"mesh": 0, "matrix": [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]}])),
    ],
)
def test_four_triangles(tmp_path: Path, name: str, content: str | bytes) -> None:
    path = put(tmp_path, f"a.{name}", content)
    check(read_mesh(path, name))
    check(read_mesh(path, name, scale_factor=2.5), 2.5)


def test_corners_of_stl_at_one_place_are_one_vertex(tmp_path: Path) -> None:
    mesh = read_mesh(put(tmp_path, "a.stl", stl()), "stl")
    np.testing.assert_array_equal(mesh.vertices[mesh.faces], np.array(CORNERS)[np.array(FACES)])
    np.testing.assert_array_equal(mesh.vertices, np.array(CORNERS)[[0, 2, 1, 3]])
    text = "solid a\n" + "".join(
        "facet normal 0 0 0\nouter loop\n" + "".join("vertex {} {} {}\n".format(*CORNERS[n]) for n in face)
        + "endloop\nendfacet\n"
        for face in FACES
    ) + "endsolid a\n"  # fmt: skip
    again = read_mesh(put(tmp_path, "b.stl", text), "stl")
    np.testing.assert_array_equal(again.vertices[again.faces], mesh.vertices[mesh.faces])


def test_binary_vtk_of_polygons_strips_and_lines(tmp_path: Path) -> None:
    points = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 2, 0]], ">f8").tobytes()
    cells = (
        (b"LINES 1 3\n", [2, 0, 1]),
        (b"POLYGONS 2 9\n", [4, 0, 1, 2, 3, 3, 3, 2, 4]),
        (b"TRIANGLE_STRIPS 1 6\n", [5, 0, 1, 3, 2, 4]),
    )
    content = b"# vtk DataFile Version 4.2\nx\nBINARY\nDATASET POLYDATA\nPOINTS 5 double\n" + points + b"\n"
    content += b"".join(title + np.array(numbers, ">i4").tobytes() + b"\n" for title, numbers in cells)
    mesh = read_mesh(put(tmp_path, "a.vtk", content), "vtk")
    np.testing.assert_array_equal(mesh.vertices[4], [0, 2, 0])
    expected = [[0, 1, 2], [0, 2, 3], [3, 2, 4], [0, 1, 3], [1, 2, 3], [3, 2, 4]]
    np.testing.assert_array_equal(mesh.faces, expected)


def test_a_glb_puts_its_nodes_where_they_belong(tmp_path: Path) -> None:
    nodes = [{"children": [1], "translation": [10, 20, 30]}, {"mesh": 0, "scale": [2, 2, 2]}]
    mesh = read_mesh(put(tmp_path, "a.glb", glb(nodes=nodes)), "glb")
    np.testing.assert_allclose(mesh.vertices, np.array(CORNERS) * 2 + [10, 20, 30])


def test_the_same_meshes_give_the_same_glb(tmp_path: Path) -> None:
    mesh = Mesh(np.array(CORNERS), np.array(FACES), "membrane")
    content = to_glb([mesh])
    assert content == to_glb([Mesh(np.array(CORNERS), np.array(FACES), "membrane")])
    check(read_mesh(put(tmp_path, "a.glb", content), "glb"))
    both = read_mesh(put(tmp_path, "b.glb", to_glb([mesh, mesh])), "glb")
    assert (len(both.vertices), len(both.faces)) == (8, 8)
    with pytest.raises(InvalidRequestError, match="of no mesh"):
        to_glb([])


def test_groups_of_segments(tmp_path: Path) -> None:
    one, two = (CORNERS[:3], [[0, 1, 2]]), (CORNERS[1:], [[2, 1, 0]])
    content = hff({"1": ("membrane", [one, two]), "10": ("ribosome", [two]), "2": ("membrane", [one]), "3": ("x", [])})
    path = put(tmp_path, "a.hff", content)
    membrane, ribosome = read_mesh_group(path)
    assert (membrane.name, ribosome.name) == ("membrane", "ribosome")
    np.testing.assert_array_equal(membrane.vertices, CORNERS[:3] + CORNERS[1:] + CORNERS[:3])
    np.testing.assert_array_equal(membrane.faces, [[0, 1, 2], [5, 4, 3], [6, 7, 8]])
    (alone,) = read_mesh_group(path, "hff", mesh_name="ribosome", scale_factor=10)
    np.testing.assert_array_equal(alone.vertices, np.array(CORNERS[1:]) * 10)
    np.testing.assert_array_equal(alone.faces, [[2, 1, 0]])
    with pytest.raises(ReadError, match="no segment has the name 'nucleus'"):
        read_mesh_group(path, mesh_name="nucleus")
    with pytest.raises(ReadError, match="no segment has a mesh"):
        read_mesh_group(path, mesh_name="x")


@pytest.mark.parametrize(
    "modes", [{"vertices": "float64", "triangles": "int64"}, {"vertices": ">float32", "triangles": "<uint16"}]
)
def test_numbers_of_a_group_have_a_type_and_an_order(tmp_path: Path, modes: dict[str, str]) -> None:
    (mesh,) = read_mesh_group(put(tmp_path, "a.hff", hff({"1": ("", [(CORNERS, FACES)])}, **modes)))
    assert mesh.name == "segment 1"
    check(mesh)


def test_damaged_groups_are_refused(tmp_path: Path) -> None:
    whole = hff({"1": ("a", [(CORNERS, FACES)])})
    for content, why in (
        (b"", "this is no HDF5 file"),
        (whole[:600], "reading the hff failed"),
        (hff({"1": ("a", [(CORNERS, [[0, 1, 4]])])}), "names a vertex that does not exist"),
        (hff({"1": ("a", [(CORNERS, [[0, 1]])])}), "have 8 bytes, not threes of uint32"),
        (hff({"1": ("a", [(CORNERS, FACES)])}, vertices="complex64"), "which is not known"),
        (hff({"1": ("a", [(CORNERS, FACES)])}, triangles="float32"), "are no whole numbers"),
        (hff({"1": ("a", [([[0, 0, np.nan]] * 3, [[0, 1, 2]])])}), "no finite number"),
    ):
        with pytest.raises(ReadError, match=why):
            read_mesh_group(put(tmp_path, "a.hff", content))


def test_a_heap_that_hdf5_never_gets_through_is_refused(tmp_path: Path) -> None:
    whole = hff({"1": ("a", [(CORNERS, FACES)])})
    heap = whole.index(b"GCOL")
    free = heap + 16
    while (entry := struct.unpack_from("<H6xQ", whole, free))[0]:
        free += 16 + (entry[1] + 7) // 8 * 8
    damaged = whole[: free + 8] + bytes(8) + whole[free + 16 :]
    with pytest.raises(ReadError, match="does not end"):
        read_mesh_group(put(tmp_path, "a.hff", damaged))


def test_a_group_reads_nothing_but_its_own_file(tmp_path: Path) -> None:
    other = put(tmp_path, "other.hff", hff({"1": ("a", [(CORNERS, FACES)])}))
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file["segment_list/1"] = h5py.ExternalLink(str(other), "segment_list/1")
    with pytest.raises(ReadError, match="is a link"):
        read_mesh_group(put(tmp_path, "a.hff", stream.getvalue()))
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file["segment_list/1/mesh_list"] = h5py.SoftLink("/segment_list")
    with pytest.raises(ReadError, match="is a link"):
        read_mesh_group(put(tmp_path, "a.hff", stream.getvalue()))


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("obj", "", "."),
        ("obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\n", "no triangle"),
        ("obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n", "damaged"),
        ("obj", "v 0 0\nv 1 0\nv 0 1\nf 1 2 3\n", "three coordinates"),
        ("obj", "v 0 0 nan\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "no finite number"),
        ("obj", "v 0 0 1e39\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "too large for a glb"),
        ("stl", bytes(84), "no triangle"),
        ("stl", bytes(80) + b"\xff\xff\xff\x7f" + bytes(50), "."),
        ("vtk", "solid\n", "a.vtk:1: this is no legacy VTK file"),
        ("vtk", "# vtk DataFile Version 3.0\n\nTEXT\n", "a.vtk:3: expected ASCII or BINARY"),
        ("vtk", "# vtk DataFile Version 3.0\n\nASCII\nDATASET STRUCTURED_POINTS\n", "a.vtk:4: only DATASET POLYDATA"),
        ("vtk", VTK_TEXT.format(version="3.0", cells="POLYGONS 1 4\n3 0 1 4"), "names a vertex that does not exist"),
        ("vtk", VTK_TEXT.format(version="3.0", cells="POLYGONS 2 4\n3 0 1 2"), "ends before its 2 cells do"),
        ("vtk", VTK_TEXT.format(version="3.0", cells="POLYGONS 1 4\n9 0 1 2"), "1 cells have 10 numbers"),
        ("vtk", VTK_TEXT.format(version="3.0", cells="POLYGONS 1 999999999999"), "a.vtk:8: 999,999,999,999 numbers"),
        ("vtk", VTK_TEXT.format(version="3.0", cells="POLYGONS 1 4\n3 0 1 x"), "a.vtk:9: expected numbers"),
        (
            "vtk",
            VTK_TEXT.format(version="5.1", cells=NEW_CELLS.replace("0 3 6 9", "0 9 6 9")),
            "the offsets of POLYGONS",
        ),
        ("vtk", VTK_TEXT.format(version="3.0", cells="POLYGONS -1 4"), "a.vtk:8: '-1' is no number of things"),
        ("glb", b"glTF", "this is no glTF 2.0"),
    ],
)
def test_damaged_meshes_are_refused(tmp_path: Path, name: str, content: str | bytes, why: str) -> None:
    with pytest.raises(ReadError, match=why):
        read_mesh(put(tmp_path, f"a.{name}", content), name)


ACCESSOR = {"bufferView": 0, "byteOffset": 24, "componentType": 5126, "count": 4, "type": "VEC3"}
INDICES = {"bufferView": 0, "componentType": 5123, "count": 12, "type": "SCALAR"}
BOMB = [{"children": [2 * n + 1, 2 * n + 2]} for n in range(20)] + [{"mesh": 0} for _ in range(21)]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"accessors": [INDICES, ACCESSOR | {"count": 10**12}]}, "reaches beyond the file"),
        ({"accessors": [INDICES, {"componentType": 5126, "count": 10**12, "type": "VEC3"}]}, "missing, sparse"),
        ({"accessors": [INDICES, ACCESSOR | {"sparse": {}}]}, "missing, sparse"),
        ({"accessors": [INDICES, ACCESSOR | {"count": -1}]}, "makes no sense"),
        ({"accessors": [INDICES, ACCESSOR | {"count": True}]}, "makes no sense"),
        ({"accessors": [INDICES | {"componentType": 5130}, ACCESSOR]}, "makes no sense"),
        ({"accessors": [INDICES | {"byteOffset": 24}, ACCESSOR]}, "."),
        ({"bufferViews": [{"buffer": 0, "byteLength": 10**9}]}, "reaches beyond the file"),
        ({"buffers": [{"byteLength": 72, "uri": "../secret.bin"}]}, "refers to other files"),
        ({"extensionsRequired": ["KHR_draco_mesh_compression"]}, "extensions that are not read"),
        ({"nodes": [{"children": [1, 1]}, {"mesh": 0}]}, "hang in two places"),
        ({"nodes": [{"children": [0]}]}, "no tree"),
        ({"nodes": [{"children": [1]}, {"children": [0]}]}, "no tree"),
        ({"nodes": [{"children": [5]}]}, "children of a node are not there"),
        ({"nodes": [{"mesh": 3}]}, "a mesh that is not there"),
        ({"scenes": [{"nodes": [0, 0]}]}, "no tree"),
        ({"nodes": [{"mesh": 0}] * 10_001}, "or too many"),
        ({"meshes": {}}, "meshes of the glb is no list"),
        ({"meshes": [{"primitives": [{"attributes": {"POSITION": 1}, "mode": 0}]}]}, "no triangles"),
        ({"nodes": [{"mesh": 0, "matrix": [1, 2]}]}, "."),
        ({"nodes": [{"mesh": 0, "scale": [1e300, 1, 1]}]}, "."),
        ({"nodes": []}, "."),
    ],
)
def test_a_glb_that_asks_for_too_much_is_refused(tmp_path: Path, changes: dict[str, Any], why: str) -> None:
    with pytest.raises(ReadError, match=why):
        read_mesh(put(tmp_path, "a.glb", glb(**changes)), "glb")


def test_what_makes_no_sense_is_said_at_once(tmp_path: Path) -> None:
    for name, factor in (("ply", 1.0), ("obj", 0.0), ("obj", float("nan"))):
        with pytest.raises(InvalidRequestError):
            read_mesh(put(tmp_path, "a.obj", OBJ), name, scale_factor=factor)
    with pytest.raises(InvalidRequestError, match="of a group of meshes"):
        read_mesh_group(tmp_path / "a", "obj")
    for vertices, faces in (
        (np.zeros((3, 2)), np.zeros((1, 3), int)),
        (np.zeros((3, 3)), np.zeros((1, 3))),
        (np.zeros((3, 3)), np.zeros((0, 3), int)),
        (np.zeros((3, 3)), np.full((1, 3), 3)),
        (np.full((3, 3), np.inf), np.zeros((1, 3), int)),
    ):
        with pytest.raises(InvalidRequestError):
            Mesh(vertices, faces)  # type: ignore[arg-type]
