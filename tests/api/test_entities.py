"""What depositions consist of, over HTTP."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.checks import check_problem
from tests.api.conftest import Service, running
from tests.api.layouts import ALIGNMENT, RUN, SPACING, ingested, points, write_layout
from tests.api.tiffs import write_stack

OTHER = f"{RUN}/spacings/20.000"


@pytest.fixture(scope="module")
def deposited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, str]]:
    folder = tmp_path_factory.mktemp("deposited")
    layout = write_layout(folder / "layout")
    layout.add("voxel_spacing", OTHER, RUN)
    layout.annotate("coarse", "Point", points((5, 6, 7)), "ndjson", spacing=OTHER)
    layout.add("annotation", f"{SPACING}/annotations/7/else", SPACING, alignment="1/TS_1/Alignments/101/a.json")
    layout.add("dataset", "datasets/10", None, document={"dataset_title": "Yeast"})
    layout.add("run", "datasets/10/runs/TS_100%", "datasets/10", deposition="8")
    with running(folder / "home") as service:
        yield service, ingested(service.settings, layout)


def found(service: Service, **query: Any) -> list[str]:
    answer = service.client.get("/api/entities/", params=query)
    assert answer.status_code == 200, answer.text
    return [one["name"] for one in answer.json()["entities"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"type": "dataset"}, ["1", "10"]),
        ({"type": "voxel_spacing", "run": "TS_1"}, ["10.000", "20.000"]),
        ({"type": "voxel_spacing", "run": RUN}, ["10.000", "20.000"]),
        ({"type": "voxel_spacing", "run": "2"}, ["10.000", "20.000"]),
        ({"run": "TS_100%"}, ["TS_100%"]),
        ({"run": "10"}, []),
        ({"dataset": "10"}, ["10", "TS_100%"]),
        ({"dataset": "1", "type": "run"}, ["TS_1"]),
        ({"deposition": "8"}, ["TS_100%"]),
        ({"parent": 3, "type": "annotation"}, ["ribosome", "proteasome", "membrane", "vesicle", "else"]),
        ({"q": "RIBO"}, ["ribosome"]),
        ({"q": "0%"}, ["TS_100%"]),
        ({"q": "ri_osome"}, []),
        ({"q": "tomograms/a"}, ["a"]),
        ({"type": "nothing"}, []),
        ({"cursor": 999999999}, []),
    ],
)
def test_entities_are_found(deposited: tuple[Service, str], query: dict[str, Any], expected: list[str]) -> None:
    assert found(deposited[0], **query) == expected


def test_pages_follow_each_other(deposited: tuple[Service, str]) -> None:
    client = deposited[0].client
    seen: list[int] = []
    cursor = None
    for _ in range(10):
        page = client.get("/api/entities/", params={"limit": 5, **({"cursor": cursor} if cursor else {})}).json()
        seen += [one["id"] for one in page["entities"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == list(range(1, len(found(deposited[0])) + 1))


def test_an_entity_is_all_that_is_known_of_it(deposited: tuple[Service, str]) -> None:
    client = deposited[0].client
    run = client.get("/api/entities/2").json()
    assert (run["type"], run["name"], run["identity"], run["parent_id"]) == ("run", "TS_1", RUN, 1)
    assert run["children"] == {"alignment": 1, "voxel_spacing": 2}
    point = client.get("/api/entities/6").json()
    assert point["document"]["annotation_object"]["name"] == "ribosome"
    key = "1/TS_1/Annotations/ribosome.ndjson"
    assert point["files"] == [{"key": key, "format": "ndjson", "shape": "Point", "version": "1"}]
    assert (point["alignment"], point["deposition"], point["image_id"]) == (ALIGNMENT, "7", None)
    assert client.get("/api/entities/5").json()["image_id"] == deposited[1]


def test_surroundings_are_what_shares_the_alignment(deposited: tuple[Service, str]) -> None:
    service, image_id = deposited
    around = service.client.get(f"/api/images/{image_id}/surroundings").json()
    assert {name: around[name]["name"] for name in ("tomogram", "voxel_spacing", "run", "dataset", "alignment")} == {
        "tomogram": "a",
        "voxel_spacing": "10.000",
        "run": "TS_1",
        "dataset": "1",
        "alignment": "100",
    }
    assert [(one["object_name"], one["shapes"], one["voxel_spacing"]) for one in around["annotations"]] == [
        ("ribosome", ["Point"], "10.000"),
        ("proteasome", ["OrientedPoint"], "10.000"),
        ("membrane", ["SegmentationMask"], "10.000"),
        ("vesicle", ["TriangularMesh"], "10.000"),
        ("coarse", ["Point"], "20.000"),
    ]


def test_what_is_not_there_is_said(deposited: tuple[Service, str], tmp_path: Path) -> None:
    service, _ = deposited
    check_problem(service.client.get("/api/entities/999"), 404, "not-found")
    for path in ("/api/entities/0", "/api/entities/x", "/api/entities/?parent=0", "/api/entities/?sort=name"):
        check_problem(service.client.get(path), 422, "invalid-parameter")
    check_problem(service.client.get("/api/entities/99999999999999999999"), 422, "invalid-parameter")
    check_problem(service.client.get("/api/images/nothing/surroundings"), 404, "not-found")
    other = service.upload(write_stack(tmp_path / "cells.ome.tif")).json()["id"]
    around = service.client.get(f"/api/images/{other}/surroundings").json()
    assert (around["tomogram"], around["annotations"]) == (None, [])
