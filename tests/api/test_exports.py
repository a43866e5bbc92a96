"""Exports over HTTP: made by the server, followed, cancelled, fetched."""

import io
import json
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from PIL import Image
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync
from zarr.storage import MemoryStore

from coverslip.derive import open_catalog
from coverslip.ingest import add
from tests.api.conftest import Service, running
from tests.export.making import expected, planes_of, roi, write_fields, write_rois
from tests.export.test_maps import write_map

Body = dict[str, Any]


@pytest.fixture
def fields(tmp_path: Path) -> Iterator[Service]:
    """A server whose library has two fields of view with masks, a cell table and marker sets."""
    images = write_fields(tmp_path / "data")
    home = tmp_path / "home"
    home.mkdir()
    with open_catalog(f"sqlite:///{home / 'catalog.sqlite'}") as catalog:
        assert add([images], catalog=catalog).is_sound
    with running(home) as service:
        yield service


def body_of(service: Service, mode: str = "fov", **options: object) -> Body:
    found = service.client.get("/api/images/").json()["images"]
    images = [one["id"] for one in sorted(found, key=lambda one: str(one["filename"]))]
    assert len(images) == 2
    return {"mode": mode, "images": images, "marker_set": "Two", "options": options}


def ended(service: Service, job_id: str) -> Body:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        job: Body = service.client.get(f"/api/exports/{job_id}").json()
        if job["state"] not in {"pending", "running", "cancelling"}:
            return job
        time.sleep(0.05)
    raise AssertionError(job)


def test_an_export_is_made_and_fetched_as_an_archive(fields: Service) -> None:
    answer = fields.client.post("/api/exports", json=body_of(fields))
    assert answer.status_code == 201, answer.text
    job = ended(fields, answer.json()["id"])
    assert (job["state"], job["total"], job["succeeded"]) == ("completed", 2, 2)
    items = fields.client.get(f"/api/exports/{job['id']}/items").json()
    assert [(item["name"], item["state"]) for item in items] == [("A", "ok"), ("B", "ok")]
    data = fields.client.get(f"/api/exports/{job['id']}/download").content
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        with Image.open(io.BytesIO(archive.read("B.png"))) as picture:
            pixels = np.asarray(picture)
    assert names[:2] == ["A.png", "B.png"]
    assert [name.partition("-")[0] for name in names[2:]] == ["manifest", "manifest"]
    np.testing.assert_array_equal(pixels, expected(planes_of(1), ("DNA", "CD3")))
    assert [one["id"] for one in fields.client.get("/api/exports").json()] == [job["id"]]


def test_a_preview_shows_one_item_and_a_dry_run_lists_all(fields: Service) -> None:
    body = body_of(fields, "cells", size=20, where="label == 2")
    found = fields.client.post("/api/exports/preview?item=1", json=body)
    assert found.headers["content-type"] == "image/png"
    with Image.open(io.BytesIO(found.content)) as picture:
        right = expected(planes_of(1), ("DNA", "CD3"), (20, 12, 40, 32))
        np.testing.assert_array_equal(np.asarray(picture), right)
    listed = fields.client.post("/api/exports/dry-run", json=body).json()
    assert [one["path"] for one in listed["files"]] == ["A_cell_2.png", "B_cell_2.png"]
    assert listed["is_sound"]
    assert fields.client.post("/api/exports/preview?item=2", json=body).status_code == 400
    assert fields.client.get("/api/exports").json() == []


def test_an_export_is_cancelled_and_gone_on_with(fields: Service) -> None:
    body = body_of(fields, "cells", size=16, per_second=4)
    job_id = fields.client.post("/api/exports", json=body).json()["id"]
    while fields.client.get(f"/api/exports/{job_id}").json()["succeeded"] == 0:
        time.sleep(0.02)
    assert fields.client.post(f"/api/exports/{job_id}/cancel").json()["state"] in {"cancelling", "cancelled"}
    job = ended(fields, job_id)
    assert job["state"] == "cancelled"
    assert 1 <= job["succeeded"] < 6
    assert fields.client.post(f"/api/exports/{job_id}/resume").status_code == 200
    assert ended(fields, job_id)["state"] == "completed"


