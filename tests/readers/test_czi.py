"""The CZI reader: mosaics, scenes, pyramids, phases, masks, metadata, damage."""

import struct
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import coverslip
from coverslip import Region
from coverslip.errors import ReadError
from coverslip.readers import recognise
from tests.readers import vendor_checks as checks
from tests.readers.generate_czi import HEADER_BYTES, UNCOMPRESSED, ZSTD0, Block, document, make_czi, write

SUBBLOCK = b"ZISRAWSUBBLOCK"
DIRECTORY, METADATA, ATTACHMENTS = 32 + 52, 32 + 60, 32 + 72
"""Where the header says where they are."""

no_leak = pytest.mark.usefixtures("no_open_handles")
"""Costs a fifth of a second, so only where handles could leak in a new way."""


@no_leak
def test_pixels(tmp_path: Path) -> None:
    checks.check_pixels(make_czi(tmp_path))


def test_regions(tmp_path: Path) -> None:
    checks.check_regions(make_czi(tmp_path))


@no_leak
def test_cut_off_files(tmp_path: Path) -> None:
    checks.check_truncation(make_czi(tmp_path), tmp_path)


@pytest.mark.parametrize("name", ["packed.czi", "mosaic.czi", "line.czi"])
def test_threads(name: str, tmp_path: Path) -> None:
    checks.check_threads(tmp_path / name, make_czi(tmp_path)[tmp_path / name])


def test_metadata(tmp_path: Path) -> None:
    make_czi(tmp_path)
    with coverslip.open_image(tmp_path / "stack.czi") as file:
        meta = file.images[0].metadata
    assert (meta.name, meta.file_format, meta.source_axes, meta.note) == ("stack", "CZI", "TCZYX", None)
    assert meta.get_voxel_size_micrometers() == pytest.approx((0.1, 0.2, 0.5))
    assert meta.time_increment_s == 2.5
    dapi, egfp = meta.channels
    assert (dapi.name, dapi.color, dapi.excitation_wavelength_nm, dapi.emission_wavelength_nm) == (
        "DAPI",
        "#0000ff",
        353,
        465,
    )
    assert (egfp.index, egfp.exposure_time_s, egfp.dye, egfp.contrast_method) == (1, 0.25, "Dye X", "Fluorescence")
    assert meta.objective is not None
    assert (meta.objective.name, meta.objective.magnification, meta.objective.numerical_aperture) == (
        "Plan 20x/0.8",
        20,
        0.8,
    )
    assert (meta.objective.immersion, meta.objective.working_distance_um) == ("Air", 610)
    assert meta.microscope is not None
    assert (meta.microscope.model, meta.microscope.type) == ("Axio Observer 7", "Inverted")
    assert meta.acquired_at == datetime(2024, 5, 6, 7, 8, 9, 123456, UTC)
    image = meta.vendor["ImageDocument"]["Metadata"]["Information"]["Image"]
    assert image["Dimensions"]["Channels"]["Channel"][1]["@Name"] == "EGFP"


@pytest.mark.parametrize(("first", "seconds"), [(0, 3), (1, None)])
def test_time_steps_from_stamps(first: int, seconds: float | None, tmp_path: Path) -> None:
    blocks = [Block(np.zeros((4, 5), "u1"), "YX", {"T": t + first}) for t in range(3)]
    with coverslip.open_image(write(tmp_path / "a.czi", blocks, stamps=(7200.5, 7203.0, 7206.5))) as file:
        assert file.images[0].metadata.time_increment_s == seconds


def test_unknown_stays_unknown(tmp_path: Path) -> None:
    make_czi(tmp_path)
    with coverslip.open_image(tmp_path / "packed.czi") as file:
        meta = file.images[0].metadata
    assert meta.get_voxel_size_micrometers() == (None, None, None)
    assert meta.time_increment_s is None
    assert [channel.color for channel in meta.channels] == [None]


def test_scenes_are_images_with_their_own_channels(tmp_path: Path) -> None:
    make_czi(tmp_path)
    with coverslip.open_image(tmp_path / "scenes.czi") as file:
        named = [(image.metadata.name, [channel.name for channel in image.metadata.channels]) for image in file.images]
    assert named == [("A1", ["DAPI", "EGFP"]), ("B7", ["EGFP"])]


