import asyncio
from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

import coverslip
from coverslip.errors import ReadError
from coverslip.model import Region
from coverslip.ngff import Version, VirtualStore, to_store
from coverslip.ngff.pyramid import BLOCK_VALUES, Pyramid
from tests.ngff.images import ArrayImage, array_of, channels_of, slow_mean, some
from tests.ngff.test_means import TYPES

VERSIONS: list[Version] = ["0.5", "0.4"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shape", [(2, 2, 3, 70, 90), (1, 1, 2, 521, 40, 3), (1, 1, 4, 1, 1100)])
def test_zarr_python_reads_every_pixel(version: Version, dtype: str, shape: tuple[int, ...]) -> None:
    pixels = some(shape, dtype)
    group = zarr.open_group(to_store(ArrayImage(pixels), version), mode="r")
    assert array_of(group, "0").dtype == pixels.dtype
    np.testing.assert_array_equal(array_of(group, "0")[...], channels_of(pixels))


def test_real_levels_are_served_as_they_are_and_virtual_ones_are_means_of_the_last() -> None:
    own = [some((1, 1, 1, 1201, 700), "uint8", 1), some((1, 1, 1, 601, 350), "uint8", 2)]
    group = zarr.open_group(to_store(ArrayImage(*own)), mode="r")
    assert sorted(group.array_keys()) == ["0", "1", "2", "3"]
    np.testing.assert_array_equal(array_of(group, "0")[...], own[0])
    np.testing.assert_array_equal(array_of(group, "1")[...], own[1])
    np.testing.assert_array_equal(array_of(group, "2")[...], slow_mean(own[1], 2))
    np.testing.assert_array_equal(array_of(group, "3")[...], slow_mean(own[1], 4))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_region_of_any_level_is_part_of_the_whole_level(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.integers(1, most)) for most in (2, 2, 2, 600, 600))
    pixels = some(shape, "uint8")
    pyramid = Pyramid(ArrayImage(pixels))
    level = data.draw(st.integers(0, len(pyramid.levels) - 1))
    spans = []
    for length in pyramid.levels[level].shape:
        start = data.draw(st.integers(0, length - 1))
        spans.append((start, data.draw(st.integers(start + 1, min(length, start + 9)))))
    region = Region(*spans)
    side = 1 << pyramid.levels[level].halvings
    grown = [(a * side, b * side) for a, b in spans[3:]]
    source = pixels[(*region.slices[:3], *(slice(a, b) for a, b in grown))]
    expected = source if side == 1 else slow_mean(source, side)
    np.testing.assert_array_equal(pyramid.read(level, region), expected)


def test_the_planes_of_an_xz_scan_are_along_z() -> None:
    store = VirtualStore(ArrayImage(some((2, 1, 128, 1, 600))), "0.4")
    chunks = [f"0/{t}/0/0/0/{x}" for t in range(2) for x in range(2)]
    assert set(chunks) < set(store.keys())
    assert "0/0/0/1/0/0" not in store


def test_a_coarse_chunk_of_a_large_plane_is_read_piece_by_piece() -> None:
    image = ArrayImage(np.broadcast_to(np.uint8(7), (1, 1, 1, 9001, 9001)))
    pyramid = Pyramid(image)
    last = len(pyramid.levels) - 1
    assert pyramid.levels[last].shape[3:] == (141, 141)
    assert (pyramid.read(last, Region()) == 7).all()
    assert image.largest <= BLOCK_VALUES


@pytest.mark.parametrize("version", VERSIONS)
def test_every_key_has_its_bytes_and_its_size_and_no_other_key_has_any(version: Version) -> None:
    store = VirtualStore(ArrayImage(some((2, 1, 2, 600, 520, 3), "uint16")), version)
    keys = list(store.keys())
    assert len(keys) == len(set(keys))
    for key in keys:
        data = store.get(key)
        assert data is not None
        assert store.size(key) == len(data)
        assert key in store
    for key in [
        "", "/", "zarr", "9/zarr.json", "0/.zattrs", "3/c/0/0/0/0/0", "0/c/2/0/0/0/0", "0/c/0/3/0/0/0", "0/c/0/0/0/2/0",
        "0/c/0/0/0/0", "0/c/0/0/0/0/0/0", "0/c/-1/0/0/0/0", "0/c/00/0/0/0/0", "0/c/+0/0/0/0/0", "0/c/0/0/0/0/\u0660",
        "0/c/0.0.0.0.0", "/0/c/0/0/0/0/0", "0/c/0/0/0/0/99999999999999999999", "2/0/0/0/0/0/0", "0/2/0/0/0/0",
        "zarr.json" if version == "0.4" else ".zattrs", "0/0/0/0/0/0" if version == "0.5" else "0/c/0/0/0/0/0",
    ]:  # fmt: skip
        assert store.get(key) is None, key
        assert store.size(key) is None, key
        assert key not in store, key


