"""Meshes, read back by a decoder written from the description of the format, and DracoPy."""

import gzip
import importlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import DracoPy
import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from coverslip.errors import InvalidRequestError, MissingDependencyError
from coverslip.neuroglancer.precomputed import Triangles, meshes, oriented_mesh, segment_properties
from coverslip.neuroglancer.precomputed.multilod import simplified
from tests.ngff.images import Array

CORNERS = np.array([[0, 0, 0], [100, 0, 0], [0, 200, 0], [0, 0, 300]], float)
SIDES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
PYRAMID = Triangles(CORNERS, SIDES)


def ball(radius: float = 500, subdivisions: int = 5) -> Triangles:
    made = trimesh.creation.icosphere(subdivisions=subdivisions, radius=radius)
    return Triangles(np.array(made.vertices, float) + 1000, np.array(made.faces, np.int64))


@dataclass(frozen=True)
class Level:
    scale: float
    vertices: Array
    """In nanometres."""
    faces: Array
    places: Array
    """As they are stored: whole numbers within the cell."""

    @property
    def solid(self) -> Any:
        return trimesh.Trimesh(self.vertices, self.faces, process=False)


def levels(manifest: bytes, fragments: bytes) -> list[Level]:
    """Return the levels of a segment; ``fragments`` may begin with more than its own."""
    extent, origin = np.frombuffer(manifest, "<f4", 6).astype(float).reshape(2, 3)
    (count,) = struct.unpack_from("<I", manifest, 24)
    scales = np.frombuffer(manifest, "<f4", count, 28)
    offsets = np.frombuffer(manifest, "<f4", 3 * count, 28 + 4 * count).reshape(count, 3)
    numbers = np.frombuffer(manifest, "<u4", count, 28 + 16 * count)
    assert (numbers == 1).all()
    rest = np.frombuffer(manifest, "<u4", -1, 28 + 20 * count).reshape(count, 4)
    own = fragments[len(fragments) - int(rest[:, 3].sum()) :]
    found = []
    for lod, (x, y, z, size) in enumerate(rest.tolist()):
        mesh: Any = DracoPy.decode(own[:size])
        own = own[size:]
        places = np.asarray(mesh.points, float)
        vertices = origin + offsets[lod] + extent * 2**lod * ([x, y, z] + places / 65535)
        found.append(Level(float(scales[lod]), vertices, np.asarray(mesh.faces), places))
    return found


def unsharded(files: Mapping[str, bytes], number: int) -> list[Level]:
    return levels(files[f"{number}.index"], files[str(number)])


def sharded(files: Mapping[str, bytes], number: int) -> list[Level]:
    """Look a segment up in a shard of one minishard."""
    shard = files["0.shard"]
    start, end = struct.unpack("<QQ", shard[:16])
    ids, starts, sizes = np.frombuffer(gzip.decompress(shard[16 + start : 16 + end]), "<u8").reshape(3, -1)
    which = np.cumsum(ids).tolist().index(number)
    begins = 16 + int(starts[: which + 1].sum() + sizes[:which].sum())
    return levels(gzip.decompress(shard[begins : begins + int(sizes[which])]), shard[:begins])


def test_a_mesh_comes_back_in_nanometres() -> None:
    (only,) = unsharded(meshes({5: PYRAMID}, is_sharded=False), 5)
    assert sorted(np.round(only.vertices, 2).tolist()) == sorted((CORNERS / 10).tolist())
    assert only.solid.is_watertight
    assert only.solid.volume == pytest.approx(10 * 20 * 30 / 6, rel=1e-3)  # and not below 0: wound as it was
    assert (only.places == np.round(only.places)).all()
    assert (only.places.min(), only.places.max()) == (0, 65535)


def test_every_segment_is_found_in_the_shard() -> None:
    many = {number: Triangles(CORNERS + number % 1000, SIDES) for number in (1, 2, 700, 2**40)}
    files = meshes(many)
    assert set(files) == {"info", "0.shard"}
    alone = meshes(many, is_sharded=False)
    for number in many:
        (found,), (expected,) = sharded(files, number), unsharded(alone, number)
        np.testing.assert_array_equal(found.vertices, expected.vertices)
        np.testing.assert_allclose(found.vertices.min(axis=0), (number % 1000) / 10, atol=1e-3)


def test_coarser_levels_have_fewer_triangles_at_the_same_place() -> None:
    found = unsharded(meshes({1: ball()}, is_sharded=False), 1)
    assert len(found) == 3
    counts = [len(level.faces) for level in found]
    assert counts[0] == 20 * 4**5
    assert counts[1] <= counts[0] / 2
    assert counts[2] <= counts[1] / 2
    for level in found:
        np.testing.assert_allclose(level.vertices.mean(axis=0), 100, atol=1)
        assert level.solid.volume == pytest.approx(4 / 3 * np.pi * 50**3, rel=0.1)
    assert found[1].scale == pytest.approx(found[0].scale * 2)
    assert found[2].scale == pytest.approx(found[0].scale * 4)


