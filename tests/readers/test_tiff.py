"""The TIFF reader: what only TIFF files have. The promises of every reader are tested with the others."""

import json
import logging
import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import tifffile

import coverslip
from coverslip.errors import CoverslipError, ReadError, UnsupportedFormatError
from coverslip.model import Region
from tests.readers.generate_tiff import (
    Array,
    expand,
    make_tiff,
    ome_image,
    ome_xml,
    pixels,
    write_ome,
    write_set,
    write_stk,
)

DICE_SEED = 5


@pytest.fixture
def dice() -> np.random.Generator:
    return np.random.default_rng(DICE_SEED)


def read(path: Path, index: int = 0) -> Array:
    with coverslip.open_image(path) as file:
        return file.images[index].to_numpy()


def metadata(path: Path, index: int = 0) -> coverslip.ImageMetadata:
    with coverslip.open_image(path) as file:
        return file.images[index].metadata


# What a dialect is called and which files belong to it


@pytest.mark.parametrize(
    ("name", "variant", "axes"),
    [
        ("plane.tif", None, "YX"),
        ("big.tif", "BigTIFF", "IYX"),
        ("hyperstack.tif", "ImageJ", "TZCYX"),
        ("five.ome.tif", "OME-TIFF", "TCZYX"),
        ("metamorph.stk", "STK", "ZYX"),
        ("x_z_scans.lsm", "LSM", "TZX"),
    ],
)
def test_dialects_have_names(name: str, variant: str | None, axes: str, tmp_path: Path) -> None:
    make_tiff(tmp_path)
    meta = metadata(tmp_path / name)
    assert (meta.file_format, meta.format_variant) == ("TIFF", variant)
    assert meta.source_axes == axes


def test_exotic_axes_are_explained(tmp_path: Path) -> None:
    make_tiff(tmp_path)
    assert metadata(tmp_path / "shaped_phases.tif").note == "axis P (phase, 2 long) is read as C"
    assert metadata(tmp_path / "big.tif").note == "axis I (sequence, 5 long) is read as Z"
    assert metadata(tmp_path / "five.ome.tif").note is None
    assert "colour table" in str(metadata(tmp_path / "palette.tif").note)


# Pyramids


def test_pyramid_levels_hold_what_was_written(tmp_path: Path) -> None:
    whole = make_tiff(tmp_path)[tmp_path / "pyramid.ome.tif"][0]
    with coverslip.open_image(tmp_path / "pyramid.ome.tif") as file:
        image = file.images[0]
        assert [(level.size_y, level.size_x) for level in image.metadata.levels] == [(64, 48), (32, 24), (16, 12)]
        for level, step in enumerate((1, 2, 4)):
            assert np.array_equal(image.to_numpy(level), whole[..., ::step, ::step])


def test_a_thumbnail_is_not_a_level(tmp_path: Path, dice: np.random.Generator) -> None:
    large, small = pixels(dice, (64, 64)), pixels(dice, (10, 30))
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(large, metadata=None)
        writer.write(small, metadata=None)
    with coverslip.open_image(tmp_path / "a.tif") as file:
        assert [len(image.metadata.levels) for image in file.images] == [1, 1]
        assert [image.metadata.name for image in file.images] == ["a.tif", "a.tif #2"]


# Multi-file sets


@pytest.mark.usefixtures("no_open_handles")
def test_all_members_of_a_set_are_listed(tmp_path: Path, dice: np.random.Generator) -> None:
    paths = write_set(tmp_path, pixels(dice, (2, 3, 6, 7)), ["a.ome.tif", "deeper/b.ome.tif", "c.ome.tif"])
    with coverslip.open_image(paths[0]) as file:
        assert file.files[0] == paths[0]
        assert sorted(file.files) == sorted(paths)


