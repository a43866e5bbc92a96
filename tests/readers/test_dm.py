"""DM3 and DM4 written by nionswift-io, and the files of DigitalMicrograph that it is itself tested with."""

import random
import struct
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from nion.io.DM_IO.dm3_image_utils import load_image
from nion.io.DM_IO.parse_dm3 import DataChunkWriter, dm_write_header

from coverslip.errors import ReadError, UnsupportedFormatError
from coverslip.model import ImageMetadata, Region
from coverslip.readers import open_image
from tests.readers.generate_dm import Array, make_dm, write

DICE = np.random.default_rng(2)
PIXELS = DICE.integers(0, 4000, (13, 17)).astype("u2")


def metadata(path: Path) -> ImageMetadata:
    with open_image(path) as file:
        return file.images[0].metadata


def test_regions_are_as_the_writers_own_reader_sees_them(tmp_path: Path) -> None:
    dice, compared = random.Random(4), 0
    for path in make_dm(tmp_path):
        with path.open("rb") as stream:
            theirs = np.asarray(load_image(stream).data)
        with open_image(path) as file:
            image = file.images[0]
            if image.metadata.samples > 1:
                theirs = theirs[..., ::-1]
            if image.metadata.size_c > 1:
                theirs = np.moveaxis(theirs, 2, 0)[None, :, None]
            canonical = theirs.reshape(image.metadata.shape)
            for _ in range(8):
                spans = {}
                for axis, length in zip("tczyx", image.metadata.shape, strict=False):
                    start = dice.randrange(length)
                    spans[axis] = (start, dice.randint(start + 1, length))
                region = Region(**spans)
                assert np.array_equal(image.read(0, region), canonical[region.slices]), (path, region)
                compared += 1
    assert compared > 150


def test_real_files(tmp_path: Path) -> None:
    """Files of DigitalMicrograph itself come with the writer's own tests."""
    found = find_spec("nionswift_plugin.DM_IO.test")
    assert found is not None
    assert found.submodule_search_locations is not None
    folder = Path(next(iter(found.submodule_search_locations))) / "resources"
    files = sorted(folder.glob("*.dm[34]"))
    assert len(files) >= 14
    for path in files:
        with path.open("rb") as stream:
            theirs = load_image(stream)
        with open_image(path) as file:
            image = file.images[0]
            assert np.array_equal(np.sort(image.to_numpy(), axis=None), np.sort(theirs.data, axis=None)), path
            if theirs.data_descriptor.datum_dimension_count == 2:
                assert np.array_equal(image.to_numpy().reshape(theirs.data.shape), theirs.data), path
            assert "real ones are 5 x value + 4 six" in (image.metadata.note or "")
            assert image.metadata.acquired_at is not None


@pytest.mark.parametrize("ending", ["dm3", "dm4"])
def test_what_the_tags_say(tmp_path: Path, ending: str) -> None:
    tags = {
        "Microscope Info": {
            "Name": "A Titan",
            "Voltage": 300000.0,
            "Indicated Magnification": 47000.0,
            "Illumination Mode": "STEM",
        },
        "Acquisition": {"Parameters": {"High Level": {"Exposure (s)": 0.25}}},
    }
    meta = metadata(
        write(
            tmp_path / f"a.{ending}",
            PIXELS,
            calibrations=((0.5, 3.0, "nm"), (0.25, -1.0, "nm")),
            intensity=(2.0, -10.0, "e-"),
            metadata=tags,
        )
    )
    assert meta.get_voxel_size_micrometers() == pytest.approx((0.00025, 0.0005, None))
    assert meta.note == "stored values; real ones are 2 x value + -10 e-"
    assert meta.objective is not None
    assert meta.objective.magnification == 47000
    assert meta.microscope is not None
    assert (meta.microscope.model, meta.microscope.type) == ("A Titan", "STEM, 300 kV")
    assert meta.channels[0].exposure_time_s == 0.25
    assert (meta.file_format, meta.format_variant, meta.source_axes) == ("DM", ending.upper(), "YX")
    assert meta.vendor["ImageTags"]["Microscope Info"]["Voltage"] == 300000.0


def test_diffraction_has_no_pixel_size(tmp_path: Path) -> None:
    meta = metadata(write(tmp_path / "a.dm4", PIXELS, calibrations=((0.02, 0.0, "1/nm"), (0.02, 0.0, "1/nm"))))
    assert meta.pixel_size_x is meta.pixel_size_y is None
    assert meta.note == "X is reciprocal space, 0.02 1/nm per pixel; Y is reciprocal space, 0.02 1/nm per pixel"


def test_third_axes(tmp_path: Path) -> None:
    stack = DICE.integers(0, 4000, (4, 13, 17)).astype("u2")
    size = ((0.5, 0.0, "nm"), (0.5, 0.0, "nm"))
    meta = metadata(write(tmp_path / "z.dm3", stack, collection=1, calibrations=((2.0, 0.0, "nm"), *size)))
    assert (meta.shape, meta.pixel_size_z and meta.pixel_size_z.value) == ((1, 1, 4, 13, 17), 2.0)
    meta = metadata(write(tmp_path / "t.dm3", stack, collection=1, calibrations=((50.0, 0.0, "ms"), *size)))
    assert (meta.shape, meta.time_increment_s) == ((4, 1, 1, 13, 17), 0.05)
    meta = metadata(write(tmp_path / "s.dm3", stack, sequence=True))
    assert meta.shape == (4, 1, 1, 13, 17)
    spectra = DICE.normal(size=(5, 6, 8)).astype("f4")
    path = write(tmp_path / "e.dm3", spectra, collection=2, calibrations=(*size, (0.5, 100.0, "eV")))
    meta = metadata(path)
    assert meta.shape == (1, 8, 1, 5, 6)
    assert [channel.name for channel in meta.channels[:3]] == ["100 eV", "100.5 eV", "101 eV"]
    assert meta.note == "channels are the spectra of a spectrum image"
    line = metadata(write(tmp_path / "l.dm3", spectra[0, 0], calibrations=((0.5, 100.0, "eV"),)))
    assert (line.shape, line.pixel_size_x, line.note) == ((1, 1, 1, 1, 8), None, "X is spectral, 0.5 eV per pixel")


