import sys
import threading
from datetime import datetime
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine, event

from coverslip.derive import open_catalog
from tests.api.checks import check_problem
from tests.api.conftest import Service
from tests.api.tiffs import write_series, write_stack

IMAGE_STACK = {
    "id",
    "filename",
    "width",
    "height",
    "depth",
    "channels",
    "bit_depth",
    "pixel_size_x",
    "pixel_size_y",
    "pixel_size_z",
    "metadata",
}
NO_SUCH = ["nothing", "00000000-0000-0000-0000-000000000000", "x" * 300, "%00", "%F0%9F%94%AC", "..%2F..", "'"]


def test_upload_and_retrieve(service: Service, stack_file: Path) -> None:
    with stack_file.open("rb") as stream:
        response = service.client.post("/api/images/upload", files={"file": stream})
    assert response.status_code == 201
    image_id = response.json()["id"]
    response = service.client.get(f"/api/images/{image_id}/thumbnail")
    assert response.status_code == 200
    assert response.headers["content-type"] == "image/png"


def test_the_document_of_an_upload(service: Service, stack_file: Path) -> None:
    answer = service.upload(stack_file)
    assert answer.status_code == 201
    document = answer.json()
    assert set(document) == {"message", "id", "image_stack", "images"}
    assert document["message"] == "File uploaded successfully"
    stack = document["image_stack"]
    assert set(stack) == IMAGE_STACK
    assert document["images"] == [stack]
    assert stack["id"] == document["id"]
    sizes = [stack[key] for key in ("width", "height", "depth", "channels", "bit_depth")]
    assert sizes == [60, 40, 5, 2, 16]
    assert [stack[f"pixel_size_{axis}"] for axis in "xyz"] == pytest.approx([0.065, 0.065, 0.2])
    assert stack["filename"] == "cells.ome.tif"
    meta = stack["metadata"]
    assert [channel["name"] for channel in meta["channels"]] == ["DAPI", "GFP"]
    assert meta["file_format"] == "TIFF"
    assert meta["format_variant"] == "OME-TIFF"
    assert meta["origin"] == "uploaded"
    assert meta["size_bytes"] == stack_file.stat().st_size
    assert meta["revision"] == 1
    assert meta["thumbnail"]["state"] == "stale"
    assert meta["missing_since"] is None
    assert datetime.fromisoformat(meta["created_at"]).tzinfo is not None
    assert "vendor" not in meta


def test_a_file_with_many_images(service: Service, tmp_path: Path) -> None:
    document = service.upload(write_series(tmp_path / "positions.ome.tif", 60)).json()
    assert len(document["images"]) == 60
    assert [stack["metadata"]["index"] for stack in document["images"]] == list(range(60))
    assert document["id"] == document["images"][0]["id"]
    assert document["image_stack"] == document["images"][0]
    assert {stack["filename"] for stack in document["images"]} == {"positions.ome.tif"}
    assert len({stack["id"] for stack in document["images"]}) == 60
    assert document["images"][7]["metadata"]["name"] == "Position 7"
    assert service.total() == 60
    last = document["images"][59]["id"]
    assert service.client.get(f"/api/images/{last}/thumbnail").status_code == 200


def test_a_list_has_pages_and_a_search(service: Service, tmp_path: Path) -> None:
    for number, name in enumerate(["mitosis.ome.tif", "axon_5417%.ome.tif", "axonx5417.ome.tif"]):
        assert service.upload(write_stack(tmp_path / "a.ome.tif", number), name).status_code == 201
    client = service.client
    whole = client.get("/api/images/").json()
    assert (whole["total"], whole["skip"], whole["limit"]) == (3, 0, 100)
    names = [stack["filename"] for stack in whole["images"]]
    assert names == ["axonx5417.ome.tif", "axon_5417%.ome.tif", "mitosis.ome.tif"]
    assert all(set(stack) == IMAGE_STACK for stack in whole["images"])
    page = client.get("/api/images/", params={"skip": 1, "limit": 1}).json()
    assert [stack["filename"] for stack in page["images"]] == names[1:2]
    assert (page["total"], page["skip"], page["limit"]) == (3, 1, 1)
    for q, found in [("AXON", 2), ("_5417%", 1), ("nothing", 0), ("", 3), ("\x00", 0)]:
        assert client.get("/api/images/", params={"q": q}).json()["total"] == found, q
    assert client.get("/api/images/", params={"skip": 5}).json()["images"] == []
    assert client.get("/api/images", params={"limit": 1}).json()["images"] == whole["images"][:1]