def test_phases_are_channels(tmp_path: Path) -> None:
    make_czi(tmp_path)
    with coverslip.open_image(tmp_path / "phases.czi") as file:
        meta = file.images[0].metadata
    assert [channel.name for channel in meta.channels] == [
        "EGFP H1",
        "EGFP H2",
        "EGFP H3",
        "Cy5 H1",
        "Cy5 H2",
        "Cy5 H3",
    ]
    assert meta.note == "Folded into channels, C outermost: H (3)."


def test_what_was_not_recorded_is_said(tmp_path: Path) -> None:
    made = make_czi(tmp_path)
    with coverslip.open_image(tmp_path / "sparse.czi") as file:
        note = file.images[0].metadata.note
    assert note == "1 of 4 planes were not recorded; their pixels are 0. Pixels that no tile covers are 0."
    assert not made[tmp_path / "sparse.czi"][0][1, 0, 1].any()


def test_stored_pyramids_are_levels(tmp_path: Path) -> None:
    made = make_czi(tmp_path)
    with coverslip.open_image(tmp_path / "mosaic.czi") as file:
        image = file.images[0]
        assert [(level.size_y, level.size_x) for level in image.metadata.levels] == [(56, 76), (28, 38)]
        whole = made[tmp_path / "mosaic.czi"][0][..., ::2, ::2]
        np.testing.assert_array_equal(image.to_numpy(1), whole)
        np.testing.assert_array_equal(image.read(1, Region(y=(3, 20), x=(30, 38))), whole[..., 3:20, 30:38])


def test_a_pyramid_that_shows_only_a_part_is_no_level(tmp_path: Path) -> None:
    full = np.arange(32 * 32, dtype="u2").reshape(32, 32)
    part = Block(full[:16:2, ::2], "YX", {"Y": 0, "X": 0}, {"Y": 16, "X": 32}, is_pyramid=True)
    path = write(tmp_path / "part.czi", [Block(full, "YX", {}), part])
    with coverslip.open_image(path) as file:
        assert len(file.images[0].metadata.levels) == 1


def test_only_tiles_in_the_region_are_read(tmp_path: Path) -> None:
    tiles = [Block(np.full((8, 8), m + 1, "u1"), "YX", {"M": m, "X": 8 * m}) for m in range(3)]
    path = write(tmp_path / "row.czi", tiles)
    content = path.read_bytes()
    head, last = content[: content.rindex(SUBBLOCK)], content[content.rindex(SUBBLOCK) :]
    path.write_bytes(head + last.replace(SUBBLOCK, b"DELETED".ljust(len(SUBBLOCK), b"\0"), 1))
    with coverslip.open_image(path) as file:
        assert (file.images[0].read(0, Region(x=(0, 16)))[0, 0, 0, 0] == [1] * 8 + [2] * 8).all()
        with pytest.raises(ReadError, match="deleted"):
            file.images[0].read(0, Region(x=(10, 20)))


def test_metadata_that_makes_no_sense_fails_nothing(tmp_path: Path) -> None:
    pixels = np.arange(20, dtype="u1").reshape(4, 5)
    for xml in ("<a", "<a/>", '<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>', "<ImageDocument/>", "\0\1", ""):
        with coverslip.open_image(write(tmp_path / "odd.czi", [Block(pixels, "YX", {})], xml)) as file:
            assert (file.images[0].plane() == pixels).all()
            assert file.images[0].metadata.channels[0].name == "Channel 0"


@no_leak
@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        (DIRECTORY, 0, "never finished"),
        (DIRECTORY, 1 << 40, "cut off: its directory"),
        (METADATA, 1 << 40, "cut off: its metadata"),
        (ATTACHMENTS, 1 << 40, "cut off: its list of attachments"),
    ],
)
def test_a_header_that_points_nowhere(place: int, value: int, words: str, tmp_path: Path) -> None:
    path = write(tmp_path / "lost.czi", [Block(np.zeros((4, 5), "u1"), "YX", {})], document([], (1, 1, 1)))
    patch(path, place, "<q", value)
    with pytest.raises(ReadError, match=words):
        coverslip.open_image(path)


def test_a_subblock_that_lies_beyond_the_end(tmp_path: Path) -> None:
    path = write(tmp_path / "short.czi", [Block(np.zeros((40, 50), "u1"), "YX", {})])
    patch(path, path.read_bytes().rindex(b"DV") + 6, "<q", 1 << 40)
    with pytest.raises(ReadError, match="cut off: pixels at byte"):
        coverslip.open_image(path)


