"""Every image as OME-Zarr over HTTP, read by a real client from a real server."""

import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import tifffile
import zarr
from obstore.store import HTTPStore
from ome_zarr_models.v04.image import Image as ImageV04
from ome_zarr_models.v05.image import Image as ImageV05
from zarr.storage import ObjectStore

import coverslip
from coverslip.derive import open_catalog
from coverslip.ingest import add
from tests.api.checks import check_problem
from tests.api.conftest import Service, running
from tests.api.tiffs import stack_pixels
from tests.ngff.images import array_of, channels_of, slow_mean, some
from tests.viewers.references import read_czi, read_lif, read_mrc, read_nd2

FORMATS = [("zarr", 3), ("zarr04", 2)]


def opened(service: Service, image_id: str, word: str = "zarr", zarr_format: Any = 3) -> zarr.Group:
    """Open an image as any program would that knows its address."""
    address = f"{service.address}/api/images/{image_id}/{word}"
    remote = HTTPStore.from_url(address, client_options={"allow_http": True}, retry_config={"max_retries": 0})
    return zarr.open_group(ObjectStore(remote, read_only=True), mode="r", zarr_format=zarr_format)


def uploaded(service: Service, path: Path) -> list[str]:
    answer = service.upload(path)
    assert answer.status_code == 201, answer.text
    return [image["id"] for image in answer.json()["images"]]


@pytest.mark.parametrize(("word", "zarr_format"), FORMATS)
def test_a_client_reads_what_the_file_holds(library: Service, image_id: str, word: str, zarr_format: int) -> None:
    group = opened(library, image_id, word, zarr_format)
    expected = stack_pixels().transpose(1, 0, 2, 3)[None]
    np.testing.assert_array_equal(array_of(group, "0")[...], expected)
    np.testing.assert_array_equal(array_of(group, "0")[0, 1, 2:4, 7:33, 50:], expected[0, 1, 2:4, 7:33, 50:])
    model = ImageV05 if zarr_format == 3 else ImageV04
    model.from_zarr(group)
    attributes: Any = group.attrs.asdict()
    ome = attributes["ome"] if zarr_format == 3 else attributes
    assert [channel["label"] for channel in ome["omero"]["channels"]] == ["DAPI", "GFP"]
    listed = library.client.get(f"/api/images/{image_id}").json()["metadata"]["channels"]
    shown = [f"#{channel['color'].lower()}" for channel in ome["omero"]["channels"]]
    assert shown == [channel["display_color"].lower() for channel in listed]


@pytest.mark.parametrize(
    ("dtype", "shape"),
    [
        ("uint8", (3, 41, 57)), ("uint16", (601, 523)), ("int16", (2, 33, 1)), ("float32", (530, 700)),
        ("float64", (9, 11)), ("float16", (9, 11)), ("complex64", (12, 13)), ("complex128", (5, 4)),
        ("bool", (30, 50)), ("uint32", (8, 8)), ("int64", (8, 8)), ("uint8", (70, 300, 3)),
    ],
)  # fmt: skip
def test_every_type_and_odd_sizes(service: Service, tmp_path: Path, dtype: str, shape: tuple[int, ...]) -> None:
    pixels = some(shape, dtype)
    is_color = shape[-1] == 3 and len(shape) == 3
    path = tmp_path / "made.tif"
    tifffile.imwrite(path, pixels, photometric="rgb" if is_color else "minisblack")
    with coverslip.open_image(path) as file:
        expected = channels_of(file.images[0].to_numpy())
    assert expected.size == pixels.size
    (image_id,) = uploaded(service, path)
    for word, zarr_format in FORMATS:
        group = opened(service, image_id, word, zarr_format)
        np.testing.assert_array_equal(array_of(group, "0")[...], expected)
        for level in range(1, _levels(group)):
            found = np.asarray(array_of(group, str(level))[...])
            np.testing.assert_allclose(found, slow_mean(expected, 1 << level), rtol=1e-6)


def _levels(group: zarr.Group) -> int:
    attributes: Any = group.attrs.asdict()
    return len(attributes.get("ome", attributes)["multiscales"][0]["datasets"])


REAL = [
    ("czi/CD_s_1_t_3_c_2_z_5.czi", read_czi),
    ("czi/DAPI_GFP.czi", read_czi),
    ("nd2/example-pbmc.nd2", read_nd2),
    ("nd2/example-timelapse.nd2", read_nd2),
    ("lif/xz-example.lif", read_lif),
    ("mrc/julian-test.mrc", read_mrc),
    ("mrc/5MRC.mrc", read_mrc),
]


