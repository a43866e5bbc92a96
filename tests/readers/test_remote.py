"""Remote images: pixel for pixel what the same files are here, by few bytes, and errors instead of made-up pixels."""

import hashlib
import pickle
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

import coverslip
from coverslip.errors import ReadError, RefusedAddressError, UnreadableFileError, UnsupportedFormatError
from coverslip.model import Region
from coverslip.readers import ImageFile, open_image, recognise
from tests.readers.generate_czi import make_czi
from tests.readers.generate_mrc import make_mrc
from tests.readers.generate_nd2 import make_nd2
from tests.readers.generate_ome_zarr import make_ome_zarr, write_image
from tests.readers.generate_tiff import make_tiff, write_set
from tests.services.s3 import S3Server
from tests.services.web import WebFolder, serve_web
from tests.sources.bucket import Corner, corner_of, serve_bucket

Make = Callable[[Path], Mapping[Path, Sequence[Any]]]
COPIED = "read through a local copy of the whole file"


@pytest.fixture(scope="module")
def s3_server() -> Iterator[S3Server]:
    with serve_bucket() as server:
        yield server


@pytest.fixture
def corner(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Corner]:
    monkeypatch.setenv("COVERSLIP_HOME", str(tmp_path / "home"))
    with corner_of(s3_server, monkeypatch) as corner:
        yield corner


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebFolder]:
    folder = tmp_path / "web"
    folder.mkdir()
    with serve_web(folder) as web:
        monkeypatch.setenv("COVERSLIP_HOME", str(tmp_path / "home"))
        monkeypatch.setenv("COVERSLIP_REMOTE_ALLOWED", web.url)
        yield web


def equal(here: ImageFile, there: ImageFile) -> None:
    assert len(here.images) == len(there.images)
    for one, other in zip(here.images, there.images, strict=True):
        added = "; ".join(filter(None, (one.metadata.note, COPIED)))
        assert other.metadata in (one.metadata, one.metadata.model_copy(update={"note": added}))
        for level in range(len(one.metadata.levels)):
            np.testing.assert_array_equal(one.read(level), other.read(level))


def stack(folder: Path, count: int = 40, side: int = 512) -> tuple[Path, np.ndarray]:
    """Write an OME-TIFF of many uncompressed planes."""
    pixels = np.random.default_rng(3).integers(0, 60_000, (count, side, side), dtype=np.uint16)
    path = folder / "stack.ome.tif"
    tifffile.imwrite(path, pixels, metadata={"axes": "ZYX"}, photometric="minisblack")
    return path, pixels


@pytest.mark.service
@pytest.mark.parametrize("make", [make_tiff, make_mrc, make_nd2, make_ome_zarr, make_czi])
def test_every_generated_file_in_a_bucket_is_what_it_is_here(make: Make, corner: Corner, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    for path in make(folder):
        with open_image(path) as here:
            address = corner.put_tree(path)
            if len(here.files) > 1:
                with pytest.raises(ReadError, match="Copy the folder of the set"):
                    open_image(address)
                continue
            with open_image(address) as there:
                assert (str(there.path), there.reader) == (address, here.reader)
                assert [str(one) for one in there.files] == [address]
                equal(here, there)


@pytest.mark.parametrize("make", [make_tiff, make_mrc, make_nd2, make_ome_zarr, make_czi])
def test_every_generated_file_on_a_web_server_is_what_it_is_here(make: Make, web: WebFolder) -> None:
    for path in make(web.folder):
        with open_image(path) as here:
            if len(here.files) > 1:
                continue
            with open_image(f"{web.url}/{path.name}") as there:
                equal(here, there)


def test_only_formats_without_ranges_are_copied_and_say_so(web: WebFolder, tmp_path: Path) -> None:
    path = next(iter(make_czi(web.folder)))
    for _ in range(2):
        with open_image(f"{web.url}/{path.name}") as file:
            assert COPIED in str(file.images[0].metadata.note)
    assert sum(one.startswith("GET") for one in web.asked) < 5  # the second time nothing but its head is asked for
    copies = [one for one in (tmp_path / "home" / "remote").rglob("*.czi") if one.is_file()]
    assert [one.name for one in copies] == [path.name]
    write_image(web.folder / "x.ome.zarr", np.zeros((4, 4), np.uint8), "yx", 3)
    tiff, _ = stack(web.folder, 2, 16)
    for name in ("x.ome.zarr", tiff.name):
        with open_image(f"{web.url}/{name}") as file:
            assert COPIED not in str(file.images[0].metadata.note)


def test_metadata_and_one_plane_of_a_large_file_are_few_bytes(web: WebFolder) -> None:
    path, pixels = stack(web.folder)
    size = path.stat().st_size
    with open_image(f"{web.url}/{path.name}") as file:
        assert file.images[0].metadata.size_z == 40
        assert web.sent < size / 40
        web.sent = 0
        np.testing.assert_array_equal(file.images[0].plane(z=17), pixels[17])
        assert web.sent < 1.5 * pixels[17].nbytes
        web.sent = 0
        corner = file.images[0].read(0, Region(z=(3, 4), y=(0, 8), x=(0, 8)))
        np.testing.assert_array_equal(corner[0, 0, 0], pixels[3, :8, :8])
        assert web.sent <= 2 << 16


def test_one_chunk_of_a_shard_is_few_bytes(web: WebFolder) -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (16, 512, 512), dtype=np.uint8)
    write_image(web.folder / "x.ome.zarr", pixels, "zyx", 3, shards=(16, 128, 128))
    with open_image(f"{web.url}/x.ome.zarr") as file:
        web.sent = 0
        got = file.images[0].read(0, Region(z=(9, 10), y=(128, 256), x=(0, 128)))
        np.testing.assert_array_equal(got[0, 0, 0], pixels[9, 128:256, :128])
        assert web.sent < pixels.nbytes / 16
        np.testing.assert_array_equal(file.images[0].read()[0, 0], pixels)