@pytest.mark.usefixtures("no_open_handles")
def test_a_set_of_many_files_keeps_few_open(tmp_path: Path, dice: np.random.Generator) -> None:
    stack = pixels(dice, (1, 40, 5, 6))
    paths = write_set(tmp_path, stack, [f"z{z}.ome.tif" for z in range(40)])
    with coverslip.open_image(paths[0]) as file:
        assert np.array_equal(file.images[0].to_numpy(), expand(stack, "CZYX"))
        held = [item.path for item in psutil.Process().open_files() if item.path.startswith(str(tmp_path))]
        assert 1 < len(held) <= 20


def test_the_opened_file_may_hold_no_plane_itself(tmp_path: Path, dice: np.random.Generator) -> None:
    stack = pixels(dice, (2, 2, 6, 7))
    paths = write_set(tmp_path, stack, ["a.ome.tif", "b.ome.tif"])
    document = tifffile.tiffcomment(paths[0])
    assert isinstance(document, str)
    master = write_ome(
        tmp_path / "master.ome.tif", pixels(dice, (1, 3, 3)), document.replace('UUID="urn', 'UUID="x', 1)
    )
    with coverslip.open_image(master) as file:
        assert sorted(file.files) == sorted([master, *paths])
        assert np.array_equal(file.images[0].to_numpy(), expand(stack, "CZYX"))


def test_planes_of_a_missing_member_are_an_error_that_names_it(tmp_path: Path, dice: np.random.Generator) -> None:
    stack = pixels(dice, (2, 4, 6, 7))
    paths = write_set(tmp_path, stack, [f"z{z}.ome.tif" for z in range(4)])
    paths[2].unlink()
    with coverslip.open_image(paths[0]) as file:
        image = file.images[0]
        assert image.metadata.shape == (1, 2, 4, 6, 7)
        assert np.array_equal(image.plane(c=1, z=3), stack[1, 3])
        with pytest.raises(ReadError, match=r"z=2.*z2\.ome\.tif"):
            image.plane(c=1, z=2)
        with pytest.raises(ReadError):
            image.to_numpy()
        assert "2 of 8 planes" in str(image.metadata.note)


def test_a_member_that_disappears_later_is_an_error(tmp_path: Path, dice: np.random.Generator) -> None:
    paths = write_set(tmp_path, pixels(dice, (1, 2, 6, 7)), ["a.ome.tif", "b.ome.tif"])
    with coverslip.open_image(paths[0]) as file:
        paths[1].unlink()
        with pytest.raises(ReadError, match=r"b\.ome\.tif"):
            file.images[0].plane(z=1)


@pytest.mark.parametrize("spelled", ["../secret.ome.tif", "{outside}", "link.ome.tif"])
def test_a_set_never_leaves_its_folder(spelled: str, tmp_path: Path, dice: np.random.Generator) -> None:
    secret = tmp_path / "secret.ome.tif"
    home = tmp_path / "home"
    stack = pixels(dice, (1, 2, 6, 7))
    name = spelled.format(outside=secret)
    names = ["a.ome.tif", "secret.ome.tif"]
    written = write_set(tmp_path / "made", stack, names)
    home.mkdir()
    written[1].rename(secret)
    (home / "link.ome.tif").symlink_to(secret)
    document = tifffile.tiffcomment(written[0])
    assert isinstance(document, str)
    write_ome(home / "a.ome.tif", stack[:, 0], document.replace("secret.ome.tif", name))
    with coverslip.open_image(home / "a.ome.tif") as file:
        assert file.files == (home / "a.ome.tif",)
        assert np.array_equal(file.images[0].plane(z=0), stack[0, 0])
        with pytest.raises(ReadError):
            file.images[0].plane(z=1)


def test_members_named_by_a_path_of_another_computer_are_found_here(tmp_path: Path, dice: np.random.Generator) -> None:
    stack = pixels(dice, (1, 2, 6, 7))
    written = write_set(tmp_path, stack, ["a.ome.tif", "b.ome.tif"])
    document = tifffile.tiffcomment(written[0])
    assert isinstance(document, str)
    write_ome(written[0], stack[:, 0], document.replace('"b.ome', '"D:\\scans\\b.ome'))
    assert np.array_equal(read(written[0]), expand(stack, "CZYX"))