def test_no_triangle_of_a_coarse_level_leaves_the_first_of_its_eight_parts() -> None:
    _, second, third = unsharded(meshes({1: ball()}, is_sharded=False), 1)
    assert second.places.max() <= 32768  # where a client parts them: 2 ** 16 / 2
    assert third.places.max() <= 16384


def test_levels_that_save_little_are_left_out() -> None:
    assert len(unsharded(meshes({1: PYRAMID}, is_sharded=False), 1)) == 1
    assert len(unsharded(meshes({1: ball()}, lods=1, is_sharded=False), 1)) == 1


def test_the_info_says_what_is_there() -> None:
    files = meshes({1: PYRAMID}, properties=segment_properties([1], labels=["a"]))
    info = json.loads(files["info"])
    assert info.pop("sharding")["@type"] == "neuroglancer_uint64_sharded_v1"
    assert info == {
        "@type": "neuroglancer_multilod_draco",
        "vertex_quantization_bits": 16,
        "transform": [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0],
        "lod_scale_multiplier": 1,
        "segment_properties": "segment_properties",
    }
    assert b'"label"' in files["segment_properties/info"]


def test_the_same_meshes_give_the_same_bytes() -> None:
    assert meshes({1: ball(), 2: PYRAMID}) == meshes({2: PYRAMID, 1: ball()})


def test_no_mesh_at_all_is_a_precompute_too() -> None:
    assert set(meshes({})) == {"info", "0.shard"}


def test_a_flat_mesh_stays_flat() -> None:
    flat = Triangles(np.array([[0, 0, 50], [100, 0, 50], [0, 100, 50]], float), np.array([[0, 1, 2]]))
    (only,) = unsharded(meshes({1: flat}, is_sharded=False), 1)
    np.testing.assert_allclose(only.vertices[:, 2], 5, atol=1e-3)


def test_an_oriented_mesh_is_at_every_point_as_it_is_turned() -> None:
    points = np.array([[10.0, 20.0, 30.0], [70.0, 80.0, 90.0]])
    turns = Rotation.from_euler("zyz", [[30, 40, 50], [0, 90, 0]], degrees=True)
    (only,) = sharded(oriented_mesh(PYRAMID, points, turns.as_matrix(), voxel_size=10, lods=1), 1)
    expected = np.concatenate([turn.apply(CORNERS) / 10 + point for turn, point in zip(turns, points, strict=True)])
    assert only.faces.shape == (8, 3)
    distances = np.linalg.norm(only.vertices[:, None] - expected, axis=2)
    assert distances.min(axis=0).max() < 0.01
    assert distances.min(axis=1).max() < 0.01


def test_many_instances_of_a_fine_mesh_are_coarser_and_alike() -> None:
    points = np.arange(30.0).reshape(10, 3) * 200
    turns = np.tile(np.eye(3), (10, 1, 1))
    (only,) = sharded(oriented_mesh(ball(), points, turns, voxel_size=10, lods=1, most_faces=20_000), 1)
    assert 1000 < len(only.faces) <= 20_000
    assert len(only.faces) % 10 == 0


def test_a_coarser_mesh_is_that_of_the_means() -> None:
    vertices = np.array([[0, 0, 0], [1, 0, 0], [10, 0, 0], [0, 10, 0]], float)
    coarse = simplified(Triangles(vertices, np.array([[0, 2, 3], [1, 2, 3], [0, 1, 2]])), 5)
    assert coarse.vertices.tolist() == [[0.5, 0, 0], [0, 10, 0], [10, 0, 0]]
    assert coarse.faces.tolist() == [[0, 2, 1]]  # two have become one, one has vanished


@pytest.mark.parametrize(
    ("triangles", "words"),
    [
        (Triangles(CORNERS, np.empty((0, 3), int)), "faces have"),
        (Triangles(CORNERS, SIDES[:, :2]), "faces have"),
        (Triangles(CORNERS, SIDES.astype(float)), "faces have"),
        (Triangles(CORNERS, SIDES + 1), "does not exist"),
        (Triangles(CORNERS, SIDES - 1), "does not exist"),
        (Triangles(CORNERS * np.nan, SIDES), "not finite"),
        (Triangles(CORNERS[:, :2], SIDES), "shape"),
    ],
)
def test_what_is_no_mesh_is_said(triangles: Triangles, words: str) -> None:
    with pytest.raises(InvalidRequestError, match=words):
        meshes({1: triangles})
    with pytest.raises(InvalidRequestError, match=words):
        oriented_mesh(triangles, [[0, 0, 0]], [np.eye(3)], voxel_size=1)


def test_what_makes_no_sense_is_said() -> None:
    with pytest.raises(InvalidRequestError, match="64 bits"):
        meshes({-1: PYRAMID})
    with pytest.raises(InvalidRequestError, match="level of detail"):
        meshes({1: PYRAMID}, lods=0)
    with pytest.raises(InvalidRequestError, match="no point"):
        oriented_mesh(PYRAMID, [], np.empty((0, 3, 3)), voxel_size=1)


def test_without_the_package_the_command_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(importlib, "import_module", refuse)
    with pytest.raises(MissingDependencyError, match=r'pip install "coverslip\[neuroglancer\]"') as caught:
        meshes({1: PYRAMID})
    assert caught.value.package == "DracoPy"