@pytest.mark.parametrize("kind", ["tiff", "zarr"])
def test_threads_that_read_one_remote_file_get_the_right_pixels(kind: str, web: WebFolder) -> None:
    path, pixels = stack(web.folder, 24, 128)
    if kind == "zarr":
        path = web.folder / "x.ome.zarr"
        write_image(path, pixels, "zyx", 3, shards=(4, 128, 128))
    wrong: list[object] = []
    with open_image(f"{web.url}/{path.name}") as file:

        def read(seed: int) -> None:
            dice = np.random.default_rng(seed)
            for _ in range(12):
                z, y, x = (int(dice.integers(0, n)) for n in (24, 100, 100))
                got = file.images[0].read(0, Region(z=(z, z + 1), y=(y, y + 28), x=(x, x + 28)))
                expected = np.ascontiguousarray(pixels[z, y : y + 28, x : x + 28])
                if hashlib.sha256(got.tobytes()).digest() != hashlib.sha256(expected.tobytes()).digest():
                    wrong.append((z, y, x))

        threads = [threading.Thread(target=read, args=(seed,)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


def test_a_chunk_that_cannot_be_had_is_an_error_and_one_that_is_absent_is_not(web: WebFolder) -> None:
    path = web.folder / "x.ome.zarr"
    write_image(path, np.full((64, 64), 7, np.uint16), "yx", 2)
    url = f"{web.url}/x.ome.zarr"
    with open_image(url) as file:
        web.fault = "forbidden"
        with pytest.raises(UnreadableFileError, match="refuses it"):
            file.images[0].read()
        web.fault = ""
        assert (file.images[0].read() == 7).all()
    (path / "0" / "0" / "0").unlink()
    with open_image(url) as file:
        assert sorted(np.unique(file.images[0].read())) == [0, 7]


@pytest.mark.service
def test_a_missing_bucket_is_no_black_image(corner: Corner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.ome.zarr"
    write_image(path, np.full((64, 64), 7, np.uint16), "yx", 3)
    with open_image(corner.put_tree(path)) as file:
        corner.proxy.answer = (
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 40\r\nConnection: close\r\n\r\n"
            b"<Error><Code>NoSuchBucket</Code></Error>"
        )
        with pytest.raises(UnreadableFileError, match="no such bucket"):
            file.images[0].read()


@pytest.mark.parametrize("fault", ["cut", "busy", "short", "forbidden"])
def test_pixels_that_do_not_come_are_an_error_that_says_nothing_of_damage(web: WebFolder, fault: Any) -> None:
    path, pixels = stack(web.folder, 8, 256)
    with open_image(f"{web.url}/{path.name}") as file:
        web.fault = fault
        with pytest.raises(UnreadableFileError, match=f"{web.url}/stack.ome.tif") as caught:
            file.images[0].plane(z=5)
        assert "damaged" not in str(caught.value)
        web.fault = ""
        np.testing.assert_array_equal(file.images[0].plane(z=5), pixels[5])


def test_lazy_arrays_of_remote_files_travel(web: WebFolder) -> None:
    pytest.importorskip("dask")
    path, pixels = stack(web.folder, 4, 64)
    with coverslip.open_image(f"{web.url}/{path.name}") as file:
        lazy = file.images[0].to_dask()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(lazy)).compute(scheduler="synchronous")[0, 0], pixels)


def test_names_inside_a_file_lead_nowhere(web: WebFolder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The other files of a set are neither fetched nor looked for in the folder this program runs in."""
    monkeypatch.chdir(tmp_path)
    pixels = np.arange(4 * 8 * 8, dtype=np.uint16).reshape(2, 2, 8, 8)
    for folder in (web.folder, tmp_path):
        files = write_set(folder, pixels, ["a.ome.tif", "b.ome.tif"])
    with pytest.raises(ReadError, match="one of a set"):
        open_image(f"{web.url}/{files[0].name}")
    assert not [one for one in web.asked if "b.ome.tif" in one]


def test_what_is_no_image_and_what_is_not_there(web: WebFolder) -> None:
    (web.folder / "page.tif").write_text("<html>no</html>")
    (web.folder / "empty.tif").touch()
    with pytest.raises(UnsupportedFormatError, match="web page"):
        open_image(f"{web.url}/page.tif")
    with pytest.raises(ReadError, match="empty"):
        open_image(f"{web.url}/empty.tif")
    with pytest.raises(UnreadableFileError, match="there is no such file"):
        open_image(f"{web.url}/gone.tif")
    with pytest.raises(RefusedAddressError):
        open_image("https://elsewhere.example/x.tif")
    assert recognise(f"{web.url}/page.tif") is None


def test_errors_of_a_copy_name_the_address(web: WebFolder) -> None:
    path = next(iter(make_czi(web.folder)))
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(ReadError) as caught:
        open_image(f"{web.url}/{path.name}")
    assert f"{web.url}/{path.name}" in str(caught.value)
    assert "home" not in str(caught.value)
