"""Volumes in the layout of the CryoET Data Portal."""

import json
import math
import threading
import tracemalloc
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ome_zarr_models.v04.image import Image as ImageV04
from ome_zarr_models.v04.image_label import ImageLabel as LabelV04
from ome_zarr_models.v05.image import Image as ImageV05

from coverslip import open_image
from coverslip.errors import CoverslipError, InvalidRequestError, ReadError, StorageError, UnsupportedFormatError
from coverslip.model import ImageMetadata, Region
from coverslip.ngff import PLANE_CHUNK, Version, VolumeFacts, volume_levels, write_volume
from coverslip.ngff.blocks import Reduction, reduced
from tests.ngff.images import Array, ArrayImage, array_of, some
from tests.ngff.test_blocks import slow

VERSIONS: list[Version] = ["0.4", "0.5"]
SMALL = (8, 8, 8)


def image_of(voxels: Array, **facts: Any) -> ArrayImage:
    return ArrayImage(voxels[None, None], **facts)


def pixels_of(group: zarr.Group, name: str) -> Array:
    return np.asarray(array_of(group, name)[...])


class Kept(dict[str, bytes]):
    """Keys and bytes in the order they came."""

    def put(self, key: str, data: bytes) -> None:
        assert key not in self
        self[key] = data

    def group(self, folder: Path) -> zarr.Group:
        """Return what zarr makes of the files."""
        for key, data in self.items():
            (folder / key).parent.mkdir(parents=True, exist_ok=True)
            (folder / key).write_bytes(data)
        return zarr.open_group(folder, mode="r")


def written(voxels: Array, **options: Any) -> tuple[Kept, VolumeFacts]:
    kept = Kept()
    chosen = {"voxel_size": (10.0, 10.0, 10.0), "dtype": voxels.dtype, "chunk": SMALL, **options}
    facts = write_volume(image_of(voxels), kept.put, **chosen)
    assert facts is not None
    return kept, facts


