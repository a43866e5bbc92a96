"""The LIF reader: any order of axes, projects of many images, colour, metadata, damage."""

import struct
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

import coverslip
from coverslip.errors import ReadError
from coverslip.readers import recognise
from tests.readers import vendor_checks as checks
from tests.readers.generate_lif import Picture, make_lif, write

no_leak = pytest.mark.usefixtures("no_open_handles")
"""Costs a fifth of a second, so only where handles could leak in a new way."""


@no_leak
def test_pixels(tmp_path: Path) -> None:
    checks.check_pixels(make_lif(tmp_path))


def test_regions(tmp_path: Path) -> None:
    checks.check_regions(make_lif(tmp_path))


@no_leak
def test_cut_off_files(tmp_path: Path) -> None:
    checks.check_truncation(make_lif(tmp_path), tmp_path)


def test_threads(tmp_path: Path) -> None:
    checks.check_threads(tmp_path / "project.lif", make_lif(tmp_path)[tmp_path / "project.lif"])


def test_images_are_named_by_their_path(tmp_path: Path) -> None:
    make_lif(tmp_path)
    with coverslip.open_image(tmp_path / "project.lif") as file:
        names = [image.metadata.name for image in file.images]
    assert names == ["stack", "day 1/xz", "day 1/deep/xzy", "color", "spectrum", "camera", "ratio"]
    with coverslip.open_image(tmp_path / "mosaic.lif") as file:
        assert [image.metadata.name for image in file.images] == ["scan tile 0", "scan tile 1", "scan tile 2"]


def test_metadata(tmp_path: Path) -> None:
    make_lif(tmp_path)
    with coverslip.open_image(tmp_path / "project.lif") as file:
        meta = file.images[0].metadata
    assert (meta.file_format, meta.source_axes) == ("LIF", "TZYX")
    assert meta.get_voxel_size_micrometers() == pytest.approx((1, 2, 2))  # the length in y is negative
    assert meta.time_increment_s == 4
    fitc, tritc = meta.channels
    assert (fitc.name, fitc.dye, fitc.color, fitc.gain) == ("FITC", "FITC", "#00ff00", 41.5)
    assert (tritc.name, tritc.color, tritc.gain) == ("TRITC", "#ff0000", 105)
    assert meta.objective is not None
    assert (meta.objective.name, meta.objective.magnification) == ("HC PL APO 63x/1.40 OIL", 63)
    assert (meta.objective.numerical_aperture, meta.objective.immersion) == (1.4, "OIL")
    assert meta.microscope is not None
    assert (meta.microscope.model, meta.microscope.type) == ("TCS SP8 DMI6000", "Inverted")
    assert meta.microscope.serial_number == "8100000201"
    assert meta.acquired_at == datetime(2024, 1, 1, tzinfo=UTC)
    assert meta.vendor["Element"]["@Name"] == "stack"


def test_metadata_of_cameras(tmp_path: Path) -> None:
    make_lif(tmp_path)
    with coverslip.open_image(tmp_path / "project.lif") as file:
        dapi, bright = file.images[5].metadata.channels
    assert (dapi.name, dapi.emission_wavelength_nm, dapi.exposure_time_s) == ("DAPI", 460, 0.25)
    assert (bright.name, bright.contrast_method, bright.dye) == ("BF", "TL-BF", None)


def test_axes_that_became_channels_are_named(tmp_path: Path) -> None:
    make_lif(tmp_path)
    with coverslip.open_image(tmp_path / "project.lif") as file:
        meta = file.images[4].metadata
    names = ["Blue λ0", "Blue λ1", "Blue λ2", "Cyan λ0", "Cyan λ1", "Cyan λ2"]
    assert [channel.name for channel in meta.channels] == names
    assert meta.note == "Folded into channels, C outermost: λ (3)."


def test_wavelengths_name_the_channels_of_a_lambda_scan(tmp_path: Path) -> None:
    pixels = np.arange(2 * 3 * 4 * 5, dtype="u1").reshape(3, 2, 4, 5)
    picture = Picture("scan", pixels, "λCYX", luts=("A", "B"), lengths={"λ": 4e-8}, origins={"λ": 5e-7})
    with coverslip.open_image(write(tmp_path / "a.lif", [picture])) as file:
        meta = file.images[0].metadata
        assert np.array_equal(file.images[0].to_numpy()[0, :, 0], pixels.transpose(1, 0, 2, 3).reshape(6, 4, 5))
    assert [channel.name for channel in meta.channels[:4]] == ["A 500 nm", "A 520 nm", "A 540 nm", "B 500 nm"]
    assert [channel.emission_wavelength_nm for channel in meta.channels[3:]] == pytest.approx([500, 520, 540])


TILES = "".join(f'<Tile FieldX="{x}" FieldY="0" PosX="{x * 0.001}" PosY="-0.002" PosZ="0"/>' for x in range(3))


