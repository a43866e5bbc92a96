import hashlib
import json
import struct
import warnings
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.pixels.processing import convert_color_space
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    RLELossless,
)

from coverslip.errors import BudgetError, CoverslipError, ReadError, UnsupportedFormatError
from coverslip.model import Budgets, ImageMetadata
from coverslip.readers import open_image
from tests.readers.generate_dicom import Array, make_dicom, write

PIXELS = np.random.default_rng(1).integers(0, 4000, (3, 12, 10)).astype("u2")


def metadata(path: Path) -> ImageMetadata:
    with open_image(path) as file:
        return file.images[0].metadata


def pixels(path: Path) -> Array:
    with open_image(path) as file:
        return file.images[0].to_numpy()


def test_agrees_with_pydicom_wherever_pydicom_can_decode(tmp_path: Path) -> None:
    """Pydicom decodes no JPEG by itself; those are compared with what was encoded, by the conformance suite."""
    read = 0
    for path, (array,) in make_dicom(tmp_path).items():
        data = pydicom.dcmread(path)
        syntax = data.file_meta.TransferSyntaxUID
        if syntax.is_compressed and not syntax.is_deflated and syntax != RLELossless:
            continue
        assert np.array_equal(data.pixel_array.reshape(array.shape), array), path
        read += 1
    assert read >= 8


def test_what_the_header_says(tmp_path: Path) -> None:
    meta = metadata(
        write(
            tmp_path / "a.dcm",
            PIXELS,
            PixelSpacing=[0.5, 0.25],
            SpacingBetweenSlices=2.0,
            RescaleSlope=2.0,
            RescaleIntercept=-1024.0,
            AcquisitionDateTime="20210304050607.25+0100",
            DeviceSerialNumber="77",
        )
    )
    assert meta.get_voxel_size_micrometers() == (250, 500, 2000)
    assert meta.note == "stored values; real ones are 2 x value + -1024; frames are slices"
    assert meta.acquired_at is not None
    assert meta.acquired_at.isoformat() == "2021-03-04T05:06:07.250000+01:00"
    assert meta.microscope is not None
    assert (meta.microscope.manufacturer, meta.microscope.serial_number) == ("Made up", "77")
    assert (meta.format_variant, meta.source_axes) == ("OT", "IYX")
    assert meta.vendor["PatientName"] == "Nobody^Anna"
    assert "PixelData" not in meta.vendor


