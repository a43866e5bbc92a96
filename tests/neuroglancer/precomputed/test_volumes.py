"""Segmentations, read back by tensorstore."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorstore as ts

from coverslip.errors import InvalidRequestError, ReadError
from coverslip.model import Region
from coverslip.neuroglancer.precomputed import segment_properties, segmentation
from coverslip.neuroglancer.precomputed.compressed import compress
from tests.neuroglancer.precomputed.written import put
from tests.ngff.images import Array, ArrayImage


def volume(pixels: Array, **facts: Any) -> ArrayImage:
    return ArrayImage(pixels[None, None], **facts)


def blobs(shape: tuple[int, int, int], dtype: str, most: int) -> Array:
    """Return blocks of labels with a noisy corner."""
    dice = np.random.default_rng(0)
    coarse = dice.integers(0, most, [length // 5 + 1 for length in shape])
    labels = np.kron(coarse, np.ones((5, 5, 5), int))[tuple(slice(length) for length in shape)]
    labels[:9, :9, :9] = dice.integers(0, most, labels[:9, :9, :9].shape)
    return labels.astype(dtype)


def read(files: dict[str, bytes], folder: Path, scale: int) -> Any:
    put(files, folder)
    spec = {
        "driver": "neuroglancer_precomputed",
        "kvstore": {"driver": "file", "path": f"{folder}/"},
        "scale_index": scale,
    }
    return ts.open(spec, read=True, open=True).result()


@pytest.mark.parametrize(
    ("dtype", "most"),
    [("int8", 2), ("uint8", 256), ("uint16", 65_536), ("uint32", 2**32 - 1), ("int64", 3), ("bool", 2)],
)
@pytest.mark.parametrize("shape", [(1, 1, 1), (8, 64, 65), (70, 130, 100)])
def test_every_scale_is_the_labels(tmp_path: Path, dtype: str, most: int, shape: tuple[int, int, int]) -> None:
    labels = blobs(shape, dtype, most)
    files = segmentation(volume(labels), voxel_size=7.84, scales=3)
    assert set(files) == {"info", "0/0.shard", "1/0.shard", "2/0.shard"}
    for scale in range(3):
        array = read(files, tmp_path, scale)
        assert array.dtype.name == "uint32"
        expected = labels[:: 2**scale, :: 2**scale, :: 2**scale].astype(np.uint32)
        np.testing.assert_array_equal(array.read().result()[..., 0].T, expected)
        assert [str(unit) for unit in array.dimension_units[:3]] == [f"{0.784 * 2**scale:g} nm"] * 3


def test_the_info_says_what_is_there() -> None:
    properties = segment_properties([1, 2], labels=["a", "b"])
    files = segmentation(
        volume(np.ones((10, 20, 30), np.uint8)),
        voxel_size=[10, 10, 13.5],
        properties=properties,
        meshes={"info": b"{}", "0.shard": b"..."},
    )
    info = json.loads(files["info"])
    sharding = info["scales"][0].pop("sharding")
    assert sharding["@type"] == "neuroglancer_uint64_sharded_v1"
    assert info == {
        "@type": "neuroglancer_multiscale_volume",
        "type": "segmentation",
        "data_type": "uint32",
        "num_channels": 1,
        "scales": [
            {
                "key": "0",
                "size": [30, 20, 10],
                "resolution": [1.0, 1.0, 1.35],
                "voxel_offset": [0, 0, 0],
                "chunk_sizes": [[64, 64, 64]],
                "encoding": "compressed_segmentation",
                "compressed_segmentation_block_size": [8, 8, 8],
            }
        ],
        "mesh": "mesh",
        "segment_properties": "segment_properties",
    }
    assert files["segment_properties/info"] == properties["info"]
    assert files["mesh/0.shard"] == b"..."


def test_empty_chunks_are_left_out(tmp_path: Path) -> None:
    labels = np.zeros((64, 64, 640), np.uint8)
    labels[0, 0, -1] = 5
    files = segmentation(volume(labels), voxel_size=10)
    assert len(files["0/0.shard"]) < 1500
    np.testing.assert_array_equal(read(files, tmp_path, 0).read().result()[..., 0].T, labels)


def test_a_block_is_what_the_format_says() -> None:
    labels = np.full((8, 8, 8), 7, np.uint32)
    labels[0, 0, 1] = 300
    # one channel at word 1; the header: the table at word 2 + 16, one bit, values at word 2
    expected = struct.pack("<III", 1, 18 | 1 << 24, 2) + struct.pack("<I", 0b10) + bytes(15 * 4)
    assert compress(labels) == expected + struct.pack("<II", 7, 300)
    assert compress(np.full((8, 8, 8), 7, np.uint32)) == struct.pack("<IIII", 1, 2, 2, 7)


@pytest.mark.parametrize(("distinct", "bits"), [(1, 0), (2, 1), (3, 2), (4, 2), (5, 4), (16, 4), (17, 8), (257, 16)])
def test_voxels_take_as_many_bits_as_their_table_asks_for(distinct: int, bits: int) -> None:
    labels = (np.arange(512) % distinct).astype(np.uint32).reshape(8, 8, 8)
    (head,) = struct.unpack_from("<I", compress(labels), 4)
    assert head >> 24 == bits
    assert len(compress(labels)) == 4 * (1 + 2 + bits * 16 + distinct)


def test_the_same_labels_give_the_same_bytes() -> None:
    labels = blobs((30, 40, 50), "uint16", 500)
    assert segmentation(volume(labels), voxel_size=5, scales=2) == segmentation(volume(labels), voxel_size=5, scales=2)


@pytest.mark.parametrize("held", [1, 700_000])
def test_a_large_volume_is_read_in_parts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, held: int) -> None:
    monkeypatch.setattr("coverslip.neuroglancer.precomputed.volumes.READ_VOXELS", 10_000)
    monkeypatch.setattr("coverslip.neuroglancer.precomputed.volumes.HELD_VOXELS", held)
    labels = blobs((90, 200, 60), "uint16", 500)
    source = volume(labels)
    files = segmentation(source, voxel_size=5, scales=2)
    assert source.largest <= (15_360 if held == 1 else 24_000)  # two planes, of 128 rows or all 200
    for scale in range(2):
        found = read(files, tmp_path, scale).read().result()[..., 0].T
        np.testing.assert_array_equal(found, labels[:: 2**scale, :: 2**scale, :: 2**scale])


def test_a_read_error_is_no_empty_chunk() -> None:
    source = volume(np.ones((90, 50, 60), np.uint8), broken=Region(z=(80, 81)))
    with pytest.raises(ReadError, match="ends before"):
        segmentation(source, voxel_size=5)


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        (np.zeros((1, 2, 4, 4, 4), np.uint8), "one channel"),
        (np.zeros((2, 1, 4, 4, 4), np.uint8), "one time point"),
        (np.zeros((1, 1, 4, 4, 4), np.float32), "whole numbers"),
        (np.full((1, 1, 4, 4, 4), -1, np.int8), r"0 to 2\*\*32"),
        (np.full((1, 1, 4, 4, 4), 1 << 32, np.uint64), r"0 to 2\*\*32"),
    ],
)
def test_what_are_no_labels_is_said(pixels: Array, words: str) -> None:
    with pytest.raises(InvalidRequestError, match=words):
        segmentation(ArrayImage(pixels), voxel_size=10)


@pytest.mark.parametrize("scales", [0, 9])
def test_scales_that_make_no_sense_are_said(scales: int) -> None:
    with pytest.raises(InvalidRequestError, match="1 to 8 scales"):
        segmentation(volume(np.zeros((4, 4, 4), np.uint8)), voxel_size=10, scales=scales)


def test_properties_are_columns() -> None:
    files = segment_properties(
        [1, 3, 2**40],
        labels=["nucleus", "", "wall"],
        colors=["#ff0000", "#00ff00", "#0000ff"],
        numbers={"area": [1.5, 2.5, 3.5], "count": [1, 300, 2], "offset": [-1, 200, 0], "huge": [1, 2, 2**40]},
    )
    assert json.loads(files["info"]) == {
        "@type": "neuroglancer_segment_properties",
        "inline": {
            "ids": ["1", "3", "1099511627776"],
            "properties": [
                {"id": "label", "type": "label", "values": ["nucleus", "", "wall"]},
                {"id": "color", "type": "string", "values": ["#ff0000", "#00ff00", "#0000ff"]},
                {"id": "area", "type": "number", "data_type": "float32", "values": [1.5, 2.5, 3.5]},
                {"id": "count", "type": "number", "data_type": "uint16", "values": [1, 300, 2]},
                {"id": "offset", "type": "number", "data_type": "int16", "values": [-1, 200, 0]},
                {"id": "huge", "type": "number", "data_type": "float32", "values": [1.0, 2.0, float(2**40)]},
            ],
        },
    }


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"labels": ["a"]}, "label"),
        ({"numbers": {"area": [1]}}, "area"),
        ({"numbers": {"area": ["a", "b"]}}, "something else"),
        ({"numbers": {"area": [1.0, float("nan")]}}, "float32"),
        ({"numbers": {"label": [1, 2]}, "labels": ["a", "b"]}, "do not fit"),
    ],
)
def test_columns_that_do_not_fit_are_said(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidRequestError, match=words):
        segment_properties([1, 2], **arguments)