def test_what_failed_is_tried_again_when_asked(fields: Service, tmp_path: Path) -> None:
    channel = tmp_path / "data" / "images" / "A" / "CD3.tiff"
    away = channel.rename(tmp_path / "CD3.tiff")
    job_id = fields.client.post("/api/exports", json=body_of(fields)).json()["id"]
    assert ended(fields, job_id)["state"] == "partial"
    failed = fields.client.get(f"/api/exports/{job_id}/items?state=failed").json()
    assert [(item["name"], item["error_type"]) for item in failed] == [("A", "MissingChannelError")]
    away.rename(channel)
    assert fields.client.post(f"/api/exports/{job_id}/retry").status_code == 200
    assert ended(fields, job_id)["state"] == "completed"


def test_a_job_is_followed_until_it_has_ended(fields: Service) -> None:
    job_id = fields.client.post("/api/exports", json=body_of(fields, "cells", size=16, per_second=10)).json()["id"]
    messages = []
    with fields.client.stream("GET", f"/api/exports/{job_id}/events") as stream:
        messages = [json.loads(line[6:]) for line in stream.iter_lines() if line.startswith("data: ")]
    assert messages[-1]["state"] == "completed"
    assert messages[-1]["succeeded"] == 6
    counts = [one["succeeded"] for one in messages]
    assert counts == sorted(counts)


def test_a_server_that_stops_goes_on_with_its_exports_when_it_starts(tmp_path: Path) -> None:
    images = write_fields(tmp_path / "data")
    home = tmp_path / "home"
    home.mkdir()
    with open_catalog(f"sqlite:///{home / 'catalog.sqlite'}") as catalog:
        add([images], catalog=catalog)
    with running(home) as service:
        job_id = service.client.post("/api/exports", json=body_of(service, "cells", size=16, per_second=3)).json()["id"]
        while service.client.get(f"/api/exports/{job_id}").json()["succeeded"] == 0:
            time.sleep(0.02)
    with running(home) as service:
        job = ended(service, job_id)
        assert (job["state"], job["succeeded"]) == ("completed", 6)


@pytest.mark.parametrize("option", ["folder", "table", "executor", "existing"])
def test_nobody_chooses_paths_of_the_server(fields: Service, option: str, tmp_path: Path) -> None:
    answer = fields.client.post("/api/exports", json=body_of(fields, "cells", **{option: str(tmp_path / "x")}))
    assert answer.status_code == 400
    assert f"{option} are the server's own choice" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"marker_set": "None such"}, 404),
        ({"images": ["00000000-0000-0000-0000-000000000000"]}, 404),
        ({"mode": "rois"}, 404),
        ({"file_format": "exe"}, 400),
        ({"options": {"annotation": {"annotation": "../../secret"}, "size": "x"}}, 400),
        ({"mode": "everything"}, 422),
        ({"images": []}, 422),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(fields: Service, change: Body, status: int) -> None:
    answer = fields.client.post("/api/exports", json={**body_of(fields), **change})
    assert answer.status_code == status, answer.text
    assert fields.client.get("/api/exports").json() == []


def test_an_export_that_is_not_there_is_not_found(fields: Service) -> None:
    assert fields.client.get("/api/exports/none").status_code == 404
    assert fields.client.get("/api/exports/none/download").status_code == 404
    assert fields.client.get("/api/exports/none/events").status_code == 404
    assert fields.client.post("/api/exports/none/cancel").status_code == 404


