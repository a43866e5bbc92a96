"""Points, meshes and captions: values by hand, meshes read back by trimesh."""

import io
import json
import math
from pathlib import Path
from typing import Any

import pytest
import trimesh

from tests.cryoet.test_captions import GLOBAL, OBJECTS
from tests.cryoet.test_meshes import CORNERS, FACES, OBJ, hff
from tests.cryoet.written import COPICK, RELION3, TARDIS
from tests.ingest.deposition.recipes.bench import Bench


def lines(bench: Bench, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in bench.read(name).decode().splitlines()]


def test_coordinates_are_divided_by_the_binning(bench: Bench) -> None:
    bench.put("a.csv", "x,y,z\n10,20,30\n")
    facts = bench.do("points", ["a.csv"], ["a.ndjson"], shape="Point", file_format="csv_with_header", binning=10)
    assert facts == {"object_count": 1}
    assert lines(bench, "a.ndjson") == [{"type": "point", "location": {"x": 1, "y": 2, "z": 3}}]


def test_particles_of_relion_keep_their_orientation(bench: Bench) -> None:
    bench.put("a.star", RELION3)
    options = {"shape": "OrientedPoint", "file_format": "relion3_star", "filter_value": "tomo_1.tomostar", "binning": 1}
    assert bench.do("points", ["a.star"], ["a.ndjson"], **options) == {"object_count": 2}
    first, second = lines(bench, "a.ndjson")
    assert first["location"] == {"x": 9, "y": 18, "z": 27}
    assert second["location"] == {"x": 11, "y": 21, "z": 31}
    # turned by 90 degrees about y: where the particle's axes point stands in columns
    turned = [[round(one, 9) + 0 for one in row] for row in first["xyz_rotation_matrix"]]
    assert turned == [[0, 0, -1], [0, 1, 0], [1, 0, 0]]


def test_instances_keep_their_numbers(bench: Bench) -> None:
    bench.put("a.csv", TARDIS)
    options = {"shape": "InstanceSegmentation", "file_format": "tardis", "binning": 4}
    facts = bench.do("points", ["a.csv"], ["a.ndjson"], **options)
    assert [one["instance_id"] for one in lines(bench, "a.ndjson")] == [0, 0, 3]
    assert facts == {"object_count": 2}


def test_options_that_mean_nothing_to_points_are_left_to_others(bench: Bench) -> None:
    bench.put("a.json", COPICK)
    options = {"shape": "OrientedPoint", "file_format": "copick", "mask_label": 1, "binning": 1}
    assert bench.do("points", ["a.json"], ["a.ndjson"], **options)["object_count"] > 0


def test_the_mesh_of_oriented_points_stays_where_it_is(bench: Bench) -> None:
    bench.put("a.obj", OBJ)
    facts = bench.do("oriented_mesh", ["a.obj"], [], shape="OrientedMesh")
    assert Path(facts["mesh"]).read_text() == OBJ
    assert len(facts["version"]) == 64
    bench.put("b.obj", "no mesh")
    assert bench.fails("oriented_mesh", ["b.obj"], [], shape="OrientedMesh").endswith("the file has no triangle")


def test_a_mesh_becomes_glb_with_its_vertices_scaled(bench: Bench) -> None:
    bench.put("a.obj", OBJ)
    facts = bench.do("mesh", ["a.obj"], ["a.glb"], shape="TriangularMesh", file_format="obj", scale_factor=2)
    assert facts == {"object_count": 1}
    (mesh,) = trimesh.load_scene(io.BytesIO(bench.read("a.glb")), file_type="glb").geometry.values()
    assert math.isclose(mesh.volume, 8 * 1 * 2 * 3 / 6)


def test_one_mesh_of_a_group_is_read_in_a_process_of_its_own(bench: Bench) -> None:
    pair = [(CORNERS, FACES)]
    bench.put("a.hff", hff({"1": ("ribosome", pair), "2": ("membrane", pair), "3": ("other", pair)}))
    options = {"shape": "TriangularMeshGroup", "file_format": "hff"}
    assert bench.do("mesh", ["a.hff"], ["one.glb"], mesh_name="membrane", **options) == {"object_count": 1}
    assert bench.do("mesh", ["a.hff"], ["all.glb"], **options) == {"object_count": 3}
    (mesh,) = trimesh.load_scene(io.BytesIO(bench.read("one.glb")), file_type="glb").geometry.values()
    assert sorted(map(tuple, mesh.vertices.tolist())) == sorted(map(tuple, CORNERS))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\x89HDF\r\n\x1a\n" + bytes(300), "a.hff: "),
        (hff({"1": ("ribosome", [(CORNERS, FACES)])}), "a.hff: no segment has the name 'membrane'"),
    ],
)
def test_what_is_wrong_with_a_group_is_said_of_the_source(bench: Bench, content: bytes, reason: str) -> None:
    bench.put("a.hff", content)
    said = bench.fails("mesh", ["a.hff"], ["a.glb"], file_format="hff", mesh_name="membrane")
    assert said.startswith(str(bench.source))
    assert reason in said


def test_captions_are_checked_and_counted(bench: Bench) -> None:
    bench.put("a.json", GLOBAL)
    bench.put("b.json", OBJECTS)
    facts = bench.do("caption", ["a.json"], ["g.json"], shape="GlobalCaption", file_format="saber")
    assert facts == {"object_count": 2}
    assert json.loads(bench.read("g.json")) == json.loads(GLOBAL)
    facts = bench.do("caption", ["b.json"], ["o.json"], shape="AnnotationCaption", file_format="saber")
    assert facts == {"object_count": 2}


@pytest.mark.parametrize(
    ("recipe", "options"),
    [
        ("points", {"shape": "Cube", "file_format": "csv"}),
        ("caption", {"shape": "Point", "file_format": "saber"}),
        ("mesh", {"file_format": "blend"}),
        ("points", {"shape": "Point", "file_format": "blend"}),
    ],
)
def test_a_plan_that_asks_for_nonsense_fails(bench: Bench, recipe: Any, options: dict[str, Any]) -> None:
    bench.put("a.csv", "1,2,3\n")
    assert bench.fails(recipe, ["a.csv"], ["a.out"], **options)
