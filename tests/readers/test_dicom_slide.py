"""Whole slides written by wsidicom, compared with what was written and with wsidicom as a reader."""

import random
import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit, JPEGLSLossless, RLELossless
from wsidicom import WsiDicom
from wsidicom.instance.dataset import ImageType
from wsidicom.options import ConcatenationByFrames, InstanceSplit

from coverslip.errors import ReadError
from coverslip.model import Region
from coverslip.readers import open_image
from tests.readers.generate_slide import Array, scatter, write_slide

DICE = np.random.default_rng(1)
COLOR = DICE.integers(0, 256, (1, 1, 150, 200, 3)).astype("u1")
STAINS = DICE.integers(0, 4096, (2, 3, 70, 90)).astype("u2")
LABEL = DICE.integers(0, 256, (32, 32, 3)).astype("u1")
OVERVIEW = DICE.integers(0, 256, (40, 70, 3)).astype("u1")


def halved(pixels: Array) -> Array:
    return np.ascontiguousarray(pixels[:, :, ::2, ::2])


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, JPEGLSLossless])
def test_a_pyramid_with_label_and_overview(tmp_path: Path, syntax: str) -> None:
    levels = [COLOR, halved(COLOR), halved(halved(COLOR))]
    others = {ImageType.LABEL: LABEL, ImageType.OVERVIEW: OVERVIEW}
    files = write_slide(tmp_path, levels, others=others, syntax=syntax, offset_table="eot")
    assert len(files) == 5
    for path in files:  # whichever is opened
        with open_image(path) as file:
            assert list(file.files) == files
            slide, label, overview = file.images
            assert [image.metadata.name for image in file.images] == ["A slide", "label", "overview"]
            for number, level in enumerate(levels):
                assert np.array_equal(slide.read(number)[0], level)
            assert np.array_equal(label.plane(), LABEL)
            assert np.array_equal(overview.plane(), OVERVIEW)


def test_regions_are_as_wsidicom_reads_them(tmp_path: Path) -> None:
    """JPEG with losses too: both decode the same tiles."""
    levels = [STAINS, halved(STAINS)]
    files = write_slide(tmp_path / "grey", levels, paths=("b", "a"))
    smooth = np.repeat(np.repeat(COLOR[:, :, :40, :50], 4, axis=2), 4, axis=3)
    lossy = write_slide(tmp_path / "lossy", [smooth], syntax=JPEGBaseline8Bit)
    dice = random.Random(3)
    with open_image(files[0]) as ours, WsiDicom.open(tmp_path / "grey") as theirs:
        image = ours.images[0]
        for _ in range(40):
            level, c, z = dice.randrange(2), dice.randrange(2), dice.randrange(3)
            size = image.metadata.levels[level]
            x, y = dice.randrange(size.size_x - 1), dice.randrange(size.size_y - 1)
            w, h = dice.randint(1, size.size_x - x), dice.randint(1, size.size_y - y)
            region = Region(c=(c, c + 1), z=(z, z + 1), y=(y, y + h), x=(x, x + w))
            wanted = theirs.read_region((x, y), level, (w, h), z=(0.0, 1.5, 3.0)[z], path="ba"[c], as_array=True)
            assert np.array_equal(image.read(level, region)[0, 0, 0], wanted.reshape(h, w))
    with open_image(lossy[0]) as ours, WsiDicom.open(tmp_path / "lossy") as theirs:
        wanted = theirs.read_region((0, 0), 0, (200, 160), as_array=True)
        assert np.abs(ours.images[0].plane().astype(int) - wanted.astype(int)).max() <= 3  # two JPEG decoders
        assert np.abs(ours.images[0].plane().astype(int) - smooth[0, 0].astype(int)).mean() < 20


def test_optical_paths_are_channels_and_focal_planes_are_z(tmp_path: Path) -> None:
    files = write_slide(tmp_path, [STAINS], paths=("1", "2"))
    with open_image(files[0]) as file:
        meta = file.images[0].metadata
    assert meta.shape == (1, 2, 3, 70, 90)
    assert [channel.name for channel in meta.channels] == ["stain 1", "stain 2"]
    assert [channel.excitation_wavelength_nm for channel in meta.channels] == [400, 450]
    assert meta.get_voxel_size_micrometers() == (0.5, 0.5, 1.5)
    assert meta.objective is not None
    assert (meta.objective.magnification, meta.objective.numerical_aperture) == (20, 0.75)
    assert (meta.file_format, meta.format_variant, meta.source_axes) == ("DICOM", "SM", "CZYX")
    assert meta.acquired_at is not None