def test_frames_that_are_moments(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dcm", PIXELS, FrameIncrementPointer=0x00181063, FrameTime=40.0)
    meta = metadata(path)
    assert (meta.size_t, meta.size_z, meta.time_increment_s) == (3, 1, 0.04)
    assert meta.note == "frames are time points"


def test_bits_above_the_stored_ones_are_no_pixels(tmp_path: Path) -> None:
    clean = PIXELS & 0xFFF
    path = write(tmp_path / "a.dcm", clean | 0xA000, BitsStored=12, HighBit=11)
    assert np.array_equal(pixels(path)[0, 0], clean)
    signed = np.array([[[0x0FFF, 0x0800], [0x07FF, 0x0001]]], "u2").view("i2")
    path = write(tmp_path / "b.dcm", signed, BitsStored=12, HighBit=11)
    assert pixels(path).ravel().tolist() == [-1, -2048, 2047, 1]


def test_colours_come_as_red_green_and_blue(tmp_path: Path) -> None:
    ybr = np.random.default_rng(4).integers(60, 190, (1, 9, 8, 3)).astype("u1")
    theirs = convert_color_space(ybr[0], "YBR_FULL", "RGB").astype(int)
    for name, syntax in (("plain.dcm", ExplicitVRLittleEndian), ("rle.dcm", RLELossless)):
        ours = pixels(write(tmp_path / name, ybr, syntax, PhotometricInterpretation="YBR_FULL"))[0, 0, 0]
        assert np.abs(ours.astype(int) - theirs).max() <= 1, name


def test_single_bits(tmp_path: Path) -> None:
    bits = np.random.default_rng(4).integers(0, 2, (2, 8, 8)).astype("u1")
    path = write(tmp_path / "a.dcm", bits, BitsAllocated=1, BitsStored=1, HighBit=0)
    data = pydicom.dcmread(path)
    data.PixelData = np.packbits(bits, bitorder="little").tobytes()
    data.save_as(path)
    assert np.array_equal(pixels(path)[0, 0], bits)


def test_a_table_tells_the_pieces_of_frames_apart(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dcm", PIXELS, RLELossless)
    whole = pixels(path)
    data = pydicom.dcmread(path)
    frames = list(pydicom.encaps.generate_frames(data.PixelData, number_of_frames=3))
    data.PixelData = pydicom.encaps.encapsulate(frames, fragments_per_frame=2, has_bot=True)
    data.save_as(path)
    assert np.array_equal(pixels(path), whole)
    data.PixelData = pydicom.encaps.encapsulate(frames, fragments_per_frame=2, has_bot=False)
    data.save_as(path)
    with pytest.raises(ReadError, match="6 compressed pieces for 3 frames"):
        open_image(path)


def test_promises_are_compared_with_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dcm", PIXELS)
    data = pydicom.dcmread(path)
    for keyword, value, reason in (
        ("NumberOfFrames", 4, "cannot hold"),
        ("NumberOfFrames", 2_000_000_000, "lists 2,000,000,000 frames"),
        ("Rows", 65535, "cannot hold"),
        ("Rows", 0, "not read"),
        ("BitsAllocated", 24, "not read"),
        ("BitsStored", 17, "not read"),
        ("SamplesPerPixel", 2, "not read"),
        ("SOPClassUID", "1.2.840.10008.5.1.4.1.1.77.1.6", "3 frames from 0 on"),
    ):
        changed = pydicom.dcmread(path)
        setattr(changed, keyword, value)
        changed.save_as(tmp_path / "b.dcm")
        with pytest.raises(ReadError, match=reason):
            open_image(tmp_path / "b.dcm")
    del data.PixelData
    data.save_as(tmp_path / "c.dcm")
    with pytest.raises(ReadError, match="holds no pixels"):
        open_image(tmp_path / "c.dcm")


def test_a_lossy_frame_that_ends_early_is_refused(tmp_path: Path) -> None:
    import cv2

    found, coded = cv2.imencode(".jpg", np.random.default_rng(1).integers(0, 256, (64, 64)).astype("u1"))
    theirs = cv2.imdecode(coded, cv2.IMREAD_UNCHANGED)
    assert found
    assert theirs is not None
    path = write(tmp_path / "a.dcm", np.zeros((1, 64, 64), "u1"))
    for content, right in ((coded.tobytes(), True), (coded.tobytes()[:-600], False)):
        data = pydicom.dcmread(path)
        data.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
        data.PixelData = pydicom.encaps.encapsulate([content])
        data["PixelData"].is_undefined_length = True
        data.save_as(tmp_path / "b.dcm")
        with open_image(tmp_path / "b.dcm") as file:
            if right:
                assert np.array_equal(file.images[0].plane(), theirs)
            else:
                with pytest.raises(ReadError, match="no end"):
                    file.images[0].plane()


def test_a_jpeg_frame_may_be_filled_up_behind_its_end(tmp_path: Path) -> None:
    coded = bytes(imagecodecs.jpeg_encode(PIXELS[0].astype("u1"), level=90))
    path = write(tmp_path / "a.dcm", np.zeros((1, *PIXELS.shape[1:]), "u1"))
    for padding in (b"", b"\0", b"\xff", b"\xff\xff\0"):
        data = pydicom.dcmread(path)
        data.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
        data.PixelData = pydicom.encaps.encapsulate([coded + padding])
        data["PixelData"].is_undefined_length = True
        data.save_as(tmp_path / "b.dcm")
        assert np.array_equal(pixels(tmp_path / "b.dcm")[0, 0, 0], imagecodecs.jpeg_decode(coded)), padding


def test_colours_of_32_bits(tmp_path: Path) -> None:
    colors = np.random.default_rng(4).integers(0, 1 << 32, (2, 10, 12, 3)).astype("u4")
    path = write(tmp_path / "a.dcm", colors)
    assert np.array_equal(pixels(path)[0, 0], colors)
    data = pydicom.dcmread(path)
    data.file_meta.TransferSyntaxUID = RLELossless
    data.PixelData = pydicom.encaps.encapsulate([_run_lengths(frame) for frame in colors])
    data["PixelData"].is_undefined_length = True
    data.save_as(path)
    assert np.array_equal(pydicom.dcmread(path).pixel_array, colors)
    assert np.array_equal(pixels(path)[0, 0], colors)


def _run_lengths(frame: Array) -> bytes:
    """Return the bytes of each sample, most significant first, as PackBits segments of even length."""
    planes = np.moveaxis(frame, -1, 0).astype(">u4")[..., None].view("u1")
    packed = [bytes(imagecodecs.packbits_encode(plane[..., at].tobytes())) for plane in planes for at in range(4)]
    segments = [segment + b"\0" * (len(segment) % 2) for segment in packed]
    starts = np.cumsum([64, *map(len, segments)])[:-1]
    return struct.pack("<16I", len(segments), *starts, *[0] * (15 - len(segments))) + b"".join(segments)


def test_bytes_in_big_endian_words(tmp_path: Path) -> None:
    """Two frames of 27 bytes: the second begins in the middle of a word."""
    colors = np.random.default_rng(4).integers(0, 256, (2, 3, 3, 3)).astype("u1")
    path = write(tmp_path / "a.dcm", colors, ExplicitVRBigEndian)
    data = pydicom.dcmread(path)
    data["PixelData"].VR = "OW"
    data["PixelData"]._value = np.frombuffer(colors.tobytes(), "<u2").astype(">u2").tobytes()
    data.save_as(path)
    assert np.array_equal(data.pixel_array, colors)
    assert np.array_equal(pixels(path)[0, 0], colors)


def test_colours_at_half_the_resolution(tmp_path: Path) -> None:
    """Y, Y, Cb, Cr for two neighbours (PS3.3, C.7.6.3.1.2)."""
    dice = np.random.default_rng(4)
    path = write(tmp_path / "a.dcm", np.zeros((2, 10, 12, 3), "u1"), PhotometricInterpretation="YBR_FULL_422")
    data = pydicom.dcmread(path)
    data.PixelData = dice.integers(0, 256, 2 * 10 * 12 * 2).astype("u1").tobytes()
    data.save_as(path)
    ours, theirs = pixels(path)[0, 0].astype(int), data.pixel_array.astype(int)
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= 1
    data.Columns, data.PixelData = 11, bytes(2 * 10 * 12 * 2)
    data.save_as(path)
    with pytest.raises(ReadError, match="YBR_FULL_422 pixels that are not compressed are not read"):
        open_image(path)


def test_implicit_elements_behind_an_explicit_transfer_syntax(tmp_path: Path) -> None:
    """Some archives unpack the dataset and keep the name of the syntax that it had."""
    path = write(tmp_path / "a.dcm", PIXELS, ImplicitVRLittleEndian)
    content = path.read_bytes()
    old, new = b"1.2.840.10008.1.2\0", b"1.2.840.10008.1.2.1\0"
    at = content.index(old)
    group = 128 + 4 + 8  # the length of the meta information, then the length of this element
    (length,) = struct.unpack_from("<I", content, group)
    changed = bytearray(content[: at - 2] + struct.pack("<H", len(new)) + new + content[at + len(old) :])
    struct.pack_into("<I", changed, group, length + len(new) - len(old))
    (tmp_path / "b.dcm").write_bytes(changed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert np.array_equal(pixels(tmp_path / "b.dcm"), pixels(path))


def test_what_is_unpacked_is_bounded(tmp_path: Path) -> None:
    uid = b"1.2.840.10008.1.2.1.99"
    meta = b"\x02\x00\x10\x00UI" + struct.pack("<H", len(uid)) + uid
    start = bytes(128) + b"DICM" + b"\x02\x00\x00\x00UL\x04\x00" + struct.pack("<I", len(meta)) + meta
    pack = zlib.compressobj(9, zlib.DEFLATED, -15)
    (tmp_path / "bomb.dcm").write_bytes(start + pack.compress(bytes(1 << 22)) + pack.flush())
    with pytest.raises(BudgetError, match="the deflated part unpacks to 1,048,577 bytes; 1,048,576 may be"):
        open_image(tmp_path / "bomb.dcm", Budgets(plane_bytes=1 << 20))
    (tmp_path / "cut.dcm").write_bytes(start + zlib.compress(bytes(9000))[2:20])
    with pytest.raises(ReadError, match="ends early"):
        open_image(tmp_path / "cut.dcm")


@pytest.mark.samples
def test_real_files_are_as_pydicom_reads_them(samples: Path) -> None:
    facts = json.loads((samples / "facts.json").read_text())["files"]
    right = 0
    for path in sorted((samples / "dicom").rglob("*.dcm")):
        known = facts[path.relative_to(samples).as_posix()]["pydicom"]
        if "error" in known["first_frame"]:
            with pytest.raises(UnsupportedFormatError):
                open_image(path)
            continue
        with open_image(path) as file:
            meta = file.images[0].metadata
            plane = file.images[0].plane(z=file.files.index(path))
        assert file.reader == "dicom"
        assert meta.size_z == (known["frames"] or 1) + len(file.files) - 1, path
        assert hashlib.sha256(plane.tobytes()).hexdigest() == known["first_frame"]["sha256_c_order_le"], path
        spacing = [None if size is None else size.value for size in (meta.pixel_size_y, meta.pixel_size_x)]
        assert spacing == (known["pixel_spacing"] or [None, None]), path
        right += 1
    assert right == 16


@pytest.mark.samples
def test_bad_files_say_why(samples: Path) -> None:
    reasons = {
        "meta_missing_tsyntax.dcm": "transfer syntax",
        "no_meta_group_length.dcm": "no pixels",
        "rtplan_truncated.dcm": "no pixels",
    }
    for name, reason in reasons.items():
        with pytest.raises(CoverslipError, match=reason):
            open_image(samples / "bad" / "dicom" / name)
    facts = json.loads((samples / "facts.json").read_text())["files"]["bad/dicom/bad_sequence.dcm"]["pydicom"]
    with open_image(samples / "bad" / "dicom" / "bad_sequence.dcm") as file:
        digest = hashlib.sha256(file.images[0].plane().tobytes()).hexdigest()
    assert digest == facts["first_frame"]["sha256_c_order_le"]