def test_planes_absent_by_declaration_are_an_error(tmp_path: Path, dice: np.random.Generator) -> None:
    planes = pixels(dice, (2, 6, 7))
    blocks = '<TiffData IFD="0" FirstC="0" PlaneCount="1"/><TiffData IFD="1" FirstC="2" PlaneCount="1"/>'
    xml = ome_xml([ome_image({"X": 7, "Y": 6, "C": 3}, blocks)])
    with coverslip.open_image(write_ome(tmp_path / "a.ome.tif", planes, xml)) as file:
        assert np.array_equal(file.images[0].plane(c=2), planes[1])
        with pytest.raises(ReadError, match=r"c=1.*no file of the set"):
            file.images[0].plane(c=1)


# Hostile and broken XML


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    "xml",
    [
        ome_xml([ome_image({"X": 7, "Y": 6}, "<TiffData/>", name="&b;")]).replace("?>", "?>" + BOMB, 1),
        ome_xml(["<Image>"]),
        ome_xml([ome_image({"X": 7, "Y": 6}, "<TiffData/>", order="")]),
        ome_xml([ome_image({"X": 7, "Y": 6}, "<TiffData/>").replace('SizeC="1"', 'SizeC="many"')]),
        ome_xml([]),
    ],
)
def test_hostile_or_broken_xml_leaves_a_plain_image(xml: str, tmp_path: Path, dice: np.random.Generator) -> None:
    planes = pixels(dice, (2, 6, 7))
    path = write_ome(tmp_path / "a.ome.tif", planes, xml)
    assert np.array_equal(read(path), expand(planes, "ZYX"))
    assert metadata(path).name == "a.ome.tif"


def test_broken_optional_metadata_is_unknown(tmp_path: Path, dice: np.random.Generator) -> None:
    wrong = 'PhysicalSizeX="wide" PhysicalSizeY="-3" PhysicalSizeZ="0" TimeIncrement="NaN"'
    channel = '<Channel ID="c" Name="" Color="red" EmissionWavelength="green"/><TiffData/>'
    image = ome_image({"X": 7, "Y": 6}, channel, attributes=wrong).replace(
        "<Pixels", "<AcquisitionDate>yesterday</AcquisitionDate><Pixels"
    )
    meta = metadata(write_ome(tmp_path / "a.ome.tif", pixels(dice, (1, 6, 7)), ome_xml([image])))
    assert meta.get_voxel_size_micrometers() == (None, None, None)
    assert (meta.time_increment_s, meta.acquired_at) == (None, None)
    assert meta.channels[0].model_dump(exclude_none=True) == {"index": 0, "name": "Channel 0"}


def test_several_images_get_their_own_metadata(tmp_path: Path, dice: np.random.Generator) -> None:
    images = [
        ome_image(
            {"X": 7, "Y": 6},
            f'<Channel Name="channel {i}"/><TiffData IFD="{i}"/>',
            name="same",
            attributes=f'PhysicalSizeX="{i + 1}" PhysicalSizeXUnit="nm"',
        )
        for i in range(3)
    ]
    path = write_ome(tmp_path / "a.ome.tif", pixels(dice, (3, 6, 7)), ome_xml(images))
    with coverslip.open_image(path) as file:
        found = [(i.metadata.pixel_size_x, i.metadata.channels[0].name) for i in file.images]
    assert [(size.value, size.unit, name) for size, name in found if size] == [
        (1, "nm", "channel 0"),
        (2, "nm", "channel 1"),
        (3, "nm", "channel 2"),
    ]


# ImageJ


