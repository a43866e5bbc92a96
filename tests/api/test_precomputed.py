"""What Neuroglancer reads beside pixels: precomputed annotations, marks, cells and what is known of labels."""

import struct
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from coverslip.api.precomputes import Archives
from coverslip.derive import open_catalog
from coverslip.ingest import add
from coverslip.neuroglancer.precomputed import pack
from tests.api.checks import check_problem
from tests.api.conftest import Service, running
from tests.api.layouts import SPACING, ingested, write_layout
from tests.api.test_labels import SIZE
from tests.readers.generate_fov import pixels, write_field, write_mask, write_table


@pytest.fixture(scope="module")
def deposited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, str]]:
    folder = tmp_path_factory.mktemp("deposited")
    layout = write_layout(folder / "layout")
    layout.add(
        "annotation", f"{SPACING}/annotations/7/lost", SPACING, alignment="none/of/them", files=layout.seen[5].files
    )
    layout.annotate("broken", "Point", b"this is no point\n", "ndjson")
    with running(folder / "home") as service:
        yield service, ingested(service.settings, layout)


@pytest.fixture
def client(deposited: tuple[Service, str]) -> httpx.Client:
    return deposited[0].client


@pytest.mark.parametrize(
    ("number", "shape", "type_"),
    [
        (6, "point", "neuroglancer_annotations_v1"),
        (7, "orientedpoint", "neuroglancer_annotations_v1"),
        (8, "segmentationmask", "neuroglancer_multiscale_volume"),
        (9, "triangularmesh", "neuroglancer_multilod_draco"),
    ],
)
def test_every_shape_is_built_when_it_is_asked_for(client: httpx.Client, number: int, shape: str, type_: str) -> None:
    answer = client.get(f"/api/entities/{number}/precomputed/{shape}/info")
    assert answer.status_code == 200, answer.text
    assert answer.json()["@type"] == type_
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-cache"
    again = client.get(
        f"/api/entities/{number}/precomputed/{shape}/info", headers={"if-none-match": answer.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")


def test_ranges_are_those_bytes(client: httpx.Client) -> None:
    path = "/api/entities/6/precomputed/point/by_id/0.shard"
    whole = client.get(path)
    assert (whole.status_code, whole.headers["accept-ranges"]) == (200, "bytes")
    size = len(whole.content)
    for asked, part in (
        (f"bytes=0-{size - 1}", whole.content),
        ("bytes=16-", whole.content[16:]),
        ("bytes=-5", whole.content[-5:]),
    ):
        answer = client.get(path, headers={"range": asked})
        assert answer.content == part
    answer = client.get(path, headers={"range": "bytes=4-7"})
    assert (answer.status_code, answer.content) == (206, whole.content[4:8])
    assert answer.headers["content-range"] == f"bytes 4-7/{size}"
    assert client.get(path, headers={"range": "bytes=4-7", "if-range": '"other"'}).content == whole.content
    check_problem(client.get(path, headers={"range": f"bytes={size}-"}), 416, "bad-range")
    head = client.head(path)
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(size), b"")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("999/precomputed/point/info", "no entity 999"),
        ("6/precomputed/orientedpoint/info", "it has point"),
        ("6/precomputed/Point/info", "it has point"),
        ("6/precomputed/point/spatial9/0.shard", "no file"),
        ("6/precomputed/point/..%2finfo", "no file"),
        ("2/precomputed/point/info", "nothing to show"),
        ("10/precomputed/point/info", "no tomogram"),
    ],
)
def test_what_is_not_there_is_not_found(client: httpx.Client, path: str, words: str) -> None:
    answer = client.get(f"/api/entities/{path}")
    check_problem(answer, 404, "not-found")
    assert words in answer.json()["detail"]


def test_what_cannot_be_built_says_why(client: httpx.Client) -> None:
    answer = client.get("/api/entities/11/precomputed/point/info")
    check_problem(answer, 422, "undrawable")
    assert "broken.ndjson" in answer.json()["detail"]


def test_a_change_of_an_annotation_is_seen(deposited: tuple[Service, str]) -> None:
    service, image_id = deposited
    before = service.client.get("/api/entities/6/precomputed/point/info")
    with open_catalog(service.settings.catalog_url) as catalog:
        catalog.mark("precomputed-point", [image_id], entity_id=6)
    again = service.client.get("/api/entities/6/precomputed/point/info")
    assert (again.status_code, again.headers["etag"]) == (200, before.headers["etag"]), "the same bytes"


def test_archives_are_let_go_of_by_their_size() -> None:
    data = pack({"info": b"x" * 1000})
    archives = Archives(limit=2 * len(data))
    for key in ("a", "b", "a", "c"):
        if archives.get(key) is None:
            archives.put(key, data)
    assert [archives.get(key) is not None for key in ("a", "b", "c")] == [True, False, True]
    assert archives.size == 2 * len(data)
    large = pack({"info": b"x" * 9000})
    assert archives.put("large", large).read("info") == b"x" * 9000
    assert archives.get("large") is not None, "the latest one is read piece by piece"
    assert (archives.get("a"), archives.size) == (None, len(large))


