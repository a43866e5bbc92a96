"""The server on remote images: pictures, OME-Zarr, originals; nothing but what was cataloged; changes are seen."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from coverslip.api.open_files import LOOK_SECONDS, OpenFiles
from coverslip.derive import Builder, open_catalog
from coverslip.ingest import add
from coverslip.sources import RemoteRules, locate
from coverslip.storage import open_storage
from tests.api.checks import check_problem
from tests.api.conftest import Service, running
from tests.api.tiffs import write_stack
from tests.readers.generate_czi import make_czi
from tests.services.web import WebFolder, serve_web


@pytest.fixture
def web(tmp_path: Path) -> Iterator[WebFolder]:
    folder = tmp_path / "web"
    folder.mkdir()
    with serve_web(folder) as web:
        yield web


@pytest.fixture
def remote(tmp_path: Path, web: WebFolder) -> Iterator[Service]:
    """A server with a remote TIFF and a remote CZI."""
    write_stack(web.folder / "cells.ome.tif")
    next(iter(make_czi(web.folder))).rename(web.folder / "cells.czi")
    with running(tmp_path / "home", remote_allowed=web.url) as service:
        rules = RemoteRules.of(service.settings)
        with open_catalog(service.settings.catalog_url) as catalog:
            names = ("cells.ome.tif", "cells.czi")
            find = partial(locate, rules=rules)
            report = add([find(f"{web.url}/{name}") for name in names], catalog=catalog, locate=find)
        assert report.outcomes == {"added": 2}
        yield service


def ids(service: Service) -> dict[str, str]:
    images = service.client.get("/api/images/").json()["images"]
    return {image["filename"]: image["id"] for image in images}


def test_pictures_chunks_and_originals_of_remote_images(remote: Service, web: WebFolder) -> None:
    found = ids(remote)
    assert sorted(found) == ["cells.czi", "cells.ome.tif"]
    local = {name: remote.upload(web.folder / name).json()["id"] for name in found}
    for name, image in found.items():
        for view in ("thumbnail", "slice/0", "zarr/0/zarr.json", "zarr/0/c/0/0/0/0/0"):
            here, there = (remote.client.get(f"/api/images/{one}/{view}") for one in (local[name], image))
            assert (there.status_code, there.headers["content-type"]) == (200, here.headers["content-type"]), view
            if view.startswith("zarr"):
                assert here.content == there.content
            else:
                pictures = [np.asarray(cv2.imdecode(np.frombuffer(one.content, np.uint8), 1)) for one in (here, there)]
                np.testing.assert_array_equal(pictures[0], pictures[1])
        original = (web.folder / name).read_bytes()
        answer = remote.client.get(f"/api/images/{image}/download")
        assert answer.content == original
        assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
        part = remote.client.get(f"/api/images/{image}/download", headers={"range": "bytes=100-199"})
        assert (part.status_code, part.content) == (206, original[100:200])
        same = remote.client.get(f"/api/images/{image}/download", headers={"if-none-match": answer.headers["etag"]})
        assert same.status_code == 304
    document = remote.client.get(f"/api/images/{found['cells.czi']}/metadata").json()
    assert "read through a local copy" in str(document)


def test_a_server_that_is_in_trouble_is_an_error_and_no_picture(remote: Service, web: WebFolder) -> None:
    image = ids(remote)["cells.ome.tif"]
    web.fault = "forbidden"
    for view in ("slice/0", "zarr/0/c/0/0/0/0/0", "download"):
        answer = remote.client.get(f"/api/images/{image}/{view}")
        check_problem(answer, 500 if view.startswith("zarr") else 422, "unreadable-file")
        assert "refuses it" in answer.json()["detail"]
    web.fault = ""
    assert remote.client.get(f"/api/images/{image}/slice/0").status_code == 200


def test_a_replaced_file_has_other_etags(web: WebFolder, tmp_path: Path) -> None:
    write_stack(web.folder / "cells.ome.tif")
    rules = RemoteRules((web.url,), tmp_path / "copies", 0)
    files = OpenFiles(locate=lambda text: locate(text, rules))
    url = f"{web.url}/cells.ome.tif"
    one = files.identity(url, 1)
    asked = web.requests
    assert files.identity(url, 1) is one
    assert web.requests == asked
    (web.folder / "cells.ome.tif").write_bytes(write_stack(tmp_path / "other.ome.tif", 5).read_bytes())
    files._looks = {key: (seen - LOOK_SECONDS, known) for key, (seen, known) in files._looks.items()}
    other = files.identity(url, 1)
    assert other.tag != one.tag
    with files.borrow(other) as file:
        assert str(file.path) == url
    files.close()


def test_a_server_whose_rules_exclude_an_address_does_not_open_it(
    remote: Service, web: WebFolder, tmp_path: Path
) -> None:
    image = ids(remote)["cells.ome.tif"]
    asked = web.requests
    with running(tmp_path / "home", remote_allowed="https://elsewhere.example") as stricter:
        answer = stricter.client.get(f"/api/images/{image}/slice/0")
        check_problem(answer, 403, "refused-address")
        assert "COVERSLIP_REMOTE_ALLOWED" in answer.json()["detail"]
    assert web.requests == asked


def test_a_worker_builds_thumbnails_of_remote_images(remote: Service) -> None:
    settings = remote.settings
    rules = RemoteRules.of(settings)
    with open_catalog(settings.catalog_url) as catalog:
        storage = open_storage(settings.artifacts_url)
        builder = Builder(catalog, storage, lease_seconds=30, locate=lambda text: locate(text, rules))
        outcomes = [builder.build_next(), builder.build_next(), builder.build_next()]
    assert [outcome.state for outcome in outcomes if outcome] == ["built", "built"]