def test_imagej_calibration_labels_and_colors(tmp_path: Path, dice: np.random.Generator) -> None:
    stack = pixels(dice, (2, 3, 2, 6, 7))
    ramp = np.linspace(0, 255, 256).astype("u1")
    none = np.zeros(256, "u1")
    labels = [f"c:{c + 1}/2 z:{z + 1}/3 t:{t + 1}/2 - {name}" for t in range(2) for z in range(3)
              for c, name in enumerate(("DAPI", "GFP"))]  # fmt: skip
    extra = {
        "axes": "TZCYX", "unit": "\\u00B5m", "spacing": -0.5, "finterval": 3.0, "mode": "composite",
        "Labels": labels, "LUTs": [np.stack([none, none, ramp]), np.stack([none, ramp, none])],
    }  # fmt: skip
    tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True, resolution=(10, 5), metadata=extra)
    meta = metadata(tmp_path / "a.tif")
    assert meta.get_voxel_size_micrometers() == pytest.approx((0.1, 0.2, 0.5))
    assert meta.time_increment_s == 3
    assert [(channel.name, channel.color) for channel in meta.channels] == [("DAPI", "#0000ff"), ("GFP", "#00ff00")]
    assert meta.vendor["ImageJ"]["unit"] == "\\u00B5m"


@pytest.mark.parametrize("unit", ["pixel", "", None, "inch", "furlong"])
def test_imagej_without_a_physical_unit_is_uncalibrated(
    unit: str | None, tmp_path: Path, dice: np.random.Generator
) -> None:
    extra = {"axes": "ZYX", "spacing": 1.0} | ({} if unit is None else {"unit": unit})
    tifffile.imwrite(tmp_path / "a.tif", pixels(dice, (3, 6, 7)), imagej=True, resolution=(1, 1), metadata=extra)
    assert metadata(tmp_path / "a.tif").get_voxel_size_micrometers() == (None, None, None)


def write_large_imagej(path: Path, planes: int, side: int, last: Array) -> None:
    """Write what ImageJ writes beyond 4 GiB: one directory, the pixels behind it; a sparse file."""
    text = f"ImageJ=1.54f\nimages={planes}\nslices={planes}\nunit=nm\nspacing=5\nloop=false\n\0".encode()
    tags = 9
    described = 8 + 2 + tags * 12 + 4
    start = described + len(text)
    entries = [
        (256, 4, 1, side), (257, 4, 1, side), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1),
        (270, 2, len(text), described), (273, 4, 1, start), (278, 4, 1, side), (279, 4, 1, side * side),
    ]  # fmt: skip
    directory = struct.pack("<H", tags) + b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)
    with path.open("wb") as stream:
        stream.write(b"II*\0" + struct.pack("<I", 8) + directory + text)
        stream.truncate(start + planes * side * side)
        stream.seek(start + (planes - 1) * side * side)
        stream.write(last.tobytes())


def test_imagej_beyond_4_gib_has_one_directory(tmp_path: Path, dice: np.random.Generator) -> None:
    last = pixels(dice, (8192, 8192), "u1")
    write_large_imagej(tmp_path / "large.tif", 70, 8192, last)
    assert (tmp_path / "large.tif").stat().st_size > 1 << 32
    with coverslip.open_image(tmp_path / "large.tif") as file:
        image = file.images[0]
        assert image.metadata.shape == (1, 1, 70, 8192, 8192)
        assert image.metadata.should_use_lazy_loading()
        corner = image.read(0, Region(z=(69, 70), y=(8000, 8192), x=(3, 100)))
        assert np.array_equal(corner[0, 0, 0], last[8000:, 3:100])
        assert not image.plane(z=30).any()


def test_a_cut_off_imagej_stack_of_one_directory_is_refused(tmp_path: Path, dice: np.random.Generator) -> None:
    write_large_imagej(tmp_path / "a.tif", 5, 64, pixels(dice, (64, 64), "u1"))
    with (tmp_path / "a.tif").open("r+b") as stream:
        stream.truncate(64 * 64 * 3)
    with pytest.raises(ReadError, match="truncated"):
        coverslip.open_image(tmp_path / "a.tif")