@pytest.mark.parametrize(
    "query",
    [
        "skip=-1",
        "limit=0",
        "limit=1001",
        "limit=1_0",
        "limit=5.0",
        "limit=+5",
        "limit=",
        "skip=1e3",
        "skip=99999999999",
        "limit=true",
        "sort=path",
        "q=" + "x" * 201,
    ],
)
def test_a_list_with_wrong_parameters(library: Service, query: str) -> None:
    answer = library.client.get(f"/api/images/?{query}")
    check_problem(answer, 422, "invalid-parameter")
    assert answer.json()["errors"][0].startswith(f"query.{query.partition('=')[0]}: ")


def test_a_list_needs_no_file_and_few_statements(service: Service, tmp_path: Path) -> None:
    service.upload(write_series(tmp_path / "many.ome.tif", 100))
    for path in service.settings.uploads_folder.rglob("*.tif"):
        path.unlink()
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        answer = service.client.get("/api/images/")
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert len(answer.json()["images"]) == 100
    assert 1 <= len([text for text in statements if text.startswith("SELECT")]) <= 4
    assert len(statements) <= 8


def test_one_image(library: Service, image_id: str) -> None:
    listed = library.client.get("/api/images/").json()["images"][0]
    assert library.client.get(f"/api/images/{image_id}").json() == listed


def test_full_metadata(library: Service, image_id: str) -> None:
    document = library.client.get(f"/api/images/{image_id}/metadata").json()
    assert document["id"] == image_id
    assert document["filename"] == "cells.ome.tif"
    assert document["voxel_size_um"] == pytest.approx({"x": 0.065, "y": 0.065, "z": 0.2})
    assert document["memory_size_mb"] == pytest.approx(5 * 2 * 40 * 60 * 2 / 2**20)
    assert document["use_lazy_loading"] is False
    assert document["bit_depth"] == 16
    assert document["size_z"] == 5
    assert document["pixel_size_x"]["unit"] == "um"
    assert document["vendor"]


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("image_id", NO_SUCH)
def test_no_such_image(library: Service, method: str, image_id: str) -> None:
    check_problem(library.client.request(method, f"/api/images/{image_id}"), 404, "not-found")


@pytest.mark.parametrize("path", ["metadata", "thumbnail", "thumbnail?width=64", "download"])
@pytest.mark.parametrize("image_id", ["nothing", "00000000-0000-0000-0000-000000000000"])
def test_nothing_of_no_such_image(library: Service, image_id: str, path: str) -> None:
    check_problem(library.client.get(f"/api/images/{image_id}/{path}"), 404, "not-found")
    check_problem(library.client.post(f"/api/images/{image_id}/restore"), 404, "not-found")


def test_delete_hides_at_once_and_can_be_undone(service: Service, stack_file: Path) -> None:
    client = service.client
    stack = service.upload(stack_file).json()["image_stack"]
    address = f"/api/images/{stack['id']}"
    tag = client.get(f"{address}/thumbnail").headers["etag"]
    answer = client.delete(address)
    assert answer.status_code == 200
    assert answer.json()["id"] == stack["id"]
    assert set(answer.json()) == {"message", "id"}
    for path in ("", "/metadata", "/thumbnail", "/thumbnail?width=64", "/download"):
        check_problem(client.get(address + path), 404, "not-found")
    check_problem(client.get(f"{address}/thumbnail", headers={"if-none-match": tag}), 404, "not-found")
    check_problem(client.delete(address), 404, "not-found")
    assert service.total() == 0
    assert len(service.uploads) == 2  # the folder and the original in it wait for the purge
    restored = client.post(f"{address}/restore")
    assert restored.status_code == 200
    assert restored.json()["id"] == stack["id"]
    assert service.total() == 1
    assert client.get(f"{address}/thumbnail").status_code == 200
    check_problem(client.post(f"{address}/restore"), 409, "conflict")


