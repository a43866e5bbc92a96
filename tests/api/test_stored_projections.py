"""Projections of large images are artifacts: built once, served from the storage, built again when the file changes."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile

from coverslip.api.choices import MipQuery, MultiviewQuery, ProjectionQuery
from coverslip.api.pictures import STORED_FROM_BYTES
from coverslip.derive import BY_CHOICE, KINDS, open_catalog
from coverslip.ingest import add
from tests.api.conftest import Service

SHAPE = (36, 1000, 1000)
KINDS_OF_PATHS = [("mip", "mip"), ("mip?axis=1", "mip-y"), ("projection?kind=max&axis=2", "mip-x")]
KINDS_OF_PATHS += [("multiview", "multiview")]


def write_large(path: Path, spot: int) -> Path:
    """Write a stack that is mostly empty, with a bright square at a place of its own."""
    stack = np.zeros(SHAPE, np.uint16)
    stack[:, ::7, ::5] = 100
    stack[spot, 100 * spot : 100 * spot + 60, 300:360] = 60_000
    assert stack.nbytes >= STORED_FROM_BYTES
    tifffile.imwrite(path, stack, compression="zlib", photometric="minisblack", metadata={"axes": "ZYX"})
    return path


def cataloged(service: Service, path: Path) -> str:
    with open_catalog(service.settings.catalog_url) as catalog:
        add([path], catalog=catalog)
        return catalog.list_images().images[0].id


def stored(service: Service) -> dict[str, int]:
    """Return how many artifacts of each kind are in the storage."""
    folders = (service.settings.home / "artifacts").iterdir()
    return {one.name: len(list(one.rglob("*.png"))) for one in folders if one.name in KINDS}


def test_the_choices_are_those_of_the_routes() -> None:
    mip, multiview, projection = MipQuery(), MultiviewQuery(), ProjectionQuery()
    size = {"width": mip.width, "height": mip.height}
    for axis, name in enumerate(("mip", "mip-y", "mip-x")):
        assert BY_CHOICE[mip.spec(**size, z=None, axis=axis, projection=projection.kind).digest] == name
    views = {"width": multiview.width, "height": multiview.height, "projection": multiview.projection}
    assert BY_CHOICE[multiview.spec(**views, z=None, layout="multiview").digest] == "multiview"


@pytest.mark.parametrize(("words", "kind"), KINDS_OF_PATHS)
def test_built_once_and_again_when_the_file_changes(service: Service, tmp_path: Path, words: str, kind: str) -> None:
    path = write_large(tmp_path / "large.tif", 2)
    image_id = cataloged(service, path)
    address = f"/api/images/{image_id}/{words}"
    first = service.client.get(address)
    assert (first.status_code, first.headers["content-type"]) == (200, "image/png")
    assert stored(service) == {kind: 1}
    with open_catalog(service.settings.catalog_url) as catalog:
        record = catalog.artifact(kind, image_id)
        assert (record.wanted, record.built) == (1, 1)
        assert first.headers["etag"] == f'"{record.etag}"'
    again = service.client.get(address, headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 304
    webp = service.client.get(address, params={"format": "webp"} if "?" not in words else None)
    assert webp.status_code == 200
    write_large(path, 7)
    cataloged(service, path)
    changed = service.client.get(address)
    assert changed.content != first.content
    with open_catalog(service.settings.catalog_url) as catalog:
        record = catalog.artifact(kind, image_id)
        assert (record.wanted, record.built) == (2, 2)


def test_nobody_gets_what_nobody_asked_for(service: Service, tmp_path: Path) -> None:
    image_id = cataloged(service, write_large(tmp_path / "large.tif", 3))
    assert service.client.get(f"/api/images/{image_id}/mip?width=300").status_code == 200
    assert service.client.get(f"/api/images/{image_id}/projection?kind=mean").status_code == 200
    assert service.client.get(f"/api/images/{image_id}/mip?gamma=0.5").status_code == 200
    assert service.client.get(f"/api/images/{image_id}/mip?axis=0&t=0").status_code == 200
    assert not (service.settings.home / "artifacts" / "mip").exists()


def test_small_images_are_drawn_and_look_the_same(service: Service, tmp_path: Path) -> None:
    large = write_large(tmp_path / "large.tif", 4)
    pixels = tifffile.imread(large)
    small = tmp_path / "small.tif"
    tifffile.imwrite(small, pixels.max(axis=0))
    large_id = cataloged(service, large)
    small_id = cataloged(service, small)
    pictures = [service.client.get(f"/api/images/{one}/mip").content for one in (large_id, small_id)]
    first, second = (cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) for data in pictures)
    assert first is not None
    assert second is not None
    np.testing.assert_array_equal(first, second)
    assert stored(service) == {"mip": 1}


def test_what_cannot_be_built_says_why(service: Service, tmp_path: Path) -> None:
    path = write_large(tmp_path / "large.tif", 5)
    image_id = cataloged(service, path)
    path.unlink()
    answer = service.client.get(f"/api/images/{image_id}/mip")
    assert answer.status_code == 422
    assert "large.tif" in answer.json()["detail"]
    assert service.client.get("/api/images/none/mip").status_code == 404


def test_uses_reach_the_catalog_when_the_server_stops(tmp_path: Path) -> None:
    from tests.api.conftest import running

    with running(tmp_path / "home") as service:
        image_id = cataloged(service, write_large(tmp_path / "large.tif", 6))
        service.client.get(f"/api/images/{image_id}/mip")
        url = service.settings.catalog_url
    with open_catalog(url) as catalog:
        (used_at,) = catalog.artifact_uses().values()
        assert used_at is not None