@pytest.mark.parametrize("axes", [0, -1, 7_000_000, (1 << 31) - 1])
def test_a_directory_with_absurd_counts_is_refused_at_once(axes: int, tmp_path: Path) -> None:
    path = write(tmp_path / "odd.czi", [Block(np.zeros((4, 5), "u1"), "YX", {})])
    patch(path, path.read_bytes().rindex(b"DV") + 28, "<i", axes)
    with pytest.raises(ReadError, match="entry 0 of the directory is damaged"):
        coverslip.open_image(path)


def test_axes_of_absurd_length_are_refused(tmp_path: Path) -> None:
    for axis in "TCZH":
        path = write(
            tmp_path / "odd.czi", [Block(np.zeros((4, 5), "u1"), "YX", {axis: i * 2_000_000_000}) for i in (0, 1)]
        )
        with pytest.raises(ReadError, match=r"cannot be|lists [\d,]+ planes; 10,000,000 may be"):
            coverslip.open_image(path)


def test_an_axis_with_next_to_nothing_on_it_is_refused(tmp_path: Path) -> None:
    far, near = (
        write(tmp_path / f"{last}.czi", [Block(np.full((4, 5), 7, "u1"), "YX", {"Z": z}) for z in (0, last)])
        for last in (8_000_000, 1_500)
    )
    with pytest.raises(ReadError, match="8000001 planes, of which 2 are there, cannot be"):
        coverslip.open_image(far)
    with coverslip.open_image(near) as file:
        assert file.images[0].metadata.size_z == 1_501
        assert file.images[0].plane(z=1_500).min() == 7


def test_only_width_and_height_may_span_more_than_was_stored(tmp_path: Path) -> None:
    def spanning(slices: int) -> Path:
        block = Block(np.ones((2, 4, 5), "u1"), "ZYX", {}, {"Z": slices})
        return write(tmp_path / f"{slices}.czi", [block])

    with pytest.raises(ReadError, match="131073 planes, of which 2 are there, cannot be"):
        coverslip.open_image(spanning(131_073))
    with (
        coverslip.open_image(spanning(1_500)) as file,
        pytest.raises(ReadError, match="said to span 1500 on axis Z with 2 stored there"),
    ):
        file.images[0].plane(z=1_499)


def test_subblocks_that_promise_more_than_their_bytes_could_become_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.czi", [Block(np.zeros((4, 5), "u1"), "YX", {}, compression=ZSTD0)])
    content = path.read_bytes()
    entry = content.rindex(b"DV") + 32
    lengths = [entry + 20 * i + step for i in range(2) for step in (8, 16)]  # logical and stored, Y and X
    for place in (*lengths, *(content.index(b"DV") + 32 + at - entry for at in lengths)):
        patch(path, place, "<i", 20_000)
    with coverslip.open_image(path) as file, pytest.raises(ReadError, match="promises 400000000 bytes of pixels"):
        file.images[0].plane()


def test_pixels_longer_than_the_file_are_refused_before_memory_is_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "a.czi", [Block(np.zeros((4, 5), "u1"), "YX", {}, compression=ZSTD0)])
    patch(path, path.read_bytes().index(SUBBLOCK) + 32 + 8, "<q", 1 << 60)
    with (
        coverslip.open_image(path) as file,
        pytest.raises(ReadError, match=r"are said to take 1152921504606846976 bytes, which are not there"),
    ):
        file.images[0].plane()


@pytest.mark.parametrize("kind", [77, -1])
def test_unknown_pixel_types_are_refused(kind: int, tmp_path: Path) -> None:
    path = write(tmp_path / "new.czi", [Block(np.zeros((4, 5), "u1"), "YX", {})])
    patch(path, path.read_bytes().rindex(b"DV") + 2, "<i", kind)
    with pytest.raises(ReadError, match="pixel type"):
        coverslip.open_image(path)


@pytest.mark.parametrize("compression", [3, 99, 500])
def test_unknown_compressions_give_no_pixels(compression: int, tmp_path: Path) -> None:
    path = write(tmp_path / "new.czi", [Block(np.ones((4, 5), "u1"), "YX", {}, compression=compression)])
    with coverslip.open_image(path) as file, pytest.raises(ReadError, match=r"reading .* failed"):
        file.images[0].to_numpy()