def test_formats(library: Service) -> None:
    document = library.client.get("/api/images/formats/supported").json()
    assert document["message"] == "All required packages are installed"
    tif = document["formats"][".tif"]
    assert tif["name"].startswith("TIFF")
    assert (tif["available"], tif["required_package"]) == (True, "tifffile")
    for ending in (".czi", ".nd2", ".lif", ".mrc"):
        assert document["formats"][ending]["available"] is True
    assert tif["install"] is None
    assert {key for entry in document["formats"].values() for key in entry} == {
        "name",
        "available",
        "required_package",
        "reason",
        "install",
        "experimental",
    }
    assert [ending for ending, entry in document["formats"].items() if entry["experimental"]] == [".eer", ".ims"]


def test_formats_whose_package_is_missing(library: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydicom", None)  # what Python itself takes for: cannot be imported
    document = library.client.get("/api/images/formats/supported").json()
    for ending in (".dcm", ".dicom"):
        assert document["formats"][ending] == {
            "name": "DICOM",
            "available": False,
            "required_package": "pydicom",
            "reason": "the package 'pydicom' is not installed",
            "install": 'pip install "coverslip[formats]" (or just: pip install pydicom)',
            "experimental": False,
        }
    assert document["message"] == "Missing: pip install pydicom"
    assert document["formats"][".tif"]["reason"] is None


def test_addresses_that_do_not_exist(library: Service) -> None:
    for path in ("/api/nothing", "/api/", "/api/images/x/y/z", "/api/images/x/mip/"):
        check_problem(library.client.get(path, follow_redirects=True), 404, "not-found")
    check_problem(library.client.post("/api/nothing"), 404, "not-found")
    answer = library.client.put("/api/images/")
    check_problem(answer, 405, "method-not-allowed")
    assert "GET" in answer.headers["allow"]


def test_names_that_are_no_text_do_not_break_the_list(service: Service, tmp_path: Path) -> None:
    from coverslip.ingest import add

    odd = tmp_path / "caf\udce9.ome.tif"
    odd.write_bytes(write_stack(tmp_path / "a.ome.tif").read_bytes())
    with open_catalog(service.settings.catalog_url) as catalog:
        add([odd], catalog=catalog, workers=1)
    (stack,) = service.client.get("/api/images/").json()["images"]
    assert stack["filename"] == "caf\ufffd.ome.tif"
    address = f"/api/images/{stack['id']}"
    assert service.client.get(f"{address}/metadata").status_code == 200
    answer = service.client.get(f"{address}/download")
    assert answer.content == odd.read_bytes()
    odd.unlink()
    check_problem(service.client.get(f"{address}/download"), 404, "not-found")


def test_many_clients_at_once(library: Service, image_id: str) -> None:
    statuses: list[int] = []

    def work() -> None:
        with httpx.Client(base_url=library.address, timeout=30) as client:
            for path in ("", "/metadata", "/thumbnail", "/thumbnail?z_slice=1", "/download") * 3:
                statuses.append(client.get(f"/api/images/{image_id}{path}").status_code)  # noqa: PERF401

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 120


@pytest.mark.parametrize("path", ["", "formats/supported", "{id}", "{id}/metadata"])
def test_heads_are_those_of_the_documents(library: Service, image_id: str, path: str) -> None:
    address = f"/api/images/{path.replace('{id}', image_id)}"
    whole, head = library.client.get(address), library.client.head(address)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-type", "content-length"):
        assert head.headers[name] == whole.headers[name]
    assert library.client.head("/api/images/none").status_code == 404