def annotate(service: Service, image_id: str, count: int, **facts: Any) -> None:
    spots = [{"x": number % 60 + 0.5, "y": number // 60 + 0.5} for number in range(count)]
    new = {"track": "ribo/somes", "tiled": False, "label": "seen", "frames": {"axis": "z", "first": 3, "last": 3}}
    new |= {"shapes": [{"type": "points", "points": spots}], **facts}
    answer = service.client.post(f"/api/images/{image_id}/annotations", json=new)
    assert answer.status_code == 201, answer.text


def test_many_marks_are_read_from_files(deposited: tuple[Service, str]) -> None:
    service, image_id = deposited
    annotate(service, image_id, 1001)
    state = service.client.get(f"/api/images/{image_id}/neuroglancer.json").json()
    (layer,) = [one for one in state["layers"] if one["name"] == "ribo/somes"]
    ((source,),) = [[one["url"] for one in layer["source"]]]
    address = source.removeprefix("precomputed://")
    assert address.endswith(f"/api/images/{image_id}/annotations/ribo%2Fsomes/precomputed/point")
    info = httpx.get(f"{address}/info").json()
    assert info["dimensions"] == {axis: [1e-9, "m"] for axis in "xyz"}
    assert (info["annotation_type"], info["properties"][0]["enum_labels"]) == ("POINT", ["seen"])
    assert (info["lower_bound"], info["upper_bound"]) == ([0, 0, 3], [60, 17, 4])
    etag = httpx.get(f"{address}/info").headers["etag"]
    annotate(service, image_id, 1, frames={"axis": "z", "first": 9, "last": 9})
    changed = httpx.get(f"{address}/info", headers={"if-none-match": etag})
    assert (changed.status_code, changed.json()["upper_bound"]) == (200, [60, 17, 10])
    check_problem(service.client.get(f"{address.removesuffix('point')}polyline/info"), 404, "not-found")
    check_problem(service.client.get(f"{address.removesuffix('point')}ellipsoid/info"), 422, "invalid-parameter")
    check_problem(service.client.get("/api/images/x/annotations/t/precomputed/point/info"), 404, "not-found")


@pytest.fixture
def field_id(service: Service) -> str:
    """Return the image of a field of view with a mask, and a table of three cells of it."""
    base = service.settings.uploads_folder.parent.parent / "experiment"
    write_field(base / "images" / "FOV1" / "TIFs", pixels(4, shape=SIZE))
    write_mask(base / "masks" / "FOV1_whole_cell.tif", pixels(1, "int32", 3, SIZE)[0])
    columns = ("fov", "label", "centroid-0", "centroid-1", "area", "gap", "kind")
    rows = [("FOV1", 1, 10.5, 20, 7, 1.5, "T"), ("FOV2", 1, 1, 1, 1, 1, "B"), ("FOV1", 5, 30, 40.25, 9, "", "B")]
    write_table(base / "cell_table.csv", columns, rows)
    with open_catalog(service.settings.catalog_url) as catalog:
        assert add([base], catalog=catalog).is_sound
    (image,) = service.client.get("/api/images/").json()["images"]
    return str(image["id"])


def test_the_cell_table_says_what_is_known_of_labels(service: Service, field_id: str) -> None:
    layers = service.client.get(f"/api/images/{field_id}/neuroglancer.json").json()["layers"]
    (labels,) = [one for one in layers if one["type"] == "segmentation"]
    address = labels["source"][1]["url"].removeprefix("precomputed://")
    inline = httpx.get(f"{address}/info").json()["inline"]
    assert inline["ids"] == ["1", "5"]
    found = {one["id"]: one["values"] for one in inline["properties"]}
    assert found == {"centroid-0": [10.5, 30], "centroid-1": [20, 40.25], "area": [7, 9]}
    check_problem(service.client.get(f"/api/images/{field_id}/labels/nuclei/properties/info"), 404, "not-found")


def test_cells_are_points_where_the_table_says(service: Service, field_id: str) -> None:
    layers = service.client.get(f"/api/images/{field_id}/neuroglancer.json").json()["layers"]
    (cells,) = [one for one in layers if one["name"] == "cells"]
    address = cells["source"][0]["url"].removeprefix("precomputed://")
    info = httpx.get(f"{address}/info").json()
    assert list(info["dimensions"]) == ["x", "y", "z", "t"]
    assert info["properties"][0]["enum_labels"] == ["1", "5"]
    assert info["spatial"][0]["grid_shape"] == [1, 1, 1, 1]
    shard = httpx.get(f"{address}/by_id/0.shard").content
    places = [struct.pack("<4f", 20, 10.5, 0, 0), struct.pack("<4f", 40.25, 30, 0, 0)]
    assert all(place in shard for place in places)
    check_problem(service.client.get(f"/api/images/{field_id}/cells/others/precomputed/info"), 404, "not-found")


def test_an_image_without_a_table_has_no_cells(deposited: tuple[Service, str]) -> None:
    service, image_id = deposited
    check_problem(service.client.get(f"/api/images/{image_id}/cells/cells/precomputed/info"), 404, "not-found")
