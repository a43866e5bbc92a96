from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coverslip.api.downloads import byte_range, disposition
from coverslip.derive import open_catalog
from coverslip.ingest import add
from tests.api.checks import check_problem
from tests.api.conftest import Service
from tests.api.tiffs import write_stack


@pytest.fixture
def address(library: Service, image_id: str) -> str:
    return f"/api/images/{image_id}/download"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_stack(tmp_path_factory.mktemp("original") / "cells.ome.tif").read_bytes()


def test_the_whole_file(library: Service, address: str, original: bytes) -> None:
    answer = library.client.get(address)
    assert answer.status_code == 200
    assert answer.content == original or len(answer.content) == len(original)
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == 'attachment; filename="cells.ome.tif"'
    assert answer.headers["accept-ranges"] == "bytes"
    assert int(answer.headers["content-length"]) == len(original)


@pytest.mark.parametrize(
    ("header", "start", "stop"),
    [("bytes=0-0", 0, 1), ("bytes=10-19", 10, 20), ("bytes=100-", 100, None), ("bytes=-7", -7, None)],
)
def test_a_part_of_the_file(library: Service, address: str, header: str, start: int, stop: int | None) -> None:
    whole = library.client.get(address).content
    answer = library.client.get(address, headers={"range": header})
    assert answer.status_code == 206
    assert answer.content == whole[start:stop]
    first = start if start >= 0 else len(whole) + start
    assert answer.headers["content-range"] == f"bytes {first}-{first + len(answer.content) - 1}/{len(whole)}"


@pytest.mark.parametrize("header", ["bytes=0-", "bytes=5-2", "bytes=1-2,5-6", "lines=1-2", "bytes", "bytes=a-b"])
def test_ranges_that_give_the_whole_file(library: Service, address: str, header: str) -> None:
    answer = library.client.get(address, headers={"range": header})
    assert answer.status_code == 200
    assert answer.content == library.client.get(address).content


def test_a_range_the_file_has_not(library: Service, address: str) -> None:
    size = len(library.client.get(address).content)
    answer = library.client.get(address, headers={"range": f"bytes={size}-"})
    check_problem(answer, 416, "bad-range")
    assert answer.headers["content-range"] == f"bytes */{size}"


def test_a_client_that_has_it_and_one_whose_part_is_outdated(library: Service, address: str) -> None:
    first = library.client.get(address)
    tag = first.headers["etag"]
    assert library.client.get(address, headers={"if-none-match": tag}).status_code == 304
    for condition, status in [(tag, 206), ('"older"', 200), (first.headers["last-modified"], 206)]:
        answer = library.client.get(address, headers={"range": "bytes=0-9", "if-range": condition})
        assert answer.status_code == status


def test_head_tells_the_size_and_sends_nothing(library: Service, address: str) -> None:
    answer = library.client.head(address)
    assert answer.status_code == 200
    assert answer.content == b""
    assert int(answer.headers["content-length"]) == len(library.client.get(address).content)


def test_a_folder_and_a_file_that_is_gone(service: Service, tmp_path: Path) -> None:
    import numpy as np
    import zarr

    group = zarr.open_group(tmp_path / "cells.zarr", mode="w", zarr_format=2)
    group.create_array("0", data=np.zeros((8, 8), np.uint16))
    axes: Any = [{"name": "y", "type": "space"}, {"name": "x", "type": "space"}]
    scale: Any = {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1, 1]}]}
    group.attrs.update({"multiscales": [{"version": "0.4", "axes": axes, "datasets": [scale]}]})
    path = write_stack(tmp_path / "a.ome.tif")
    with open_catalog(service.settings.catalog_url) as catalog:
        add([path, tmp_path / "cells.zarr"], catalog=catalog, workers=1)
    ids = {stack["filename"]: stack["id"] for stack in service.client.get("/api/images/").json()["images"]}
    answer = service.client.get(f"/api/images/{ids['cells.zarr']}/download")
    check_problem(answer, 409, "conflict")
    assert "folder" in answer.json()["detail"]
    path.unlink()
    check_problem(service.client.get(f"/api/images/{ids['a.ome.tif']}/download"), 404, "not-found")


@settings(deadline=None)
@given(st.integers(0, 50), st.integers(0, 60), st.integers(0, 60))
def test_ranges_mean_what_slices_mean(size: int, first: int, last: int) -> None:
    data = bytes(range(size))
    for text, expected in [
        (f"bytes={first}-{last}", data[first : last + 1] if last >= first else data),
        (f"bytes={first}-", data[first:]),
        (f"bytes=-{last}", data[max(0, size - last) :]),
        (None, data),
    ]:
        span = byte_range(text, size)
        if span is None:
            assert expected == b""
        else:
            assert data[slice(*span)] == expected


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("a b.tif", 'attachment; filename="a b.tif"'),
        ("Zähne.tif", "attachment; filename=\"Z_hne.tif\"; filename*=UTF-8''Z%C3%A4hne.tif"),
        ('a"b;c.tif', "attachment; filename=\"a_b;c.tif\"; filename*=UTF-8''a%22b%3Bc.tif"),
        ("a\r\nSet-Cookie: x", "attachment; filename=\"a__Set-Cookie: x\"; filename*=UTF-8''a%0D%0ASet-Cookie%3A%20x"),
    ],
)
def test_names_survive_the_header(name: str, header: str) -> None:
    assert disposition(name) == header