@no_leak
@pytest.mark.parametrize("compression", [UNCOMPRESSED, ZSTD0])
def test_too_few_pixels_are_not_filled_up(compression: int, tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (40, 50)).astype("u1")
    path = write(tmp_path / "short.czi", [Block(noise, "YX", {}, compression=compression)])
    patch(path, HEADER_BYTES + 32 + 8, "<q", 1000)
    with coverslip.open_image(path) as file, pytest.raises(ReadError, match="short"):
        file.images[0].to_numpy()


def pyramid(path: Path, stored_bytes: int) -> tuple[Path, np.ndarray[Any, np.dtype[Any]]]:
    """Write a scene with one stored level of 8 x 16, of which only so many bytes are there; return the level."""
    full = np.random.default_rng(2).integers(1, 255, (16, 32)).astype("u1")
    level = Block(full[::2, ::2], "YX", {"Y": 0, "X": 0}, {"Y": 16, "X": 32}, is_pyramid=True)
    write(path, [level, Block(full, "YX", {"Y": 0, "X": 0})])
    patch(path, HEADER_BYTES + 32 + 8, "<q", stored_bytes)
    return path, level.pixels


@no_leak
@pytest.mark.parametrize("rows", [1, 4, 6])
def test_too_few_pixels_of_a_pyramid_tile_are_not_filled_up(rows: int, tmp_path: Path) -> None:
    path, _ = pyramid(tmp_path / "short.czi", rows * 16)
    with coverslip.open_image(path) as file, pytest.raises(ReadError, match=r"holds .* the directory promises \(8, 16"):
        file.images[0].to_numpy(level=1)


def test_a_pyramid_tile_that_was_rounded_down_is_stretched_by_its_one_row(tmp_path: Path) -> None:
    path, level = pyramid(tmp_path / "odd.czi", 7 * 16)
    with coverslip.open_image(path) as file:
        pixels = file.images[0].to_numpy(level=1)[0, 0, 0]
    assert np.array_equal(pixels, level[np.arange(8) * 7 // 8])


def patch(path: Path, place: int, kind: str, value: int) -> None:
    """Write a number over what is in a file."""
    content = bytearray(path.read_bytes())
    struct.pack_into(kind, content, place, value)
    path.write_bytes(content)


def test_it_is_recognised_by_its_content(tmp_path: Path) -> None:
    path = write(tmp_path / "named wrongly.lif", [Block(np.zeros((4, 5), "u1"), "YX", {})])
    found = recognise(path)
    assert found is not None
    assert found.name == "czi"


@pytest.mark.samples
def test_real_files(samples: Path) -> None:
    files = checks.expected_files(samples, "czi")
    assert files
    for path, images in files.items():
        checks.check_expected(samples / path, images)


@pytest.mark.samples
@pytest.mark.parametrize("name", ["CD_s_1_t_3_c_2_z_5", "S3_1Pos_2Mosaic_T1_Z1_CH1", "tiles_z"])
def test_threads_on_real_files(name: str, samples: Path) -> None:
    checks.check_threads_by_digest(samples / "czi" / f"{name}.czi")


@pytest.mark.samples
def test_metadata_of_a_real_file(samples: Path) -> None:
    with coverslip.open_image(samples / "czi" / "CD_s_1_t_3_c_2_z_5.czi") as file:
        meta = file.images[0].metadata
    assert meta.time_increment_s == pytest.approx(60.075)
    assert meta.get_voxel_size_micrometers()[2] == pytest.approx(0.32)
    assert [(c.name, c.dye, c.exposure_time_s) for c in meta.channels] == [
        ("LED555", "Alexa Fluor 555", 0.1),
        ("LED470", "Alexa Fluor 488", 0.2),
    ]
    assert meta.objective is not None
    assert (meta.objective.magnification, meta.objective.immersion) == (50, "Water")


@pytest.mark.samples
def test_names_belong_to_the_channels_that_have_pixels(samples: Path) -> None:
    with coverslip.open_image(samples / "czi" / "DAPI_GFP.czi") as file:
        assert [channel.name for channel in file.images[0].metadata.channels] == ["DAPI", "GFP"]