@pytest.fixture
def small_units(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few chunks at a time: small volumes show what large ones would."""
    monkeypatch.setattr(volume_levels, "UNIT_BYTES", 8 * 1024)
    monkeypatch.setattr(volume_levels, "UNIT_PLANES", 8)
    monkeypatch.setattr(volume_levels, "STEP_BYTES", 2048)
    monkeypatch.setattr(volume_levels, "TILE_VOXELS", 256)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("halves_z", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "int16"])
def test_a_constant_of_odd_size_is_constant_in_every_level(
    tmp_path: Path, version: Version, halves_z: bool, dtype: str
) -> None:
    kept, facts = written(np.full((5, 7, 19), 100, dtype), version=version, halves_z=halves_z)
    group = kept.group(tmp_path)
    for number, size in enumerate(facts.sizes):
        level = pixels_of(group, str(number))
        assert level.shape == size
        assert level.dtype == dtype
        assert set(level.reshape(-1).tolist()) == {100}


@pytest.mark.parametrize("version", VERSIONS)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
@pytest.mark.usefixtures("small_units")
def test_any_volume_comes_back_with_its_means(
    tmp_path_factory: pytest.TempPathFactory, version: Version, data: st.DataObject
) -> None:
    shape = tuple(data.draw(st.integers(1, 40)) for _ in "zyx")
    halves_z = data.draw(st.booleans())
    chunk = SMALL if halves_z else data.draw(st.sampled_from([SMALL, (1, 16, 8)]))
    reduction: Reduction = data.draw(st.sampled_from(["mean", "any", "nearest"]))
    voxels = some(shape, "int16", seed=data.draw(st.integers(0, 9)))
    workers = data.draw(st.integers(1, 3))
    kept, facts = written(voxels, version=version, halves_z=halves_z, chunk=chunk, reduction=reduction, workers=workers)
    group = kept.group(tmp_path_factory.mktemp("volume"))
    np.testing.assert_array_equal(pixels_of(group, "0"), voxels)
    for number in (1, 2):
        expected = slow(voxels, 1 << number, reduction, halves_z=halves_z)
        np.testing.assert_array_equal(pixels_of(group, str(number)), expected)
    known = facts.statistics
    assert (known.count, known.minimum, known.maximum) == (voxels.size, voxels.min(), voxels.max())
    assert known.mean == pytest.approx(voxels.mean(), abs=1e-9)
    assert known.rms == pytest.approx(voxels.std(), rel=1e-12)


def test_real_numbers_are_kept_and_averaged_over_what_there_is(tmp_path: Path) -> None:
    voxels = some((13, 9, 21), "float32")
    kept, facts = written(voxels)
    group = kept.group(tmp_path)
    np.testing.assert_array_equal(pixels_of(group, "0"), voxels)
    for number, expected in enumerate(reduced(voxels, 2, "mean"), 1):
        np.testing.assert_array_equal(pixels_of(group, str(number)), expected)
    known = facts.statistics
    assert known.count == np.count_nonzero(~np.isnan(voxels))
    assert (known.minimum, known.maximum) == (np.nanmin(voxels), np.inf)


def test_documents_of_zarr_2_are_those_of_the_portal() -> None:
    kept, facts = written(np.zeros((300, 10, 3), np.float32), chunk=(256, 256, 256), voxel_size=(5.0, 6.0, 7.5))
    assert list(kept)[-5:] == ["0/.zarray", "1/.zarray", "2/.zarray", ".zattrs", ".zgroup"]
    assert sorted(list(kept)[:-5]) == ["0/0/0/0", "0/1/0/0", "1/0/0/0", "2/0/0/0"]
    assert json.loads(kept["1/.zarray"]) == {
        "zarr_format": 2,
        "shape": [150, 5, 2],
        "chunks": [256, 256, 256],
        "dtype": "<f4",
        "fill_value": 0.0,
        "compressor": {"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1, "blocksize": 0},
        "filters": None,
        "order": "C",
        "dimension_separator": "/",
    }
    scales = [[5.0, 6.0, 7.5], [10.0, 12.0, 15.0], [20.0, 24.0, 30.0]]
    assert json.loads(kept[".zattrs"]) == {
        "multiscales": [
            {
                "version": "0.4",
                "name": "made",
                "axes": [{"name": axis, "type": "space", "unit": "angstrom"} for axis in "zyx"],
                "datasets": [
                    {"path": str(n), "coordinateTransformations": [{"type": "scale", "scale": scale}]}
                    for n, scale in enumerate(scales)
                ],
            }
        ]
    }
    assert [list(scale) for scale in facts.scales] == scales


def test_tilt_series_keep_their_sections(tmp_path: Path) -> None:
    sections = some((3, 1500, 1030), "int16")
    kept = Kept()
    facts = write_volume(
        ArrayImage(sections[:, None, None]),  # a stack by its header: sections along T
        kept.put,
        voxel_size=(1.5, 1.5, 1.5),
        dtype="float32",
        halves_z=False,
        chunk=PLANE_CHUNK,
    )
    assert facts is not None
    assert facts.sizes == ((3, 1500, 1030), (3, 750, 515), (3, 375, 258))
    assert facts.scales == ((1.5, 1.5, 1.5), (1.5, 3.0, 3.0), (1.5, 6.0, 6.0))
    assert "0/2/1/1" in kept
    level = array_of(kept.group(tmp_path), "0")
    assert level.chunks == (1, 1024, 1024)
    np.testing.assert_array_equal(level[...], sections)


@pytest.mark.parametrize("version", VERSIONS)
def test_models_and_our_own_reader_accept_it(tmp_path: Path, version: Version) -> None:
    voxels = some((20, 30, 41), "int8")
    kept, _ = written(voxels, version=version, reduction="nearest", voxel_size=(13.48,) * 3)
    group = kept.group(tmp_path / "a.zarr")
    (ImageV04 if version == "0.4" else ImageV05).from_zarr(group)
    if version == "0.4":
        LabelV04.from_zarr(group)
    with open_image(tmp_path / "a.zarr") as file:
        image = file.images[0]
        np.testing.assert_array_equal(image.read()[0, 0], voxels)
        assert len(image.metadata.levels) == 3
        assert image.metadata.pixel_size_z is not None
        assert (image.metadata.pixel_size_z.value, image.metadata.pixel_size_z.unit) == (13.48, "angstrom")


def test_shards_hold_small_chunks(tmp_path: Path) -> None:
    kept, _ = written(np.ones((70, 70, 70), np.float32), version="0.5", chunk=(64, 64, 64))
    level = array_of(kept.group(tmp_path), "0")
    assert (level.shards, level.chunks) == ((64, 64, 64), (16, 16, 16))
    assert "0/c/1/1/1" in kept
    assert level[69, 69, 69] == 1


def test_objects_in_masks_stay_and_numbers_of_instances_are_not_mixed(tmp_path: Path) -> None:
    mask = np.zeros((16, 16, 16), np.int8)
    mask[3, 5, 7] = 1
    kept, facts = written(mask, reduction="any", collects_labels=True)
    assert pixels_of(kept.group(tmp_path / "mask"), "2").sum() == 1
    assert facts.labels == (1,)
    instances = some((16, 16, 16), "uint16") % np.uint16(900) * np.uint16(70)
    kept, facts = written(instances, reduction="nearest", collects_labels=True)
    assert facts.labels == tuple(np.unique(instances)[1:].tolist())
    assert json.loads(kept[".zattrs"])["image-label"] == {"version": "0.4"}
    coarse = pixels_of(kept.group(tmp_path / "instances"), "2")
    np.testing.assert_array_equal(coarse, instances[2::4, 2::4, 2::4])


class InterruptedWriteError(Exception):
    pass


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.usefixtures("small_units")
def test_an_interrupted_write_goes_on_where_it_was(version: Version) -> None:
    voxels = some((40, 40, 40), "int16")
    whole, expected = written(voxels, version=version)
    left = Kept()
    lock = threading.Lock()

    def failing(key: str, data: bytes) -> None:
        with lock:
            if len(left) == 50:
                raise InterruptedWriteError
            left.put(key, data)

    def go_on(put: Any) -> VolumeFacts | None:
        return write_volume(
            image_of(voxels),
            put,
            voxel_size=(10, 10, 10),
            dtype="int16",
            chunk=SMALL,
            version=version,
            has=set(left).__contains__,
        )

    with pytest.raises(InterruptedWriteError):
        go_on(failing)
    assert len(left) == 50
    assert not any(key.endswith((".zattrs", "zarr.json")) for key in left)
    rest = Kept()
    assert go_on(rest.put) == expected
    assert not set(rest) & set(left)
    assert rest | left == whole


@pytest.mark.usefixtures("small_units")
def test_stopping_leaves_no_documents() -> None:
    kept = Kept()
    asked = iter([False, False, False, True])
    seen: list[tuple[int, int]] = []
    found = write_volume(
        image_of(some((40, 40, 40), "int16")),
        kept.put,
        voxel_size=(10, 10, 10),
        dtype="int16",
        chunk=SMALL,
        on_progress=lambda done, total: seen.append((done, total)),
        should_stop=lambda: next(asked),
    )
    assert found is None
    assert kept
    assert all(key.startswith(("0/", "1/", "2/")) and not key.endswith(".zarray") for key in kept)
    assert len(seen) == 3
    assert seen[-1][1] == 64_000


class Ramp:
    """A volume that is nowhere: each voxel is the sum of its places. Counts how often voxels are read."""

    is_concurrent = True

    def __init__(self, shape: tuple[int, int, int]) -> None:
        z, y, x = shape
        self.metadata = ImageMetadata(name="ramp", file_format="made", size_z=z, size_y=y, size_x=x, dtype="float32")
        self.voxels_read = 0

    def read(self, level: int, region: Region) -> Array:
        assert level == 0
        box = region.resolve(self.metadata.shape)
        self.voxels_read += math.prod(box.shape)
        z, y, x = (np.arange(*span, dtype=np.float32) for span in box.spans[2:])
        return np.asarray(z[:, None, None] + y[:, None] + x)[None, None]


def test_memory_does_not_grow_with_the_volume(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volume_levels, "UNIT_BYTES", 4 << 20)
    source = Ramp((512, 300, 300))
    tracemalloc.start()
    try:
        facts = write_volume(source, lambda key, data: None, voxel_size=(1, 1, 1), dtype="float32", chunk=(64, 64, 64))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert facts is not None
    assert facts.statistics.maximum == 511 + 299 + 299
    assert source.voxels_read == 512 * 300 * 300
    assert most < 48 << 20, f"{most:,} bytes for a volume of 184 million"


def test_what_also_wants_the_voxels_gets_each_of_them_once() -> None:
    voxels = some((20, 17, 30), "int16")
    copy = np.zeros(voxels.shape, np.float32)
    count = np.zeros(voxels.shape, np.int64)

    def also(box: Any, pixels: Array) -> None:
        where = tuple(slice(*span) for span in box)
        copy[where] = pixels
        count[where] += 1

    written(voxels, dtype="float32", also=also)
    assert count.min() == count.max() == 1
    np.testing.assert_array_equal(copy, voxels)


def test_bytes_that_were_meant_as_unsigned_keep_their_order(tmp_path: Path) -> None:
    voxels = np.array([[[0, 1, 127, 128, 200, 255]]], np.uint8)
    path = tmp_path / "old.mrc"
    with mrcfile.new(path) as file:
        file.set_data(voxels.view(np.int8))
        file.set_volume()
        file.header.dmax = 255
    kept = Kept()
    with open_image(path) as source:
        write_volume(source.images[0], kept.put, voxel_size=(1, 1, 1), dtype="float32")
    level = pixels_of(kept.group(tmp_path / "a.zarr"), "0")
    assert level.tolist() == [[[-128.0, -127.0, -1.0, 0.0, 72.0, 127.0]]]


@pytest.mark.parametrize(
    ("image", "options", "error", "words"),
    [
        (ArrayImage(np.zeros((1, 2, 3, 4, 5), np.uint8)), {}, ReadError, "expected one volume"),
        (ArrayImage(np.zeros((2, 1, 3, 4, 5), np.uint8)), {}, ReadError, "expected one volume"),
        (ArrayImage(np.zeros((1, 1, 3, 4, 5), np.complex64)), {}, UnsupportedFormatError, "complex64"),
        (image_of(np.full((3, 4, 5), 300, np.int16)), {"dtype": "int8"}, ReadError, "int8 has not"),
        (image_of(np.full((3, 4, 5), np.nan, np.float32)), {"dtype": "uint16"}, ReadError, "uint16 has not"),
        (image_of(np.zeros((3, 4, 5), np.int16)), {"dtype": "float64"}, InvalidRequestError, "not as float64"),
        (image_of(np.zeros((3, 4, 5), np.int16)), {"chunk": (2, 8, 8)}, InvalidRequestError, "multiples of"),
        (image_of(np.zeros((3, 4, 5), np.int16)), {"levels": 0}, InvalidRequestError, "levels"),
        (image_of(np.zeros((3, 4, 5), np.int16)), {"voxel_size": (1, 0, 1)}, InvalidRequestError, "voxel size"),
        (image_of(np.zeros((3, 4, 5), np.int16)), {"collects_labels": True}, InvalidRequestError, "labels"),
    ],
)
def test_what_cannot_be_written_is_said_so(
    image: ArrayImage, options: dict[str, Any], error: type[CoverslipError], words: str
) -> None:
    chosen: dict[str, Any] = {"voxel_size": (1, 1, 1), "dtype": "float32", "chunk": SMALL, **options}
    kept = Kept()
    with pytest.raises(error, match=words):
        write_volume(image, kept.put, **chosen)
    assert kept == {}


def test_an_unreadable_region_and_a_full_disk_end_it() -> None:
    voxels = np.zeros((40, 40, 40), np.float32)
    broken = image_of(voxels, broken=Region((0, 1), (0, 1), (30, 31), (0, 1), (0, 1)))
    kept = Kept()
    with pytest.raises(ReadError, match="ends before"):
        write_volume(broken, kept.put, voxel_size=(1, 1, 1), dtype="float32", chunk=SMALL)
    assert ".zattrs" not in kept

    def full(key: str, data: bytes) -> None:
        raise StorageError(f"{key}: the disk is full")

    with pytest.raises(StorageError, match="the disk is full"):
        write_volume(image_of(voxels), full, voxel_size=(1, 1, 1), dtype="float32", chunk=SMALL)
