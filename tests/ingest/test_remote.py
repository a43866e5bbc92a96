"""``add`` of remote addresses: what it catalogs, what it notices, and that not knowing marks nothing."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from coverslip.catalog import Catalog
from coverslip.errors import NotFoundError
from coverslip.ingest import AddReport, add
from coverslip.sources import RemoteRules, locate
from tests.files import write_tiff
from tests.readers.generate_ome_zarr import write_image
from tests.services.s3 import S3Server
from tests.services.web import WebFolder, serve_web
from tests.sources.bucket import Corner, corner_of, serve_bucket


@pytest.fixture(scope="module")
def s3_server() -> Iterator[S3Server]:
    with serve_bucket() as server:
        yield server


@pytest.fixture
def corner(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folder: Path) -> Iterator[Corner]:
    """A prefix with two TIFFs, an OME-Zarr, notes and something hidden."""
    monkeypatch.setenv("COVERSLIP_HOME", str(tmp_path / "home"))
    with corner_of(s3_server, monkeypatch) as corner:
        for name in ("a.tif", "deep/er/b.tif"):
            corner.put(name, write_tiff(folder / name, len(name)).read_bytes())
        write_image(folder / "c.ome.zarr", np.arange(64, dtype=np.uint16).reshape(8, 8), "yx", 3)
        corner.put_tree(folder / "c.ome.zarr")
        corner.put("notes.txt", b"not an image")
        corner.put(".hidden/d.tif", (folder / "a.tif").read_bytes())
        yield corner


def run(catalog: Catalog, *addresses: str, refresh: bool = False) -> AddReport:
    return add([locate(text) for text in addresses], catalog=catalog, workers=2, refresh=refresh)


def missing(catalog: Catalog) -> list[str]:
    return [one.filename for one in catalog.list_images(limit=100).images if one.missing_since is not None]


@pytest.mark.service
def test_a_prefix_is_cataloged_without_copying(catalog: Catalog, corner: Corner, tmp_path: Path) -> None:
    report = run(catalog, corner.url)
    assert report.outcomes == {"added": 3, "unknown": 1}
    images = {one.filename: one for one in catalog.list_images().images}
    assert sorted(images) == ["a.tif", "b.tif", "c.ome.zarr"]
    assert images["b.tif"].path == f"{corner.url}/deep/er/b.tif"
    assert images["a.tif"].size_bytes == (tmp_path / "images" / "a.tif").stat().st_size
    assert not (tmp_path / "home" / "remote").exists()


@pytest.mark.service
def test_a_second_run_opens_nothing_and_writes_nothing(catalog: Catalog, corner: Corner, folder: Path) -> None:
    run(catalog, corner.url)
    again = run(catalog, corner.url + "/")
    assert (again.files_opened, again.rows_written) == (0, 0)
    assert again.outcomes == {"unchanged": 3, "unknown": 1}
    corner.put("a.tif", (folder / "a.tif").read_bytes())  # written again as it was
    assert run(catalog, corner.url).rows_written == 0


@pytest.mark.service
def test_changes_losses_and_returns_are_noticed(catalog: Catalog, corner: Corner, folder: Path) -> None:
    run(catalog, corner.url)
    before = {one.filename: one for one in catalog.list_images().images}
    old = (folder / "a.tif").read_bytes()
    corner.put("a.tif", write_tiff(folder / "new.tif", 99).read_bytes())
    corner.remove("deep/er/b.tif")
    report = run(catalog, corner.url)
    assert report.files_opened == 1
    assert report.outcomes == {"changed": 1, "unchanged": 1, "unknown": 1, "missing": 1}
    now = {one.filename: one for one in catalog.list_images().images}
    assert (now["a.tif"].id, now["a.tif"].revision) == (before["a.tif"].id, 2)
    assert missing(catalog) == ["b.tif"]
    corner.put("deep/er/b.tif", (folder / "deep/er/b.tif").read_bytes())
    corner.put("a.tif", old)
    assert run(catalog, corner.url).outcomes == {"changed": 1, "unchanged": 1, "unknown": 1, "found": 1}
    assert missing(catalog) == []


@pytest.mark.service
@pytest.mark.parametrize("fault", ["403", "503", "cut"])
def test_a_listing_that_fails_marks_nothing(catalog: Catalog, corner: Corner, fault: str) -> None:
    run(catalog, corner.url)
    corner.remove("a.tif")
    if fault == "cut":
        corner.proxy.cut_after = 100
    else:
        corner.proxy.say(int(fault))
    report = run(catalog, corner.url)
    assert report.outcomes == {"unreadable": 1}
    assert report.rows_written == 0
    assert corner.url in str(report.unreadable[0].reason)
    assert missing(catalog) == []
    corner.proxy.answer, corner.proxy.cut_after = b"", None
    assert run(catalog, corner.url).outcomes["missing"] == 1


@pytest.mark.service
def test_what_is_nowhere_is_said_so(catalog: Catalog, corner: Corner) -> None:
    with pytest.raises(NotFoundError, match="no such file or folder"):
        run(catalog, f"{corner.url}/nothing")
    assert run(catalog, "s3://no-such-bucket-1/x").outcomes == {"unreadable": 1}


def test_single_files_of_a_web_server(
    catalog: Catalog, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COVERSLIP_HOME", str(tmp_path / "home"))
    with serve_web(folder) as web:
        monkeypatch.setenv("COVERSLIP_REMOTE_ALLOWED", web.url)
        _use_web(catalog, web)


def _use_web(catalog: Catalog, web: WebFolder) -> None:
    tiff, zarr = f"{web.url}/a.tif", f"{web.url}/c.ome.zarr"
    write_tiff(web.folder / "a.tif", 1)
    write_image(web.folder / "c.ome.zarr", np.arange(64, dtype=np.uint16).reshape(8, 8), "yx", 2)
    assert run(catalog, tiff, zarr).outcomes == {"added": 2}
    again = run(catalog, tiff, zarr)
    assert (again.files_opened, again.rows_written, again.outcomes) == (0, 0, {"unchanged": 2})
    write_tiff(web.folder / "a.tif", 2)
    assert run(catalog, tiff).outcomes == {"changed": 1}
    web.fault = "forbidden"
    assert run(catalog, tiff).outcomes == {"unreadable": 1}
    web.fault = ""
    (web.folder / "a.tif").unlink()
    web.fault, web.fault_count = "busy", 100
    assert run(catalog, tiff).outcomes == {"unreadable": 1}
    assert missing(catalog) == []
    web.fault = ""
    assert run(catalog, tiff).outcomes == {"missing": 1}
    assert missing(catalog) == ["a.tif"]


def test_rules_that_change_leave_the_catalog_as_it_is(catalog: Catalog, folder: Path, tmp_path: Path) -> None:
    with serve_web(folder) as web:
        write_tiff(folder / "a.tif", 1)
        rules = RemoteRules((web.url,), tmp_path / "copies", 0)
        path = locate(f"{web.url}/a.tif", rules)
        add([path], catalog=catalog, locate=lambda text: locate(text, rules))
        stricter = RemoteRules((f"{web.url}/elsewhere",), tmp_path / "copies", 0)
        report = add([path], catalog=catalog, refresh=True, locate=lambda text: locate(text, stricter))
        assert report.outcomes == {"unreadable": 1}
        assert missing(catalog) == []