def test_an_imagej_header_kept_by_another_program_does_no_harm(tmp_path: Path, dice: np.random.Generator) -> None:
    planes = pixels(dice, (3, 6, 7))
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for plane in planes:
            writer.write(plane, description="ImageJ=1.54f\nimages=9\nslices=9\n", metadata=None, compression="zlib")
    assert np.array_equal(read(tmp_path / "a.tif"), expand(planes, "ZYX"))
    assert "ImageJ" in str(metadata(tmp_path / "a.tif").note)


# Other dialects


def test_stk_calibration(tmp_path: Path, dice: np.random.Generator) -> None:
    meta = metadata(write_stk(tmp_path / "a.stk", pixels(dice, (3, 6, 7))))
    assert meta.get_voxel_size_micrometers() == pytest.approx((0.65, 0.65, 2.0))
    assert meta.vendor["MetaMorph"]["NumberPlanes"] == 3


def test_lsm_voxel_sizes_and_its_thumbnail(tmp_path: Path) -> None:
    make_tiff(tmp_path)
    meta = metadata(tmp_path / "x_z_scans.lsm")
    assert meta.get_voxel_size_micrometers() == pytest.approx((0.2, None, 0.5))
    thumbnail = metadata(tmp_path / "x_z_scans.lsm", 1)
    assert thumbnail.name == "Thumbnail"
    assert thumbnail.pixel_size_x is None


def test_mibitiff_pages_are_channels(tmp_path: Path, dice: np.random.Generator) -> None:
    planes = pixels(dice, (3, 8, 10))
    with tifffile.TiffWriter(tmp_path / "a.tiff") as writer:
        for mass, plane in enumerate(planes):
            described = {"mibi.size": 400, "channel.mass": mass, "channel.target": f"CD{mass}", "mibi.fov_name": "R1"}
            writer.write(plane, description=json.dumps(described), metadata=None, contiguous=False)
    meta = metadata(tmp_path / "a.tiff")
    assert np.array_equal(read(tmp_path / "a.tiff"), expand(planes, "CYX"))
    assert [channel.name for channel in meta.channels] == ["CD0", "CD1", "CD2"]
    assert (meta.name, meta.format_variant) == ("R1", "MIBItiff")
    assert meta.get_voxel_size_micrometers() == (40, 40, None)
    assert "pages are channels" in str(meta.note)


@pytest.mark.parametrize(
    ("resolution", "unit", "expected"),
    [
        ((7038270, 7038270), "CENTIMETER", 0.00142080),
        ((72, 72), "INCH", None),
        ((300, 300), "INCH", None),
        ((1, 1), "NONE", None),
        ((20000, 20000), "CENTIMETER", 0.5),
    ],
)
def test_print_resolution_is_no_pixel_size(
    resolution: tuple[int, int], unit: str, expected: float | None, tmp_path: Path, dice: np.random.Generator
) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif", pixels(dice, (6, 7)), resolution=resolution, resolutionunit=unit, metadata=None
    )
    size = metadata(tmp_path / "a.tif").pixel_size_x
    assert (size.micrometers if size else None) == (pytest.approx(expected, rel=1e-5) if expected else None)


def test_date_time_tag(tmp_path: Path, dice: np.random.Generator) -> None:
    tifffile.imwrite(tmp_path / "a.tif", pixels(dice, (6, 7)), datetime="2024:02:29 12:30:00", metadata=None)
    assert str(metadata(tmp_path / "a.tif").acquired_at) == "2024-02-29 12:30:00"