def tree(*images: Array, thumbnail: int | None = None) -> dict[str, object]:
    listed = [
        {
            "Name": f"image {n}",
            "ImageData": {"Data": DataChunkWriter(i), "DataType": 10, "Dimensions": list(i.shape[::-1])},
        }
        for n, i in enumerate(images)
    ]
    return {"ImageList": listed, **({} if thumbnail is None else {"Thumbnails": [{"ImageIndex": thumbnail}]})}


def save(path: Path, content: dict[str, object], version: int = 4) -> Path:
    with path.open("wb") as stream:
        dm_write_header(stream, version, content)
    return path


def test_thumbnails_are_left_out_and_other_images_are_not(tmp_path: Path) -> None:
    small = PIXELS[:4, :4].copy()
    path = save(tmp_path / "a.dm4", tree(small, PIXELS, PIXELS[:, :5].copy(), thumbnail=0))
    with open_image(path) as file:
        assert [image.metadata.name for image in file.images] == ["image 1", "image 2"]
        assert np.array_equal(file.images[0].plane(), PIXELS)
        assert np.array_equal(file.images[1].plane(), PIXELS[:, :5])
    with open_image(save(tmp_path / "b.dm4", tree(small, thumbnail=0))) as file:  # nothing else is there
        assert np.array_equal(file.images[0].plane(), small)


def test_big_endian_values(tmp_path: Path) -> None:
    """Old files of the Macintosh; no writer makes them any more, so the bytes are put together here."""

    def group(*tags: bytes) -> bytes:
        return b"\1\0" + struct.pack(">I", len(tags)) + b"".join(tags)

    def tag(kind: int, name: str, content: bytes) -> bytes:
        return struct.pack(">BH", kind, len(name)) + name.encode() + content

    def value(*info: int, raw: bytes) -> bytes:
        return b"%%%%" + struct.pack(f">{len(info) + 1}I", len(info), *info) + raw

    def number(n: int) -> bytes:
        return value(5, raw=struct.pack(">I", n))

    data = group(
        tag(21, "Data", value(20, 4, PIXELS.size, raw=PIXELS.astype(">u2").tobytes())),
        tag(21, "DataType", number(10)),
        tag(20, "Dimensions", group(tag(21, "", number(17)), tag(21, "", number(13)))),
    )
    name = tag(21, "Name", value(20, 4, 4, raw="old µ"[:4].encode("utf-16-be")))
    root = group(tag(20, "ImageList", group(tag(20, "", group(tag(20, "ImageData", data), name)))))
    path = tmp_path / "old.dm3"
    path.write_bytes(struct.pack(">III", 3, len(root) + 4, 0) + root + bytes(8))
    with open_image(path) as file:
        assert file.images[0].metadata.name == "old"
        assert np.array_equal(file.images[0].plane(), PIXELS)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"DataType": 5}, "pixels of the type 5 are not read"),
        ({"DataType": 2}, "bytes are stored for it"),
        ({"Dimensions": [17, 14]}, "bytes are stored for it"),
        ({"Dimensions": [1 << 30, 1 << 30]}, "bytes are stored for it"),
        ({"Dimensions": [0, 13]}, "is not read"),
        ({"Dimensions": [1, 1, 1, 1, 13, 17]}, "is not read"),
        ({"Dimensions": []}, "no pixels or no sizes"),
    ],
)
def test_contradictions_are_refused(tmp_path: Path, changed: dict[str, object], reason: str) -> None:
    content = tree(PIXELS)
    listed = content["ImageList"]
    assert isinstance(listed, list)
    listed[0]["ImageData"].update(changed)
    with pytest.raises(ReadError, match=reason):
        open_image(save(tmp_path / "a.dm4", content))


@pytest.mark.parametrize("version", [3, 4])
def test_hostile_counts(tmp_path: Path, version: int) -> None:
    path = save(tmp_path / "a.dm", tree(PIXELS), version)
    raw = path.read_bytes()
    wide = version == 4
    place = raw.index(PIXELS.tobytes()) - (8 if wide else 4)
    count = struct.pack(">Q" if wide else ">I", PIXELS.size)
    assert raw[place:].startswith(count)
    path.write_bytes(raw[:place] + struct.pack(">Q" if wide else ">I", 0x7FFFFFFF) + raw[place + len(count) :])
    with pytest.raises(ReadError, match="ends behind the file"):
        open_image(path)
    path.write_bytes(raw[:200])
    with pytest.raises(ReadError, match="truncated"):
        open_image(path)
    start = raw[:18] if wide else raw[:14]
    group = b"\x14\x00\x00" + (bytes(8) if wide else b"") + b"\0\0" + struct.pack(">Q" if wide else ">I", 1)
    path.write_bytes(start + struct.pack(">Q" if wide else ">I", 1) + group * 200)
    with pytest.raises(ReadError, match="deep"):
        open_image(path)
    path.write_bytes(start + struct.pack(">Q" if wide else ">I", 400_000) + b"\x14\x00\x00" + bytes(60))
    with pytest.raises(ReadError):
        open_image(path)
    path.write_bytes(start + struct.pack(">Q" if wide else ">I", 0xFFFFFFFF) + b"\x14\x00\x00" + bytes(60))
    with pytest.raises(UnsupportedFormatError):
        open_image(path)
