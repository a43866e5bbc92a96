import json
import shutil
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest
import zarr
from zarr.codecs import BloscCodec, BytesCodec, GzipCodec, ShardingCodec, ZstdCodec
from zarr.storage import LocalStore

from coverslip.errors import ReadError
from coverslip.model import ImageMetadata, Region
from coverslip.readers import open_image
from tests.readers.generate_ome_zarr import ZarrFormat, chunks, counted, edit, write_image, write_json


def metadata(path: Path) -> ImageMetadata:
    with open_image(path) as file:
        return file.images[0].metadata


def test_a_missing_level_0_is_an_error(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.zarr", counted(8, 8), "yx")
    shutil.rmtree(path / "0")
    with pytest.raises(ReadError, match=r"a\.zarr: level 0 is missing: there is no array at '0'"):
        open_image(path)


def multiscale(path: Path, **changes: Any) -> None:
    """Change the multiscale document of a 0.4 image."""
    document = json.loads((path / ".zattrs").read_text())
    document["multiscales"][0].update(changes)
    (path / ".zattrs").write_text(json.dumps(document))


@pytest.mark.parametrize(
    "away",
    ["../other/0", "/etc", "0/../../other/0", "..", "C:/0", "\\\\host\\0", "0\\..\\..\\other", "", ".", None, ["0"]],
)
def test_paths_do_not_lead_out_of_the_folder(tmp_path: Path, away: Any) -> None:
    write_image(tmp_path / "other", counted(8, 8), "yx")
    path = write_image(tmp_path / "a.zarr", counted(8, 8), "yx")
    multiscale(path, datasets=[{"path": away}])
    with pytest.raises(ReadError, match=r"leads out of the folder|is not the path"):
        open_image(path)
    plate = tmp_path / "plate.zarr"
    write_json(plate / ".zgroup", {"zarr_format": 2})
    write_json(plate / ".zattrs", {"plate": {"wells": [{"path": "../other"}]}})
    with pytest.raises(ReadError, match="leads out of the folder"):
        open_image(plate)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"multiscales": []}, "should describe multiscales"),
        ({"multiscales": {"0": 1}}, "should describe multiscales"),
        ({"multiscales": [{"axes": ["y", "x"]}]}, "lists no datasets"),
        ({"multiscales": [{"datasets": "0"}]}, "lists no datasets"),
        ({"plate": {"wells": "A/1"}}, "should list 'wells'"),
        ({"plate": {"wells": [{"row": 1}]}}, "should list 'wells'"),
    ],
)
def test_metadata_that_makes_no_sense(tmp_path: Path, changes: Any, reason: str) -> None:
    path = write_image(tmp_path / "a.zarr", counted(8, 8), "yx")
    edit(path / ".zattrs", **changes)
    with pytest.raises(ReadError, match=reason):
        open_image(path)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"shape": [0, 8]}, "there are no pixels"),
        ({"shape": "8"}, "not a list of whole numbers"),
        ({"shape": [8, -8]}, "there are no pixels"),
        ({"dtype": "|O"}, "not a type of pixels"),
        ({"dtype": "<U8"}, "not a type of pixels"),
        ({"dtype": [["a", "<u2"]]}, "not a type of pixels"),
        ({"dtype": "nonsense"}, "not a type of pixels"),
    ],
)
def test_arrays_that_are_no_images(tmp_path: Path, changes: Any, reason: str) -> None:
    path = write_image(tmp_path / "a.zarr", counted(8, 8), "yx")
    edit(path / "0" / ".zarray", **changes)
    with pytest.raises(ReadError, match=reason):
        open_image(path)


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b"null", b"[" * 100_000])
def test_damaged_documents(tmp_path: Path, content: bytes) -> None:
    documents: list[tuple[ZarrFormat, tuple[str, str]]] = [
        (2, (".zattrs", "0/.zarray")),
        (3, ("zarr.json", "0/zarr.json")),
    ]
    for zarr_format, names in documents:
        for name in names:
            path = write_image(tmp_path / f"{zarr_format}{name[0]}.zarr", counted(8, 8), "yx", zarr_format)
            (path / name).write_bytes(content)
            with pytest.raises(ReadError, match=r"\.z|zarr\.json"):
                open_image(path)