def test_a_slide_states_its_scale_lens_and_levels(tmp_path: Path, dice: np.random.Generator) -> None:
    plane = pixels(dice, (96, 80, 3), "u1")
    described = "Aperio Image Library v12.0.15\r\n80x96 [0,0 80x96] (16x16)|AppMag = 20|MPP = 0.4990"
    with tifffile.TiffWriter(tmp_path / "a.svs") as writer:
        options: dict[str, Any] = {"photometric": "rgb", "metadata": None, "description": described}
        writer.write(plane, tile=(16, 16), **options)
        writer.write(plane[::3, ::3], rowsperstrip=32, **options)
        writer.write(plane[::2, ::2], tile=(16, 16), **options)
    meta = metadata(tmp_path / "a.svs")
    assert meta.format_variant == "SVS"
    assert meta.pixel_size_x is not None
    assert meta.pixel_size_x.micrometers == pytest.approx(0.499)
    assert meta.objective is not None
    assert meta.objective.magnification == 20
    with coverslip.open_image(tmp_path / "a.svs") as file:
        assert np.array_equal(file.images[0].to_numpy(1)[0, 0, 0], plane[::2, ::2])


def test_a_gel_scan_is_linear(tmp_path: Path, dice: np.random.Generator) -> None:
    """Molecular Dynamics stores square roots; the file says how to undo that."""
    plane = pixels(dice, (6, 7))
    tags = [(33445, 4, 1, 2, True), (33446, 5, 1, (1, 4), True)]
    tifffile.imwrite(tmp_path / "a.gel", plane, extratags=tags, metadata=None)
    with coverslip.open_image(tmp_path / "a.gel") as file:
        image = file.images[0]
        assert image.metadata.dtype == "float32"
        assert np.array_equal(image.read(0, Region(y=(2, 5)))[0, 0, 0], plane[2:5].astype("f4") ** 2 / 4)


# Reads only what it needs


def test_a_tile_is_read_without_its_neighbours(tmp_path: Path, dice: np.random.Generator) -> None:
    plane = pixels(dice, (64, 64))
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, plane, tile=(16, 16), compression="zlib", metadata=None)
    with tifffile.TiffFile(path) as tif:
        offsets, counts = tif.pages.first.dataoffsets, tif.pages.first.databytecounts
    content = bytearray(path.read_bytes())
    for index, (offset, count) in enumerate(zip(offsets, counts, strict=True)):
        if index != 5:
            content[offset : offset + count] = bytes(count)
    path.write_bytes(content)
    with coverslip.open_image(path) as file:
        assert np.array_equal(file.images[0].read(0, Region(y=(16, 32), x=(16, 32)))[0, 0, 0], plane[16:32, 16:32])
        with pytest.raises(ReadError):
            file.images[0].read(0, Region(y=(16, 32), x=(16, 33)))


def test_a_narrow_window_of_wide_rows(tmp_path: Path, dice: np.random.Generator) -> None:
    plane = pixels(dice, (5, 70_000))
    tifffile.imwrite(tmp_path / "a.tif", plane, byteorder=">", metadata=None)
    with coverslip.open_image(tmp_path / "a.tif") as file:
        found = file.images[0].read(0, Region(y=(1, 4), x=(50_001, 50_100)))
    assert np.array_equal(found[0, 0, 0], plane[1:4, 50_001:50_100])


def test_strips_of_later_pages_may_lie_anywhere(tmp_path: Path, dice: np.random.Generator) -> None:
    """tifffile judges by the first page only whether strips follow one another."""
    planes = pixels(dice, (2, 8, 5))
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        for plane in planes:
            writer.write(plane, rowsperstrip=4, contiguous=False, metadata=None)
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tif:
        tag = tif.pages[1].aspage().tags[273]
        strips, place = tag.value, tag.valueoffset
    first, second = (bytes(content[start : start + 40]) for start in strips)
    content[strips[0] : strips[0] + 40], content[strips[1] : strips[1] + 40] = second, first
    content[place : place + 8] = struct.pack("<2I", strips[1], strips[0])
    path.write_bytes(content)
    assert np.array_equal(read(path), expand(planes, "ZYX"))