@pytest.mark.samples
@pytest.mark.parametrize(("name", "reference"), REAL, ids=[name for name, _ in REAL])
def test_real_files_as_the_format_library_reads_them(
    service: Service, samples: Path, name: str, reference: Any
) -> None:
    identifiers = uploaded(service, samples / name)
    expected = reference(samples / name)
    assert len(identifiers) == len(expected)
    for image_id, pixels in zip(identifiers, expected, strict=True):
        for word, zarr_format in FORMATS:
            found = array_of(opened(service, image_id, word, zarr_format), "0")
            assert found.dtype == pixels.dtype
            np.testing.assert_array_equal(found[...], pixels)


def test_plain_http_chunks_ranges_heads_and_tags(library: Service, image_id: str) -> None:
    address = f"/api/images/{image_id}/zarr/0/c/0/1/3/0/0"
    whole = library.client.get(address)
    assert whole.status_code == 200
    assert whole.headers["content-type"] == "application/octet-stream"
    assert whole.headers["cache-control"] == "no-cache"
    assert whole.content == stack_pixels()[3, 1].tobytes()
    head = library.client.head(address)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("etag", "content-length", "content-type", "accept-ranges"):
        assert head.headers[name] == whole.headers[name]
    part = library.client.get(address, headers={"range": "bytes=100-299"})
    assert (part.status_code, part.content) == (206, whole.content[100:300])
    assert part.headers["content-range"] == f"bytes 100-299/{len(whole.content)}"
    assert library.client.get(address, headers={"range": "bytes=-10"}).content == whole.content[-10:]
    stale = library.client.get(address, headers={"range": "bytes=0-9", "if-range": '"other"'})
    assert (stale.status_code, stale.content) == (200, whole.content)
    beyond = library.client.get(address, headers={"range": "bytes=99999999-"})
    check_problem(beyond, 416, "bad-range")
    assert beyond.headers["content-range"] == f"bytes */{len(whole.content)}"
    again = library.client.get(address, headers={"if-none-match": whole.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == whole.headers["etag"]


def test_documents_are_json_and_every_key_has_its_own_tag(library: Service, image_id: str) -> None:
    tags = set()
    keys = ["zarr/zarr.json", "zarr/0/zarr.json", "zarr/0/c/0/0/0/0/0", "zarr/0/c/0/0/1/0/0", "zarr04/.zgroup"]
    keys += ["zarr04/.zattrs", "zarr04/0/.zarray", "zarr04/0/0/0/0/0/0"]
    for key in keys:
        answer = library.client.get(f"/api/images/{image_id}/{key}")
        assert answer.status_code == 200
        tags.add(answer.headers["etag"])
        is_document = "/0/0/" not in key
        assert answer.headers["content-type"] == ("application/json" if is_document else "application/octet-stream")
        if is_document:
            assert json.loads(answer.content)
            head = library.client.head(f"/api/images/{image_id}/{key}")
            assert head.headers["content-length"] == str(len(answer.content))
    assert len(tags) == len(keys)


@pytest.mark.parametrize(
    "key",
    [
        "zarr/", "zarr/.zattrs", "zarr/1/zarr.json", "zarr/0/c/0/0/5/0/0", "zarr/0/c/0/2/0/0/0", "zarr/0/c/0/0/0/1/0",
        "zarr/0/c/0/0/-1/0/0", "zarr/0/c/0/0/00/0/0", "zarr/0/0/0/0/0/0", "zarr04/zarr.json", "zarr04/0/c/0/0/0/0/0",
        "zarr04/0/.zattrs", "zarr/..%2f..%2fzarr.json", "zarr/0//zarr.json",
    ],
)  # fmt: skip
@pytest.mark.parametrize("known", [None, "*"])
def test_what_cannot_exist_is_absent(library: Service, image_id: str, key: str, known: str | None) -> None:
    headers = {} if known is None else {"if-none-match": known}
    check_problem(library.client.get(f"/api/images/{image_id}/{key}", headers=headers), 404, "not-found")
    assert library.client.head(f"/api/images/{image_id}/{key}", headers=headers).status_code == 404
    check_problem(library.client.get(f"/api/images/no-such-image/{key}"), 404, "not-found")


def test_a_changed_file_has_other_tags_and_other_chunks(service: Service, tmp_path: Path) -> None:
    path = tmp_path / "cells.tif"
    first, second = some((40, 60), seed=1), some((40, 60), seed=2)
    tifffile.imwrite(path, first)
    image_id = cataloged(service, path)
    address = f"/api/images/{image_id}/zarr/0/c/0/0/0/0/0"
    before = service.client.get(address)
    assert before.content == first.tobytes()
    tifffile.imwrite(path, second)
    cataloged(service, path)
    after = service.client.get(address, headers={"if-none-match": before.headers["etag"]})
    assert (after.status_code, after.content) == (200, second.tobytes())


def cataloged(service: Service, path: Path) -> str:
    with open_catalog(service.settings.catalog_url) as catalog:
        add([path], catalog=catalog)
        return next(image.id for image in catalog.list_images().images if image.path == str(path))


@pytest.mark.parametrize(("word", "zarr_format"), FORMATS)
def test_a_file_that_lost_its_end_is_an_error_and_never_zeros(
    service: Service, tmp_path: Path, word: str, zarr_format: int
) -> None:
    path = tmp_path / "cells.tif"
    pixels = some((6, 600, 600))
    tifffile.imwrite(path, pixels)
    image_id = cataloged(service, path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    prefix = f"/api/images/{image_id}/{word}/0/{'c/' if zarr_format == 3 else ''}0/0"
    answers = [service.client.get(f"{prefix}/{z}/0/0") for z in range(6)]
    assert answers[5].status_code == 500
    for z, answer in enumerate(answers):
        if answer.status_code == 200:
            found = np.frombuffer(answer.content, np.uint16).reshape(512, 512)
            np.testing.assert_array_equal(found, pixels[z, :512, :512])
        else:
            check_problem(answer, 500, "unreadable-file")
    with pytest.raises(Exception, match=r"500|unreadable"):
        array_of(opened(service, image_id, word, zarr_format), "0")[0, 0, 5]
    path.unlink()
    check_problem(service.client.get(f"{prefix}/0/0/0"), 500, "unreadable-file")
    check_problem(service.client.get(f"/api/images/{image_id}/{word}/zarr.json"), 500, "unreadable-file")


def test_many_chunks_at_once_are_all_right(service: Service, tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    path = tmp_path / "stack.tif"
    pixels = some((24, 200, 300))
    tifffile.imwrite(path, pixels, compression="zlib")
    (image_id,) = uploaded(service, path)

    def fetch(z: int) -> bytes:
        return httpx.get(f"{service.address}/api/images/{image_id}/zarr/0/c/0/0/{z % 24}/0/0", timeout=30).content

    with ThreadPoolExecutor(8) as pool:
        for z, data in enumerate(pool.map(fetch, range(96))):
            assert data == pixels[z % 24].tobytes()


@pytest.mark.samples
def test_dask_computes_over_http(service: Service, samples: Path) -> None:
    import dask.array as da

    (image_id,) = uploaded(service, samples / "czi" / "CD_s_1_t_3_c_2_z_5.czi")
    lazy = da.from_zarr(array_of(opened(service, image_id), "0"))  # type: ignore[no-untyped-call]  # dask has no types
    (expected,) = read_czi(samples / "czi" / "CD_s_1_t_3_c_2_z_5.czi")
    np.testing.assert_array_equal(lazy.max(axis=2).compute(scheduler="threads"), expected.max(axis=2))


SITE = "https://viewer.example"


def test_pages_of_other_sites_read_nothing_unless_named(library: Service, image_id: str) -> None:
    answer = library.client.get(f"/api/images/{image_id}/zarr/zarr.json", headers={"origin": SITE})
    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_a_named_viewer_reads_the_zarr_routes_and_no_others(tmp_path: Path) -> None:
    path = tmp_path / "cells.tif"
    tifffile.imwrite(path, some((40, 60)))
    with running(tmp_path / "home", zarr_origins=f"http://localhost:3000, {SITE}/") as service:
        (image_id,) = uploaded(service, path)
        address = f"/api/images/{image_id}"

        def allowed(path: str, origin: str = SITE, method: str = "GET") -> str | None:
            answer = service.client.request(method, path, headers={"origin": origin})
            found: str | None = answer.headers.get("access-control-allow-origin")
            return found

        assert allowed(f"{address}/zarr/zarr.json") == SITE
        assert allowed(f"{address}/zarr04/0/0/0/0/0/0", method="HEAD") == SITE
        assert allowed(f"{address}/zarr/7/zarr.json") == SITE  # a 404 that a page may not see is a failure to it
        assert allowed(f"{address}/zarr/zarr.json", "https://evil.example") is None
        for other in (address, f"{address}/download", f"{address}/thumbnail", "/api/images/", "/"):
            assert allowed(other) is None
        answer = service.client.get(f"{address}/zarr/zarr.json", headers={"origin": SITE})
        assert "Origin" in answer.headers["vary"]
        assert "etag" in answer.headers["access-control-expose-headers"]
        before = {"origin": SITE, "access-control-request-method": "GET", "access-control-request-headers": "range"}
        asked = service.client.options(f"{address}/zarr/0/c/0/0/0/0/0", headers=before)
        assert (asked.status_code, asked.headers["access-control-allow-methods"]) == (204, "GET, HEAD")
        assert "range" in asked.headers["access-control-allow-headers"]
        assert service.client.delete(address, headers={"origin": SITE}).status_code == 403


def test_every_site_may_be_named(tmp_path: Path) -> None:
    with running(tmp_path / "home", zarr_origins="*") as service:
        answer = service.client.get("/api/images/none/zarr/zarr.json", headers={"origin": SITE})
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (404, SITE)
