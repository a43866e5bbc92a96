"""Zip files, label images, links and shelves of OME-Zarr."""

import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from coverslip.errors import ReadError, UnsupportedFormatError
from coverslip.ingest.walk import Walk
from coverslip.readers import open_image, recognise
from coverslip.readers.ome_zarr import stores
from tests.readers.generate_ome_zarr import (
    bare,
    canonical,
    chunks,
    counted,
    edit,
    make_ome_zarr,
    write_image,
    zip_folder,
)

no_leak = pytest.mark.usefixtures("no_open_handles")


def zipped(folder: Path, name: str = "a.ome.zarr.zip", top: str = "", method: int = zipfile.ZIP_STORED) -> Path:
    """Return a zip of a Zarr folder."""
    return zip_folder(folder, name, top, method)


@no_leak
@pytest.mark.parametrize("top", ["", "inner.ome.zarr/"])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_reads_as_its_folder(tmp_path: Path, top: str, method: int) -> None:
    folders = {path: images for path, images in make_ome_zarr(tmp_path / "made").items() if path.is_dir()}
    for folder, images in folders.items():
        path = zipped(folder, f"{folder.name}.zip", top, method)
        with open_image(path) as file, open_image(folder) as unpacked:
            assert (file.reader, file.files) == ("ome-zarr", (path,))
            for image, plain, expected in zip(file.images, unpacked.images, images, strict=True):
                assert image.metadata.shape == plain.metadata.shape
                assert image.metadata.channels == plain.metadata.channels
                assert np.array_equal(image.to_numpy(), expected)
    assert len(folders) > 7
    assert not list(tmp_path.rglob("inner.ome.zarr"))


def test_the_content_decides_which_zip_is_ours(tmp_path: Path) -> None:
    folder = write_image(tmp_path / "a.zarr", counted(8, 8), "yx", 3)
    found = recognise(zipped(folder, "picture.png"))
    assert found is not None
    assert found.name == "ome-zarr"
    other = tmp_path / "papers.zip"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("paper/a.txt", "words")
    with pytest.raises(UnsupportedFormatError, match="zip archive"):
        open_image(other)


@no_leak
def test_members_that_would_grow_without_bound_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "BOMB_BYTES", 1000)
    folder = write_image(tmp_path / "a.zarr", counted(8, 8), "yx", levels=1, compressors=None)
    chunks(folder)[0].write_bytes(bytes(1 << 20))
    path = zipped(folder, method=zipfile.ZIP_DEFLATED)
    with open_image(path) as file, pytest.raises(ReadError, match=r"would grow from .* to 1048576 bytes"):
        file.images[0].plane()


@no_leak
def test_members_that_lead_elsewhere_are_never_written_and_not_read(tmp_path: Path) -> None:
    folder = write_image(tmp_path / "a.zarr", counted(8, 8), "yx")
    path = zipped(folder)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../../outside.txt", "out")
        archive.writestr("/absolute.txt", "out")
    shutil.rmtree(folder)
    with open_image(path) as file:
        assert np.array_equal(file.images[0].plane(), counted(8, 8))
    assert list(tmp_path.iterdir()) == [path]


@no_leak
def test_damaged_zips(tmp_path: Path) -> None:
    folder = write_image(tmp_path / "a.zarr", counted(8, 8), "yx", compressors=None)
    path = zipped(folder)
    whole = path.read_bytes()
    place = whole.index(counted(8, 8).tobytes())
    path.write_bytes(whole[:place] + b"\xff" + whole[place + 1 :])
    with open_image(path) as file, pytest.raises(ReadError, match="CRC"):
        file.images[0].plane()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ReadError, match="a damaged zip file"):
        open_image(path)


def with_labels(path: Path, version: int = 2, names: tuple[str, ...] = ("cells", "nuclei")) -> Path:
    """Write an image of two channels with label images."""
    write_image(path, counted(2, 16, 16), "cyx", 3 if version == 3 else 2)
    made: Callable[..., Any] = bare
    made(path / "labels", {}, {"ome": {"labels": list(names)}} if version == 3 else {"labels": list(names)}, version)
    for number, name in enumerate(names):
        write_image(path / "labels" / name, counted(16, 16, dtype="u4") + number, "yx", 3 if version == 3 else 2)
    return path


@pytest.mark.parametrize("version", [2, 3])
def test_labels_belong_to_their_image(tmp_path: Path, version: int) -> None:
    path = with_labels(tmp_path / "a.zarr", version)
    for opened in (path, zipped(path)):
        with open_image(opened) as file:
            (image,) = file.images
            assert [(one.name, one.dtype) for one in image.metadata.labels] == [
                ("cells", "uint32"),
                ("nuclei", "uint32"),
            ]
            cells, nuclei = image.labels
            assert cells.metadata.name == "cells"  # as in every other format
            assert nuclei.metadata.shape == (1, 1, 1, 16, 16)
            assert np.array_equal(nuclei.plane(), counted(16, 16, dtype="u4") + 1)
            assert np.array_equal(nuclei.plane(level=1), (counted(16, 16, dtype="u4") + 1)[::2, ::2])
            lazy = cells.to_dask()
        assert np.array_equal(lazy[0, 0, 0].compute(), counted(16, 16, dtype="u4"))