def test_eight_threads_read_random_planes(tmp_path: Path, dice: np.random.Generator) -> None:
    stack = pixels(dice, (4, 3, 5, 40, 50))
    tifffile.imwrite(tmp_path / "a.ome.tif", stack, metadata={"axes": "TCZYX"}, compression="zlib", rowsperstrip=3)
    places = [tuple(int(dice.integers(0, n)) for n in stack.shape[:3]) for _ in range(200)]
    with coverslip.open_image(tmp_path / "a.ome.tif") as file, ThreadPoolExecutor(8) as threads:
        image = file.images[0]
        found = threads.map(lambda place: image.plane(t=place[0], c=place[1], z=place[2]), places)
        assert all(np.array_equal(plane, stack[place]) for plane, place in zip(found, places, strict=True))


# Damage


def test_segments_that_were_never_written_are_an_error(tmp_path: Path, dice: np.random.Generator) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, pixels(dice, (64, 64)), tile=(32, 32), compression="zlib", metadata=None)
    with tifffile.TiffFile(path, mode="r+") as tif:
        counts = list(tif.pages.first.databytecounts)
        tif.pages.first.tags[325].overwrite([*counts[:3], 0])
    with coverslip.open_image(path) as file:
        file.images[0].read(0, Region(y=(0, 32)))
        with pytest.raises(ReadError, match="tile 3 of page 0 was never written"):
            file.images[0].to_numpy()


def test_declared_no_data_fills_sparse_tiles(tmp_path: Path, dice: np.random.Generator) -> None:
    path, plane = tmp_path / "a.tif", pixels(dice, (64, 64))
    options: dict[str, Any] = {"extratags": [(42113, 2, 3, "17", True)], "metadata": None}
    tifffile.imwrite(path, plane, tile=(32, 32), compression="zlib", **options)
    with tifffile.TiffFile(path, mode="r+") as tif:
        tif.pages.first.tags[325].overwrite([*tif.pages.first.databytecounts[:3], 0])
    plane[32:, 32:] = 17
    assert np.array_equal(read(path)[0, 0, 0], plane)


def test_a_small_file_that_claims_a_huge_image_is_refused(tmp_path: Path, dice: np.random.Generator) -> None:
    for codec in (None, "zlib"):
        path = tmp_path / f"{codec}.tif"
        tifffile.imwrite(path, pixels(dice, (6, 7)), compression=codec, metadata=None)
        with tifffile.TiffFile(path, mode="r+") as tif:
            for code in (256, 257):
                tif.pages.first.tags[code].overwrite(2_000_000)
        with pytest.raises(ReadError, match="bytes"):
            coverslip.open_image(path)


@pytest.mark.parametrize("again", [0, 1, 149])
def test_a_chain_of_pages_in_a_circle_is_refused(again: int, tmp_path: Path) -> None:
    path = tmp_path / "circle.tif"
    with tifffile.TiffWriter(path) as writer:
        for _ in range(150):
            writer.write(np.zeros((4, 5), "u1"), contiguous=False, metadata=None)
    with tifffile.TiffFile(path) as tif:
        last, target = tif.pages[149], tif.pages[again]
        with path.open("r+b") as file:
            file.seek(last.offset)
            tags = struct.unpack("<H", file.read(2))[0]
            file.seek(last.offset + 2 + 12 * tags)
            file.write(struct.pack("<I", target.offset))
    with pytest.raises(ReadError, match=f"page 150 is said to be the one at byte {target.offset} again"):
        coverslip.open_image(path)


def test_an_unknown_pixel_type_is_refused(tmp_path: Path, dice: np.random.Generator) -> None:
    tifffile.imwrite(tmp_path / "a.tif", pixels(dice, (6, 7), "f4"), metadata=None)
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+") as tif:
        tif.pages.first.tags[258].overwrite(13)
    with pytest.raises(ReadError, match="pixel type"):
        coverslip.open_image(tmp_path / "a.tif")


