import gzip
import itertools
import struct
from pathlib import Path
from typing import Any, Literal

import nibabel as nib
import numpy as np
import pytest

from coverslip.errors import ReadError
from coverslip.model import ImageMetadata, Region
from coverslip.readers import open_image, recognise
from tests.readers.generate_nifti import make_nifti, write

PIXELS = np.random.default_rng(1).integers(0, 4000, (2, 1, 3, 5, 6)).astype("u2")


def metadata(path: Path) -> ImageMetadata:
    with open_image(path) as file:
        return file.images[0].metadata


def test_agrees_with_nibabel(tmp_path: Path) -> None:
    for path, (array,) in make_nifti(tmp_path).items():
        theirs = np.asarray(nib.load(path).dataobj)  # type: ignore[attr-defined]
        if theirs.dtype.names:
            theirs = np.stack([theirs[name] for name in "RGB"], axis=-1)[:, :, :, None, None]
        else:
            theirs = theirs.reshape(*theirs.shape, *[1] * (5 - theirs.ndim))
        assert np.array_equal(np.moveaxis(theirs, (3, 4, 2, 1, 0), (0, 1, 2, 3, 4)), array), path


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("ending", ["nii", "nii.gz"])
@pytest.mark.parametrize("second", [False, True])
def test_every_type_order_and_dimension_as_nibabel_reads_it(
    tmp_path: Path, *, second: bool, ending: str, order: Literal["<", ">"]
) -> None:
    kind: Any = nib.Nifti2Image if second else nib.Nifti1Image
    dice = np.random.default_rng(1)
    types = ("u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8", "c8", "c16")
    shapes = ((7, 5), (7, 5, 4), (7, 5, 4, 3), (7, 5, 4, 3, 2), (7, 5, 4, 1, 3))
    for number, (name, shape) in enumerate(itertools.product(types, shapes)):
        image = kind(
            dice.normal(60, 20, shape).astype(name),
            np.eye(4),
            header=kind.header_class(endianness=order),
            dtype=np.dtype(name).newbyteorder(order),
        )
        if number % 2:  # an extension lies between header and pixels
            image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"hello" * 100))
        path = tmp_path / f"{number}.{ending}"
        nib.save(image, path)
        loaded: Any = nib.load(path)
        theirs = np.asarray(loaded.dataobj)
        with open_image(path) as file:
            ours = file.images[0]
            whole = theirs.reshape(theirs.shape + (1,) * (5 - theirs.ndim)).transpose(3, 4, 2, 1, 0)
            assert ours.metadata.shape == whole.shape
            assert ours.metadata.dtype == np.dtype(name).name
            box = Region(**{axis: (length // 2, length) for axis, length in zip("tczyx", whole.shape, strict=True)})
            assert np.array_equal(ours.read(0, box), whole[box.slices]), (name, shape)


def test_scaled_integers_are_stored_values(tmp_path: Path) -> None:
    kind: Any = nib.Nifti1Image
    image = kind(np.random.default_rng(2).normal(0, 1, (6, 5, 4)), np.eye(4))
    image.header.set_data_dtype("i2")
    nib.save(image, tmp_path / "a.nii")
    loaded: Any = nib.load(tmp_path / "a.nii")
    with open_image(tmp_path / "a.nii") as file:
        assert np.array_equal(file.images[0].to_numpy()[0, 0], loaded.dataobj.get_unscaled().transpose(2, 1, 0))
        slope, intercept = loaded.dataobj.slope, loaded.dataobj.inter
        assert f"real ones are {slope:g} x value + {intercept:g}" in (file.images[0].metadata.note or "")


@pytest.mark.parametrize("second", [False, True])
def test_what_the_header_says(tmp_path: Path, second: bool) -> None:
    meta = metadata(write(tmp_path / "a.nii", PIXELS, second=second, spacing=(0.5, 0.25, 3.0), descrip=b"made up"))
    assert meta.get_voxel_size_micrometers() == (500, 250, 3000)
    assert (meta.time_increment_s, meta.source_axes) == (1.5, "TZYX")
    assert meta.format_variant == ("NIfTI-2" if second else "NIfTI-1")
    assert meta.vendor["description"] == "made up"
    assert meta.vendor["sform"][2] == [0, 0, 3, 0]
    assert meta.note is None


def test_scale_and_unit_are_said(tmp_path: Path) -> None:
    path = write(tmp_path / "a.nii", PIXELS)
    raw = bytearray(path.read_bytes())
    struct.pack_into("<2f", raw, 112, 0.5, -3.0)
    raw[123] = 0
    path.write_bytes(raw)
    meta = metadata(path)
    assert meta.note is not None
    assert "0.5 x value + -3" in meta.note
    assert "does not say in which unit" in meta.note
    assert meta.get_voxel_size_micrometers() == (None, None, None)
    with open_image(path) as file:
        assert np.array_equal(file.images[0].to_numpy(), PIXELS)


def test_axes_beyond_the_fourth_become_channels(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).normal(0, 1, (1, 3, 2, 4, 5)).astype("f4")
    meta = metadata(write(tmp_path / "a.nii", pixels))
    assert (meta.size_c, meta.source_axes) == (3, "CTZYX")
    assert "3 channels" in (meta.note or "")


def test_only_the_rows_asked_for_are_read(tmp_path: Path) -> None:
    pixels = np.arange(4 * 200 * 90, dtype="u2").reshape(1, 1, 4, 200, 90)
    path = write(tmp_path / "a.nii", pixels)
    with open_image(path) as file:
        with path.open("r+b") as stream:
            stream.truncate(352 + 2 * (2 * 200 + 50) * 90)  # up to row 50 of the third slice
        region = Region(z=(2, 3), y=(20, 50), x=(1, 80))
        assert np.array_equal(file.images[0].read(0, region)[0, 0, 0], pixels[0, 0, 2, 20:50, 1:80])
        with pytest.raises(ReadError, match="in the middle of its pixels"):
            file.images[0].plane(z=2)


@pytest.mark.parametrize(
    ("place", "kind", "values", "reason"),
    [
        (42, "h", (0,), "describes no image"),
        (40, "h", (9,), "describes no image"),
        (42, "3h", (30000, 30000, 30000), "cannot hold"),
        (70, "h", (1536,), "datatype 1536"),
        (108, "f", (12.0,), "within the header"),
        (108, "f", (1e9,), "cannot hold"),
        (40, "8h", (7, 1, 1, 1, 1, 30000, 30000, 30000), "cannot hold|too many"),
    ],
)
def test_headers_that_make_no_sense(
    tmp_path: Path, place: int, kind: str, values: tuple[float, ...], reason: str
) -> None:
    raw = bytearray(write(tmp_path / "a.nii", PIXELS).read_bytes())
    struct.pack_into(f"<{kind}", raw, place, *values)
    (tmp_path / "bad.nii").write_bytes(raw)
    with pytest.raises(ReadError, match=reason) as caught:
        open_image(tmp_path / "bad.nii")
    assert "bad.nii" in str(caught.value)


def test_too_short(tmp_path: Path) -> None:
    raw = write(tmp_path / "a.nii", PIXELS).read_bytes()
    (tmp_path / "b.nii").write_bytes(raw[:-1])
    with pytest.raises(ReadError, match="cannot hold"):
        open_image(tmp_path / "b.nii")
    (tmp_path / "b.nii.gz").write_bytes(gzip.compress(raw[:-1]))
    with open_image(tmp_path / "b.nii.gz") as file, pytest.raises(ReadError, match="truncated"):
        file.images[0].plane()


def test_what_is_not_nifti(tmp_path: Path) -> None:
    raw = bytearray(write(tmp_path / "a.nii", PIXELS).read_bytes())
    raw[344:348] = b"ni1\0"  # the header of a pair of files
    (tmp_path / "pair.hdr").write_bytes(raw)
    assert recognise(tmp_path / "pair.hdr") is None
    (tmp_path / "no.nii.gz").write_bytes(b"\x1f\x8bnonsense" * 99)
    assert recognise(tmp_path / "no.nii.gz") is None