def test_labels_that_cannot_be_used_do_not_stop_the_image(tmp_path: Path) -> None:
    path = with_labels(tmp_path / "a.zarr", names=("gone", "real", "good"))
    shutil.rmtree(path / "labels" / "gone")
    shutil.rmtree(path / "labels" / "real")
    write_image(path / "labels" / "real", counted(16, 16, dtype="f4"), "yx")
    with open_image(path) as file:
        assert [one.name for one in file.images[0].metadata.labels] == ["good"]
        note = file.images[0].metadata.note or ""
    assert "label 'gone' is left out: it is listed but missing" in note
    assert "label 'real' is left out: labels are whole numbers, these are float32" in note
    edit(path / "labels" / ".zattrs", labels=["../../other"])
    with open_image(path) as file:
        assert "leads out of the folder" in (file.images[0].metadata.note or "")


def test_links_that_leave_the_folder_are_not_followed(tmp_path: Path) -> None:
    other = write_image(tmp_path / "other.zarr", counted(16, 16), "yx", levels=1)
    path = write_image(tmp_path / "a.zarr", counted(16, 16), "yx", levels=1)
    chunk = chunks(path / "0")[0]
    chunk.unlink()
    chunk.symlink_to(chunks(other / "0")[0])
    with open_image(path) as file, pytest.raises(ReadError, match="a link leads out of the folder"):
        file.images[0].plane()
    shutil.rmtree(path / "0")
    (path / "0").symlink_to(other / "0")
    with pytest.raises(ReadError, match="a link leads out of the folder"):
        open_image(path)
    (path / "0").unlink()
    shutil.copytree(other / "0", path / "kept")
    (path / "0").symlink_to("kept")
    with open_image(path) as file:  # a link that stays inside is a chunk like any other
        assert np.array_equal(file.images[0].plane(), counted(16, 16))


def test_the_opened_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.zarr", counted(16, 16), "yx")
    (tmp_path / "link.zarr").symlink_to(path)
    with open_image(tmp_path / "link.zarr") as file:
        assert np.array_equal(file.images[0].plane(), counted(16, 16))


def test_a_chunk_that_is_there_and_cannot_be_read_is_no_fill_value(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.zarr", counted(16, 16), "yx", levels=1)
    first = chunks(path / "0")[0]
    first.unlink()
    first.mkdir()
    with open_image(path) as file, pytest.raises(ReadError, match="no file but a folder"):
        file.images[0].plane()
    first.rmdir()
    first.symlink_to("nowhere")
    with open_image(path) as file, pytest.raises(ReadError, match="the link leads to nothing"):
        file.images[0].plane()


def test_a_plain_group_around_images_is_entered(tmp_path: Path) -> None:
    shelf = bare(tmp_path / "shelf.zarr", {}, {"by": "somebody"})
    inner = bare(shelf / "day 1", {}, {})
    images = [write_image(shelf / "a", counted(8, 8), "yx"), write_image(inner / "b", counted(8, 8), "yx")]
    assert [seen.path for seen in Walk(shelf)] == [str(path) for path in sorted(images)]
    with pytest.raises(UnsupportedFormatError, match="coverslip add"):
        open_image(shelf)


def test_names_of_series_come_from_their_ome_xml(tmp_path: Path) -> None:
    path = next(path for path in make_ome_zarr(tmp_path) if path.name == "series.zarr")
    for number in ("0", "1"):
        document = json.loads((path / number / ".zattrs").read_text())
        del document["multiscales"][0]["name"]
        (path / number / ".zattrs").write_text(json.dumps(document))
    xml = path / "OME" / "METADATA.ome.xml"
    xml.write_text('<OME xmlns="http://a"><Image ID="Image:0" Name="first"/><Image ID="Image:1" Name="second"/></OME>')
    with open_image(path) as file:
        assert [image.metadata.name for image in file.images] == ["first", "second"]
    for broken in ('<!DOCTYPE a [<!ENTITY e "x">]><OME/>', "<OME>", '<OME><Image Name="only one"/></OME>'):
        xml.write_text(broken)
        with open_image(path) as file:
            assert [image.metadata.name for image in file.images] == ["0", "1"]


def test_fields_name_their_acquisition(tmp_path: Path) -> None:
    plate = next(path for path in make_ome_zarr(tmp_path) if path.name == "plate.ome.zarr")
    document = json.loads((plate / ".zattrs").read_text())
    document["plate"]["acquisitions"] = [{"id": 0, "name": "live"}, {"id": 1}, {"id": ["?"]}, "?"]
    (plate / ".zattrs").write_text(json.dumps(document))
    images = [{"path": "0", "acquisition": 0}, {"path": "1", "acquisition": 1}]
    edit(plate / "A" / "1" / ".zattrs", well={"images": images})
    with open_image(plate) as file:
        assert [image.metadata.note for image in file.images] == ["acquisition live", "acquisition 1", None]
    edit(plate / "A" / "1" / ".zattrs", well={"images": [{"path": "0", "acquisition": ["?"]}]})
    with open_image(plate) as file:
        assert file.images[0].metadata.note is None


def test_the_generated_images_are_still_those(tmp_path: Path) -> None:
    stored = counted(3, 8, 8)
    path = write_image(tmp_path / "a.zarr", stored, "zyx")
    with open_image(zipped(path, "a.ozx")) as file:
        assert np.array_equal(file.images[0].to_numpy(), canonical(stored, "zyx"))


def test_a_pipe_called_like_a_chunk_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "0")
    with pytest.raises(ReadError, match="no file but"):
        stores.FolderStore(tmp_path).read("0")