def test_other_content_under_a_tiff_name(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(b"")
    with pytest.raises(ReadError, match="empty"):
        coverslip.open_image(path)
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    with pytest.raises(UnsupportedFormatError, match="git lfs pull"):
        coverslip.open_image(path)
    path.write_bytes(b"II*\0")
    with pytest.raises(ReadError, match=r"a\.tif"):
        coverslip.open_image(path)


@pytest.mark.usefixtures("no_open_handles")
def test_a_file_that_cannot_be_opened_is_let_go_of(tmp_path: Path, dice: np.random.Generator) -> None:
    tifffile.imwrite(tmp_path / "a.tif", pixels(dice, (5, 6, 7)), metadata=None)
    content = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(content[: len(content) // 2])
    with pytest.raises(ReadError, match="Copy it again"):
        coverslip.open_image(tmp_path / "a.tif")


# Real files


@pytest.mark.samples
def test_real_files_are_as_tifffile_reads_them(samples: Path) -> None:
    """Also those whose axes ``expected.json`` leaves open: their documented mapping is a mere regrouping."""
    expected = json.loads((samples / "expected.json").read_text())
    names = [name for name, document in expected.items() if document["reader"] == "tiff"]
    assert len(names) > 100
    for name in names:
        with coverslip.open_image(samples / name, alone=True) as file, tifffile.TiffFile(samples / name) as tif:
            assert len(file.images) == len(tif.series)
            for image, series in zip(file.images, tif.series, strict=True):
                found, wanted = image.to_numpy(), series.asarray()
                if "S" in series.axes:
                    wanted = np.moveaxis(wanted, series.axes.index("S"), -1)
                letters = [axis for axis in series.axes if axis in "TCZ"]
                order = sorted(range(len(letters)), key=lambda i: "TCZ".index(letters[i]))
                wanted = wanted.transpose([*order, *range(len(letters), wanted.ndim)]) if letters else wanted
                assert np.array_equal(found.ravel(), wanted.ravel(), equal_nan=found.dtype.kind in "fc"), name


@pytest.mark.samples
def test_bad_files_are_refused_or_harmless(samples: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    folders = (samples / "bad" / "tifftools", samples / "bad" / "image-tiff-fuzz")
    outcomes: dict[str, str] = {}
    for path in sorted(path for folder in folders for path in folder.iterdir()):
        try:
            with coverslip.open_image(path) as file:
                for image in file.images:
                    image.to_numpy()
            outcomes[path.name] = "read"
        except CoverslipError as error:
            outcomes[path.name] = "refused" if str(path) in str(error) else "without its name"
    assert len(outcomes) == 11
    harmless = {name for name, outcome in outcomes.items() if outcome == "read"}
    assert set(outcomes.values()) == {"read", "refused"}
    assert harmless == {"bad_datatype.tif", "bad_jpeg.tif", "bad_unicode.tif"}


def _retag(path: Path, code: int, value: int) -> Path:
    """Change a short tag of the first page."""
    with tifffile.TiffFile(path, mode="r+") as tif:
        tif.pages.first.tags[code].overwrite(value)
    return path


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (34676, "LogLuv of 32 bits"),
        (34677, "LogLuv of 24 bits"),
        (32809, "ThunderScan"),
        (6, "old-style JPEG"),
        (34661, "JBIG"),
    ],
)
def test_a_compression_that_is_not_read_is_named(tmp_path: Path, code: int, name: str) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.arange(1200, dtype="u1").reshape(30, 40), compression="lzw")
    with pytest.raises(ReadError, match=f"compression {code} \\({name}.*Save the image in another way"):
        coverslip.open_image(_retag(path, 259, code))


@pytest.mark.parametrize("compression", [None, "lzw"])
def test_colours_of_a_lower_resolution_outside_of_jpeg_are_refused(tmp_path: Path, compression: str | None) -> None:
    path = tmp_path / "a.tif"
    pixels = np.zeros((30, 40, 3), "u1")
    more: dict[str, Any] = {"extratags": [(530, 3, 2, (2, 1), True)]}
    tifffile.imwrite(path, pixels, photometric="rgb", compression=compression, metadata=None, **more)
    with pytest.raises(ReadError, match="2 x 1 pixels share one Cb and Cr"):
        coverslip.open_image(_retag(path, 262, 6))