@settings(max_examples=200, deadline=None)
@given(
    key=st.one_of(
        st.text(max_size=20),
        st.lists(
            st.one_of(st.sampled_from(["c", "0", "1", "zarr.json", "", ".zattrs"]), st.integers(-2, 9).map(str))
        ).map("/".join),
    )
)
def test_any_text_is_a_key_or_is_not_and_never_an_accident(key: str) -> None:
    for version in VERSIONS:
        store = VirtualStore(ArrayImage(some((1, 1, 2, 9, 300))), version)
        assert (store.get(key) is not None) == (key in store) == (key in set(store.keys()))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_failed_read_is_an_error_and_never_a_missing_chunk(version: Version) -> None:
    pixels = some((1, 1, 2, 600, 600))
    broken = Region(z=(1, 2), y=(580, 600))
    store = VirtualStore(ArrayImage(pixels, broken=broken), version)
    prefix = "0/c" if version == "0.5" else "0"
    assert store.get(f"{prefix}/0/0/0/1/1") is not None
    assert store.get(f"{prefix}/0/0/1/0/0") is not None
    with pytest.raises(ReadError):
        store.get(f"{prefix}/0/0/1/1/1")
    with pytest.raises(ReadError):
        store.get(f"{prefix.replace('0', '1')}/0/0/1/0/0")
    group = zarr.open_group(to_store(ArrayImage(pixels, broken=broken), version), mode="r")
    np.testing.assert_array_equal(array_of(group, "0")[0, 0, 0], pixels[0, 0, 0])
    with pytest.raises(ReadError):
        array_of(group, "0")[0, 0, 1]


def test_the_store_is_read_only_and_lists_itself() -> None:
    image = ArrayImage(some((1, 1, 1, 300, 20)))
    store = to_store(image)
    with pytest.raises(ValueError, match=r"read-only|not written"):
        array_of(zarr.open_group(store, mode="r+"), "0")[...] = 0

    async def listed() -> tuple[list[str], list[str], list[str]]:
        return (
            [key async for key in store.list()],
            [key async for key in store.list_prefix("1/")],
            sorted([name async for name in store.list_dir("")]),
        )

    every, below, top = asyncio.run(listed())
    assert every == ["zarr.json", "0/zarr.json", "1/zarr.json", "0/c/0/0/0/0/0", "1/c/0/0/0/0/0"]
    assert below == ["1/zarr.json", "1/c/0/0/0/0/0"]
    assert top == ["0", "1", "zarr.json"]
    assert store == store  # noqa: PLR0124  # what is tested
    assert store != to_store(image)


def test_parts_of_a_value() -> None:
    from zarr.abc.store import ByteRequest, OffsetByteRequest, RangeByteRequest, SuffixByteRequest
    from zarr.core.buffer import default_buffer_prototype

    pixels = some((1, 1, 1, 8, 8), "uint8")
    store = to_store(ArrayImage(pixels))
    kind = default_buffer_prototype()
    wanted: list[ByteRequest | None] = [
        RangeByteRequest(3, 9),
        OffsetByteRequest(60),
        SuffixByteRequest(5),
        SuffixByteRequest(500),
        None,
    ]
    parts = asyncio.run(store.get_partial_values(kind, [("0/c/0/0/0/0/0", part) for part in wanted]))
    found = [part.to_bytes() for part in parts if part is not None]
    raw = pixels.tobytes()
    assert found == [raw[3:9], raw[60:], raw[-5:], raw, raw]


REAL = [
    "czi/CD_s_1_t_3_c_2_z_5.czi", "czi/RGB-8bit.czi", "czi/WellD6-7_S2.czi", "nd2/example-timelapse.nd2",
    "nd2/example-pbmc.nd2", "lif/xz-example.lif", "lif/LeicaLASX_xz-plane_example.lif", "mrc/3pqr-mode0.ccp4",
    "mrc/smallStack.mrcs", "mrc/emd_3197.map.gz", "imagej/image_3D_calibrated.tif",
]  # fmt: skip


@pytest.mark.samples
@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("version", VERSIONS)
def test_real_files_of_every_format(samples: Path, name: str, version: Version) -> None:
    with coverslip.open_image(samples / name) as file:
        for image in file.images:
            group = zarr.open_group(to_store(image, version), mode="r")
            own = len(image.metadata.levels)
            for level in range(own):
                np.testing.assert_array_equal(array_of(group, str(level))[...], channels_of(image.to_numpy(level)))
            if str(own) in group:
                middle = image.metadata.size_z // 2 if image.metadata.levels[-1].size_z > 1 else 0
                last = image.read(own - 1, Region(z=(middle, middle + 1)))
                np.testing.assert_array_equal(
                    array_of(group, str(own))[:, :, middle : middle + 1], slow_mean(channels_of(last), 2)
                )