@pytest.mark.parametrize("split", list(InstanceSplit))
def test_a_level_in_several_files(tmp_path: Path, split: InstanceSplit) -> None:
    files = write_slide(tmp_path, [STAINS, halved(STAINS)], paths=("1", "2"), instance_split=split)
    with open_image(files[-1]) as file:
        assert list(file.files) == files
        assert np.array_equal(file.images[0].read(0)[0], STAINS)
        assert np.array_equal(file.images[0].read(1)[0], halved(STAINS))
        assert [channel.name for channel in file.images[0].metadata.channels] == ["stain 1", "stain 2"]


def test_a_concatenation_of_which_a_file_is_missing_is_refused(tmp_path: Path) -> None:
    files = write_slide(tmp_path, [STAINS], paths=("1", "2"), concatenation=ConcatenationByFrames(5))
    assert len(files) > 5
    with open_image(files[0]) as file:
        assert np.array_equal(file.images[0].read()[0], STAINS)
    files[3].unlink()
    with pytest.raises(ReadError, match="tiles of the level of 90 x 70 are missing"):
        open_image(files[0])


def test_sparse_tiles_in_any_order(tmp_path: Path) -> None:
    files = write_slide(tmp_path, [STAINS], paths=("1", "2"))
    scatter(files[0])
    with open_image(files[0]) as file:
        assert np.array_equal(file.images[0].read()[0], STAINS)
        assert file.images[0].metadata.note is None


def test_tiles_that_were_not_stored_are_background_and_said_so(tmp_path: Path) -> None:
    for name, pixels, background in (("grey", STAINS + 1, 0), ("color", COLOR, 255)):
        (path,) = write_slide(tmp_path / name, [pixels], paths=("1", "2")[: len(pixels)])
        scatter(path, keep=0.6)
        with open_image(path) as file, WsiDicom.open(tmp_path / name) as theirs:
            image = file.images[0]
            assert "tiles were not stored and are shown as background" in (image.metadata.note or "")
            ours = image.plane()
            wanted = theirs.read_region((0, 0), 0, pixels.shape[3:1:-1], z=0.0, path="1", as_array=True)
            stored = (ours != background).reshape(*ours.shape[:2], -1).any(axis=2)
            assert 0.1 < stored.mean() < 0.9
            assert np.array_equal(ours[stored], wanted.reshape(ours.shape)[stored])
            assert np.array_equal(ours[stored], pixels[0, 0][stored])


def test_levels_that_do_not_fit_are_left_out(tmp_path: Path) -> None:
    files = write_slide(tmp_path, [STAINS, halved(STAINS)], paths=("1", "2"))
    small = next(path for path in files if pydicom.dcmread(path, stop_before_pixels=True).TotalPixelMatrixRows == 35)
    data = pydicom.dcmread(small)
    data.TotalPixelMatrixRows = 60  # as many tiles, another shape
    data.save_as(small)
    with open_image(files[0]) as file:
        meta = file.images[0].metadata
    assert len(meta.levels) == 1
    assert meta.note == "the level of 45 x 60 is left out: it has another shape"


def test_slides_do_not_mix(tmp_path: Path) -> None:
    one = write_slide(tmp_path / "1", [COLOR])
    two = write_slide(tmp_path / "2", [STAINS], paths=("1", "2"))
    together = [Path(shutil.copy(path, tmp_path)) for path in (*one, *two)]
    with open_image(together[0]) as file:
        assert list(file.files) == [together[0]]
        assert np.array_equal(file.images[0].read()[0], COLOR)


@pytest.mark.parametrize(
    ("keyword", "value", "reason"),
    [
        ("TotalPixelMatrixColumns", 1_000_000, "frames"),
        ("TotalPixelMatrixColumns", 40, "frames"),
        ("TotalPixelMatrixColumns", 0, "is not read"),
        ("TotalPixelMatrixRows", 1 << 31, "is not read"),
        ("NumberOfOpticalPaths", 3, "frames where"),
        ("NumberOfOpticalPaths", 0, "optical paths make"),
        ("TotalPixelMatrixFocalPlanes", 900_000_000, "frames where"),
    ],
)
def test_promises_are_compared_with_the_frames(tmp_path: Path, keyword: str, value: int, reason: str) -> None:
    (path,) = write_slide(tmp_path, [STAINS], paths=("1", "2"))
    data = pydicom.dcmread(path)
    setattr(data, keyword, value)
    data.save_as(path)
    with pytest.raises(ReadError, match=reason):
        open_image(path)
