"""Combined images over HTTP: never an old one for the present one."""

import io
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from coverslip.derive import open_catalog
from tests.api.checks import check_problem
from tests.api.conftest import Service

FRAMES = 30


def film(seed: int = 1, frames: int = FRAMES, dtype: str = "uint8") -> NDArray[Any]:
    return np.random.default_rng(seed).integers(0, 250, (frames, 20, 28)).astype(dtype)


def upload(service: Service, pixels: NDArray[Any], name: str = "film.tif") -> str:
    path = service.settings.home.parent / name
    tifffile.imwrite(path, pixels, imagej=True, metadata={"axes": "TYX"})
    found: str = service.upload(path).json()["id"]
    return found


def annotate(service: Service, image_id: str, first: int, last: int, **more: Any) -> str:
    body = {"frames": {"axis": "t", "first": first, "last": last}, **more}
    answer = service.client.post(f"/api/images/{image_id}/annotations", json=body)
    found: str = answer.json()["annotation"]["id"]
    return found


def move(service: Service, annotation_id: str, first: int, last: int) -> None:
    revision = service.client.get(f"/api/annotations/{annotation_id}").json()["revision"]
    body = {"revision": revision, "frames": {"axis": "t", "first": first, "last": last}}
    assert service.client.patch(f"/api/annotations/{annotation_id}", json=body).status_code == 200


def shown(answer: httpx.Response) -> NDArray[Any]:
    """Return the grey of a picture."""
    assert answer.status_code == 200, answer.text
    rgb = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
    assert rgb is not None
    assert (rgb[..., 0] == rgb[..., 2]).all()
    return rgb[..., 0]


@pytest.fixture
def image_id(service: Service) -> str:
    return upload(service, film())


def test_eight_bits_are_shown_as_they_are(service: Service, image_id: str) -> None:
    box = {"x": 3, "y": 4, "width": 12, "height": 9}
    annotation = annotate(service, image_id, 5, 13, box=box)
    part = film()[5:14, 4:13, 3:15]
    for statistic, function in (("median", np.median), ("mean", np.mean), ("max", np.max)):
        answer = service.client.get(f"/api/annotations/{annotation}/combined", params={"statistic": statistic})
        np.testing.assert_array_equal(shown(answer), np.rint(function(part, axis=0)))
        assert "x-coverslip-stale" not in answer.headers
    spread = shown(service.client.get(f"/api/annotations/{annotation}/combined?statistic=std"))
    assert spread.max() == 255, "it is stretched"


@pytest.mark.parametrize("form", ["npy", "tiff"])
def test_exact_values(service: Service, form: str) -> None:
    pixels = film(dtype="uint16") * 200
    annotation = annotate(service, upload(service, pixels), 0, 9)
    for statistic in ("median", "mean", "max", "std"):
        words = {"statistic": statistic, "format": form}
        answer = service.client.get(f"/api/annotations/{annotation}/combined", params=words)
        stream = io.BytesIO(answer.content)
        values = np.load(stream) if form == "npy" else tifffile.imread(stream)
        wanted = getattr(np, statistic)(pixels[:10], axis=0)
        np.testing.assert_allclose(values.squeeze(), np.rint(wanted) if statistic == "median" else wanted, rtol=1e-12)
        etag = {"if-none-match": answer.headers["etag"]}
        known = service.client.get(f"/api/annotations/{annotation}/combined", params=words, headers=etag)
        assert known.status_code == 304
    move(service, annotation, 0, 3)
    changed = service.client.get(f"/api/annotations/{annotation}/combined?format={form}", headers=etag)
    assert changed.status_code == 200


def test_what_changed_is_built_anew_and_the_previous_one_is_marked(service: Service, image_id: str) -> None:
    annotation = annotate(service, image_id, 0, 9)
    address = f"/api/annotations/{annotation}/combined"
    first = service.client.get(f"{address}?stale=allow")
    assert "x-coverslip-stale" not in first.headers, "there was none before: it was built"
    move(service, annotation, 0, 19)
    old = service.client.get(f"{address}?stale=allow")
    assert (old.content, old.headers["x-coverslip-stale"]) == (first.content, "true")
    known = service.client.get(f"{address}?stale=allow", headers={"if-none-match": first.headers["etag"]})
    assert (known.status_code, known.headers["x-coverslip-stale"]) == (304, "true")
    webp = service.client.get(f"{address}?stale=allow&format=webp")
    assert (webp.headers["content-type"], webp.headers["x-coverslip-stale"]) == ("image/webp", "true")
    new = service.client.get(address, headers={"if-none-match": first.headers["etag"]})
    np.testing.assert_array_equal(shown(new), np.rint(np.median(film()[:20], axis=0)))
    assert "x-coverslip-stale" not in service.client.get(f"{address}?stale=allow").headers


def test_the_small_one_follows(service: Service, image_id: str) -> None:
    annotation = annotate(service, image_id, 0, 9)
    address = f"/api/annotations/{annotation}/thumbnail"
    first = service.client.get(address)
    assert first.status_code == 200
    np.testing.assert_array_equal(shown(first), shown(service.client.get(f"/api/annotations/{annotation}/combined")))
    move(service, annotation, 0, 19)
    assert service.client.get(address).content != first.content
    assert service.client.head(address).headers["content-type"] == "image/png"


def test_what_does_not_fit_any_more_is_said(service: Service) -> None:
    path = service.settings.home.parent / "there.tif"
    tifffile.imwrite(path, film(), imagej=True, metadata={"axes": "TYX"})
    from coverslip.ingest import add

    with open_catalog(service.settings.catalog_url) as catalog:
        add([path], catalog=catalog)
        image_id = catalog.list_images().images[0].id
        annotation = annotate(service, image_id, 20, 29)
        tifffile.imwrite(path, film(2, 12), imagej=True, metadata={"axes": "TYX"})
        add([path], catalog=catalog)
    for words in ("", "?format=npy"):
        answer = service.client.get(f"/api/annotations/{annotation}/combined{words}")
        assert answer.status_code in {400, 422}
        assert "frames 20 to 29 along t do not fit the image any more: it has 12 now" in answer.json()["detail"]
    failed = service.client.get("/api/artifacts/?state=failed").json()["artifacts"]
    assert [one["annotation_id"] for one in failed] == [annotation]


def test_there_is_none_of_what_is_not_there(service: Service, image_id: str) -> None:
    annotation = annotate(service, image_id, 0, 9)
    service.client.get(f"/api/annotations/{annotation}/combined")
    service.client.delete(f"/api/annotations/{annotation}?revision=1")
    for name in ("combined", "combined?stale=allow", "combined?format=npy", "thumbnail"):
        check_problem(service.client.get(f"/api/annotations/{annotation}/{name}"), 404, "not-found")
        check_problem(service.client.get(f"/api/annotations/nobody/{name}"), 404, "not-found")
    service.client.post(f"/api/annotations/{annotation}/undo", json={})
    assert service.client.get(f"/api/annotations/{annotation}/combined").status_code == 200
    wrong = service.client.get(f"/api/annotations/{annotation}/combined?statistic=mode")
    check_problem(wrong, 422, "invalid-parameter")


def test_the_key_image_is_stored(service: Service, image_id: str) -> None:
    answer = service.client.get(f"/api/images/{image_id}/key-image")
    assert shown(answer).shape == (20, 28)
    found = service.client.get("/api/artifacts/?kind=key-image").json()["artifacts"]
    assert [one["state"] for one in found] == ["fresh"]
    assert answer.headers["etag"] == f'"{found[0]["etag"]}"'