@pytest.mark.parametrize(
    ("tiles", "place"), [(TILES, (1000, -2000)), (TILES[:70], None), (TILES.replace("0.001", "nan"), None)]
)
def test_tiles_are_images_with_their_place_on_the_stage(
    tmp_path: Path, tiles: str, place: tuple[float, float] | None
) -> None:
    pixels = np.arange(3 * 4 * 5, dtype="u1").reshape(3, 4, 5)
    settings = f'<Attachment Name="TileScanInfo" FlipX="0">{tiles}</Attachment>' if tiles.endswith("/>") else ""
    path = write(tmp_path / "a.lif", [Picture("scan", pixels, "MYX", settings=settings)])
    with coverslip.open_image(path) as file:
        tile = file.images[1]
        assert tile.metadata.name == "scan tile 1"
        assert (tile.plane() == pixels[1]).all()
        assert tile.metadata.stage_position_um == (None if place is None else pytest.approx(place))
        assert (tile.metadata.note or "").startswith("Tile 1 of 3" + (", column 1, row 0;" if place else ";"))


def test_time_steps_from_stamps(tmp_path: Path) -> None:
    make_lif(tmp_path)
    with coverslip.open_image(tmp_path / "project.lif") as file:
        meta = file.images[1].metadata
    assert meta.time_increment_s == 0.5
    assert meta.pixel_size_y is None


def test_images_that_make_no_sense_are_left_out_and_named(tmp_path: Path) -> None:
    pixels = np.arange(12, dtype="u1").reshape(3, 4)
    path = write(tmp_path / "a.lif", [Picture("good", pixels, "YX"), Picture("wrong", pixels, "YX")])
    text = path.read_bytes()
    last = text.rindex('NumberOfElements="4"'.encode("utf-16-le"))
    path.write_bytes(text[:last] + 'NumberOfElements="0"'.encode("utf-16-le") + text[last + 40 :])
    with coverslip.open_image(path) as file:
        assert [image.metadata.name for image in file.images] == ["good"]
        assert file.images[0].metadata.note == "Not shown of this file: 'wrong' (its description makes no sense)."
        assert (file.images[0].plane() == pixels).all()


@no_leak
def test_a_file_without_pixels_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.lif", [Picture("empty", np.zeros((3, 4), "u1"), "YX", has_memory=False)])
    with pytest.raises(ReadError, match="no image with pixels"):
        coverslip.open_image(path)


@no_leak
def test_an_image_larger_than_its_memory_is_an_error(tmp_path: Path) -> None:
    pictures = [Picture(name, np.full((3, 4), i, "u1"), "YX") for i, name in enumerate("ab")]
    path = write(tmp_path / "a.lif", pictures)
    large = path.read_bytes().replace(
        'NumberOfElements="3"'.encode("utf-16-le"), 'NumberOfElements="9"'.encode("utf-16-le"), 1
    )
    path.write_bytes(large)
    with coverslip.open_image(path) as file:
        assert (file.images[1].plane() == 1).all()
        assert (file.images[0].read(0, coverslip.Region(y=(0, 3))) == 0).all()
        with pytest.raises(ReadError, match="larger than the memory block"):
            file.images[0].to_numpy()


def test_documents_that_declare_entities_are_refused(tmp_path: Path) -> None:
    picture = Picture("a", np.zeros((3, 4), "u1"), "YX")
    path = write(tmp_path / "a.lif", [picture], prologue='<!DOCTYPE a [<!ENTITY e "x">]>')
    with pytest.raises(ReadError, match="document type"):
        coverslip.open_image(path)


@no_leak
def test_a_description_that_is_no_xml(tmp_path: Path) -> None:
    path = write(tmp_path / "a.lif", [Picture("a", np.zeros((3, 4), "u1"), "YX")], prologue="<")
    with pytest.raises(ReadError, match="opening as Leica LIF failed"):
        coverslip.open_image(path)


def test_it_is_recognised_by_its_content(tmp_path: Path) -> None:
    path = write(tmp_path / "named wrongly.czi", [Picture("a", np.zeros((3, 4), "u1"), "YX")])
    found = recognise(path)
    assert found is not None
    assert found.name == "lif"
    path.write_bytes(struct.pack("<IIBI", 0x70, 35, 0x2A, 15) + "LMS_Object_File".encode("utf-16-le"))
    assert recognise(path) is None


@pytest.mark.samples
def test_real_files(samples: Path) -> None:
    files = checks.expected_files(samples, "lif")
    assert files
    for path, images in files.items():
        checks.check_expected(samples / path, images)


@pytest.mark.samples
@pytest.mark.parametrize("name", ["xz-example", "LeicaLASX_xz-plane_example"])
def test_threads_on_real_files(name: str, samples: Path) -> None:
    checks.check_threads_by_digest(samples / "lif" / f"{name}.lif")


@pytest.mark.samples
def test_metadata_of_a_real_file(samples: Path) -> None:
    with coverslip.open_image(samples / "lif" / "xz-example.lif") as file:
        meta = file.images[0].metadata
    assert [(c.name, c.color) for c in meta.channels] == [("FITC", "#00ff00"), ("TRITC", "#ff0000")]
    assert meta.time_increment_s == pytest.approx(0.53)
    x, y, z = meta.get_voxel_size_micrometers()
    assert (x, z) == pytest.approx((0.14028, 0.14028), abs=1e-5)
    assert y is None
    assert meta.objective is not None
    assert meta.objective.immersion == "GLYC"