def test_a_folder_of_ome_zarr_and_a_contact_sheet_come_in_the_archive(fields: Service) -> None:
    body = {**body_of(fields, contact_sheet=True, masks="whole_cell"), "file_format": "ome-zarr"}
    answer = fields.client.post("/api/exports", json=body)
    assert answer.status_code == 201, answer.text
    job = ended(fields, answer.json()["id"])
    assert (job["state"], job["succeeded"]) == ("completed", 2)
    data = fields.client.get(f"/api/exports/{job['id']}/download").content
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert [name for name in names if name.endswith(".html")] == [f"contact-sheet-{job['id'][:8]}.html"]
        store = MemoryStore()
        prefix = "B.ome.zarr/"
        files = {name.removeprefix(prefix): archive.read(name) for name in names if name.startswith(prefix)}
    for name, content in files.items():
        sync(store.set(name, default_buffer_prototype().buffer.from_bytes(content)))
    group: Any = zarr.open_group(store, mode="r")
    np.testing.assert_array_equal(group["0"][0, 1, 0], planes_of(1)["CD3"])


@pytest.mark.parametrize("by", ["path", "path/"])
def test_a_whole_folder_of_the_library_is_a_dataset(fields: Service, tmp_path: Path, by: str) -> None:
    folder = str(tmp_path / "data" / "images") + by.removeprefix("path")
    body = {"mode": "fov", "dataset": folder, "marker_set": "Two", "options": {"panels": True}}
    listed = fields.client.post("/api/exports/dry-run", json=body).json()
    assert [one["path"] for one in listed["files"]] == ["A.png", "B.png"]
    answer = fields.client.post("/api/exports", json={**body, "options": {"separate": True}})
    job = ended(fields, answer.json()["id"])
    assert (job["state"], job["succeeded"]) == ("completed", 4)


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"dataset": "none such"}, 404, "there is no dataset 'none such'"),
        ({"dataset": "/etc"}, 404, "there is no dataset '/etc'"),
        ({"dataset": ""}, 422, ""),
        ({"dataset": "x", "images": ["y"]}, 422, "one of them"),
        ({}, 422, "one of them"),
    ],
)
def test_images_or_a_dataset_are_named(fields: Service, change: Body, status: int, words: str) -> None:
    answer = fields.client.post("/api/exports", json={"mode": "fov", "marker_set": "Two", **change})
    assert answer.status_code == status
    assert words in answer.text


def test_regions_of_a_map_are_exported_by_the_server(fields: Service, tmp_path: Path) -> None:
    images = tmp_path / "data" / "images"
    size = {"frameSizePixels": {"width": 60, "height": 40}, "fovSizeMicrons": 30}
    fovs = [
        {"name": name, "slideId": "S", "centerPointMicrons": {"x": x, "y": 0}, **size}
        for name, x in (("A", 0), ("B", 30))
    ]
    write_map(images, fovs)
    write_rois(images, [{**roi("r", "", (40, 80, 0, 40)), "map_id": "S"}])
    job_id = fields.client.post("/api/exports", json=body_of(fields, "rois")).json()["id"]
    assert ended(fields, job_id)["state"] == "completed"
    data = fields.client.get(f"/api/exports/{job_id}/download").content
    with zipfile.ZipFile(io.BytesIO(data)) as archive, Image.open(io.BytesIO(archive.read("S_roi_r.png"))) as picture:
        pixels = np.asarray(picture)
    sides = [expected(planes_of(n), ("DNA", "CD3"), box) for n, box in ((0, (40, 0, 60, 40)), (1, (0, 0, 20, 40)))]
    np.testing.assert_array_equal(pixels, np.hstack(sides))


def test_a_channel_that_was_copied_again_is_tried_again(fields: Service, tmp_path: Path) -> None:
    channel = tmp_path / "data" / "images" / "A" / "CD3.tiff"
    data = channel.read_bytes()
    channel.write_bytes(data[: len(data) // 2])
    job_id = fields.client.post("/api/exports", json=body_of(fields)).json()["id"]
    assert ended(fields, job_id)["state"] == "partial"
    channel.write_bytes(data)
    assert fields.client.post(f"/api/exports/{job_id}/retry").status_code == 200
    assert ended(fields, job_id)["state"] == "completed"