COMPRESSED: list[tuple[ZarrFormat, dict[str, Any]]] = [
    (2, {"compressors": None}),
    (2, {"compressors": numcodecs.Blosc()}),
    (2, {"compressors": numcodecs.Blosc(cname="zstd", shuffle=2)}),
    (2, {"compressors": numcodecs.Zstd()}),
    (2, {"compressors": numcodecs.Zlib()}),
    (2, {"compressors": numcodecs.LZ4()}),
    (3, {"compressors": None}),
    (3, {"compressors": BloscCodec()}),
    (3, {"compressors": GzipCodec()}),
    (3, {"compressors": ZstdCodec()}),
    (3, {"shards": (16, 16), "compressors": BloscCodec()}),
    (3, {"shards": (16, 16), "compressors": None}),
]


@pytest.mark.parametrize(("zarr_format", "options"), COMPRESSED)
def test_a_chunk_cut_short_is_an_error_not_wrong_pixels(
    tmp_path: Path, zarr_format: ZarrFormat, options: dict[str, Any]
) -> None:
    dice = np.random.default_rng(5)
    stored = dice.integers(0, 60_000, (16, 16)).astype("u2")
    path = write_image(tmp_path / "a.zarr", stored, "yx", zarr_format, levels=1, **options)
    first = chunks(path / "0")[0]
    content = first.read_bytes()
    with open_image(path) as file:
        assert np.array_equal(file.images[0].plane(), stored)
        for cut in (0, 1, 12, 16, 40, len(content) // 2, len(content) - 1):
            first.write_bytes(content[:cut])
            with pytest.raises(ReadError, match=r"a\.zarr"):
                file.images[0].plane()


def test_a_shard_with_its_index_in_front_is_guarded_too(tmp_path: Path) -> None:
    stored = np.random.default_rng(5).integers(0, 60_000, (16, 16)).astype("u2")
    group = zarr.create_group(LocalStore(tmp_path / "a.zarr"), zarr_format=3)
    shards = ShardingCodec(chunk_shape=(8, 8), codecs=[BytesCodec(), BloscCodec()], index_location="start")
    array = group.create_array(
        "0", shape=(16, 16), chunks=(16, 16), dtype="u2", serializer=shards, filters=(), compressors=None
    )
    array[...] = stored
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": ["y", "x"], "datasets": [{"path": "0"}]}]}
    shard = chunks(tmp_path / "a.zarr" / "0")[0]
    content = shard.read_bytes()
    with open_image(tmp_path / "a.zarr") as file:
        assert np.array_equal(file.images[0].plane(), stored)
        shard.write_bytes(content[:-3])
        with pytest.raises(ReadError, match="truncated"):
            file.images[0].plane()
        whole = file.images[0].read(0, Region(y=(0, 8), x=(0, 8)))
        assert np.array_equal(whole[0, 0, 0], stored[:8, :8])


def test_a_chunk_that_is_not_stored_is_the_fill_value(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.zarr", counted(2, 16, 16), "zyx", levels=1)
    edit(path / "0" / ".zarray", fill_value=7)
    (path / "0" / "0" / "0" / "0").unlink()
    with open_image(path) as file:
        assert file.images[0].metadata.note is None
        assert np.all(file.images[0].read(0, Region(z=(0, 1), y=(0, 8))) == 7)
        assert np.array_equal(file.images[0].plane(z=1), counted(2, 16, 16)[1])
        for chunk in chunks(path / "0"):
            chunk.unlink()
    shutil.rmtree(path / "0" / "0")
    shutil.rmtree(path / "0" / "1")
    assert metadata(path).note == "no chunk of level 0 is stored: every pixel is the fill value"


def test_only_the_chunks_that_are_needed_are_read(tmp_path: Path) -> None:
    stored = counted(3, 32, 32)
    path = write_image(tmp_path / "a.zarr", stored, "zyx", levels=1)
    wanted = path / "0" / "1" / "2" / "0"
    for chunk in chunks(path / "0"):
        if chunk != wanted:
            chunk.write_bytes(b"damaged")
    with open_image(path) as file:
        region = Region(z=(1, 2), y=(17, 23), x=(2, 16))
        assert np.array_equal(file.images[0].read(0, region)[0, 0], stored[1:2, 17:23, 2:16])
        with pytest.raises(ReadError):
            file.images[0].plane(z=1)


def test_an_unknown_compressor_is_named(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.zarr", counted(8, 8), "yx")
    edit(path / "0" / ".zarray", compressor={"id": "from-the-future"})
    with open_image(path) as file, pytest.raises(ReadError, match="from-the-future"):
        file.images[0].plane()
