"""LIF descriptions as layouts and values: tables of what the vendor's software puts there."""

from datetime import UTC, datetime
from io import BytesIO
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from coverslip.readers.lif.layout import Axis, parse_layout, read_strided
from coverslip.readers.lif.metadata import (
    clean_dye,
    parse_channels,
    parse_microscope,
    parse_objective,
    parse_pixel_size,
    parse_stamps,
    parse_time_increment,
)
from tests.readers.generate_lif import CAMERA, CONFOCAL, FILETIME_2024


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (0, 2, 1)])
@pytest.mark.parametrize("gap", [0, 3, 70_000])
def test_strided_reading_is_slicing(order: tuple[int, ...], gap: int) -> None:
    data = np.random.default_rng(1).integers(0, 255, (4, 5, 6 + gap)).astype("u1")
    expected = data[:, :, :6].transpose(order)
    strides = [data.strides[i] for i in order]
    found = read_strided(BytesIO(b"head" + data.tobytes()), 4, expected.shape, strides, data.dtype)
    np.testing.assert_array_equal(found, expected)


def test_strided_reading_says_when_the_file_ends() -> None:
    with pytest.raises(EOFError, match="are needed"):
        read_strided(BytesIO(bytes(10)), 0, (2, 6), (6, 1), np.dtype("u1"))


def description(*, axes: str = "", channels: str = "", attachments: str = "", stamps: str = "") -> ET.Element:
    inner = f"<ImageDescription><Channels>{channels}</Channels><Dimensions>{axes}</Dimensions></ImageDescription>"
    return ET.fromstring(f"<Element><Data><Image>{inner}{stamps}{attachments}</Image></Data></Element>")


AXIS = '<DimensionDescription DimID="{}" NumberOfElements="4" Origin="0" Length="3" Unit="m" BitInc="0" BytesInc="{}"/>'
CHANNEL = '<ChannelDescription DataType="{}" ChannelTag="0" Resolution="{}" LUTName="" BytesInc="{}" BitInc="0"/>'


@pytest.mark.parametrize(
    ("axes", "channels", "words"),
    [
        ("", CHANNEL.format(0, 8, 0), "no axes"),
        (AXIS.format(1, 1), "", "no channels"),
        (AXIS.format(1, 1) + AXIS.format(1, 4), CHANNEL.format(0, 8, 0), "twice"),
        (AXIS.format(1, -1), CHANNEL.format(0, 8, 0), "cannot be"),
        (AXIS.format(1, 1), CHANNEL.format(0, 8, 0) * 2, "same pixels"),
        (AXIS.format(1, 1), CHANNEL.format(0, 8, 0) + CHANNEL.format(0, 16, 9), "different types"),
        (AXIS.format(1, 1), CHANNEL.format(1, 8, 0), "not known"),
        (AXIS.format(1, 1), CHANNEL.format(0, 65, 0), "not known"),
        (AXIS.format(1, 1), CHANNEL.format(0, 8, -5), "cannot be"),
    ],
)
def test_layouts_that_contradict_themselves(axes: str, channels: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_layout(description(axes=axes, channels=channels))


@pytest.mark.parametrize(
    ("kind", "bits", "dtype"), [(0, 8, "u1"), (0, 12, "u2"), (0, 16, "u2"), (1, 32, "f4"), (0, 32, "u4"), (1, 64, "f8")]
)
def test_pixel_types(kind: int, bits: int, dtype: str) -> None:
    layout = parse_layout(description(axes=AXIS.format(1, 8), channels=CHANNEL.format(kind, bits, 0)))
    assert layout.dtype == np.dtype(dtype)


@pytest.mark.parametrize(
    ("extent", "unit", "length", "micrometers"),
    [
        (3e-6, "m", 4, 1),
        (-3e-6, "m", 4, 1),
        (30, "µm", 4, 10),
        (3, "inch", 4, 25_400),
        (3, "furlong", 4, None),
        (0, "m", 4, None),
        (1, "m", 1, None),
    ],
)
def test_pixel_sizes(extent: float, unit: str, length: int, micrometers: float | None) -> None:
    found = parse_pixel_size(Axis("X", length, 1, extent, unit))
    assert (found.micrometers if found else None) == (None if micrometers is None else pytest.approx(micrometers))


@pytest.mark.parametrize(
    ("axis", "stamps", "seconds"),
    [
        (Axis("T", 3, 1, 4.0, "s"), [], 2),
        (Axis("T", 3, 1, 0.0, "s"), [10.0, 10.0, 11.0, 11.0, 12.0, 12.0], 1),
        (Axis("T", 3, 1, 0.0, "s"), [10.0, 11.0], None),
        (Axis("T", 1, 1, 4.0, "s"), [10.0], None),
        (None, [], None),
    ],
)
def test_time_steps(axis: Axis | None, stamps: list[float], seconds: float | None) -> None:
    assert parse_time_increment(axis, stamps) == seconds


@pytest.mark.parametrize(
    "stamps",
    [
        f"<TimeStampList>{FILETIME_2024:x} {FILETIME_2024 + 10_000_000:x}</TimeStampList>",
        "<TimeStampList>"
        + "".join(
            f'<TimeStamp HighInteger="{tick >> 32}" LowInteger="{tick & 0xFFFFFFFF}"/>'
            for tick in (FILETIME_2024, FILETIME_2024 + 10_000_000)
        )
        + "</TimeStampList>",
    ],
)
def test_time_stamps_old_and_new(stamps: str) -> None:
    first, second = parse_stamps(description(stamps=stamps))
    assert datetime.fromtimestamp(first, UTC) == datetime(2024, 1, 1, tzinfo=UTC)
    assert second - first == 1


def test_sequential_scans_give_each_channel_its_own() -> None:
    step = (
        '<ATLConfocalSettingDefinition><Spectro><MultiBand DyeName="{}"/><MultiBand DyeName=""/></Spectro>'
        '<LaserLineSetting LaserLine="{}" IntensityDev="5"/><LaserLineSetting LaserLine="999" IntensityDev="0"/>'
        '<Detector IsActive="1" Gain="{}"/></ATLConfocalSettingDefinition>'
    )
    steps = step.format("Leica/DAPI", 405, 7) + step.format("Cy5", 640, 8)
    hardware = (
        '<Attachment Name="HardwareSetting"><ATLConfocalSettingDefinition><MultiBand DyeName="Wrong"/>'
        "</ATLConfocalSettingDefinition><LDM_Block_Sequential><LDM_Block_Sequential_List>"
        f"{steps}</LDM_Block_Sequential_List></LDM_Block_Sequential></Attachment>"
    )
    channels = CHANNEL.format(0, 8, 100) + CHANNEL.format(0, 8, 0)
    found = parse_channels(description(channels=channels, attachments=hardware))
    assert [(c.index, c.name, c.excitation_wavelength_nm, c.gain) for c in found] == [
        (0, "DAPI", 405, 7),
        (1, "Cy5", 640, 8),
    ]


def test_settings_that_do_not_fit_the_channels_are_not_used() -> None:
    found = parse_channels(description(channels=CHANNEL.format(0, 8, 0), attachments=CONFOCAL + CAMERA))
    assert [(c.name, c.gain, c.emission_wavelength_nm) for c in found] == [("Channel 0", None, None)]


def test_instruments_of_older_software() -> None:
    records = (
        '<Attachment Name="HardwareSettingList"><HardwareSetting><ScannerSetting>'
        '<ScannerSettingRecord Identifier="SystemType" Variant="TCS SP5"/></ScannerSetting><FilterSetting>'
        '<FilterSettingRecord Attribute="Objective" Variant="HCX PL APO  63.0x1.40 OIL"/>'
        '<FilterSettingRecord Attribute="NumericalAperture" Variant="1.4"/></FilterSetting></HardwareSetting>'
        "</Attachment>"
    )
    objective = parse_objective(description(attachments=records))
    microscope = parse_microscope(description(attachments=records))
    assert objective is not None
    assert microscope is not None
    assert (objective.name, objective.numerical_aperture) == ("HCX PL APO 63.0x1.40 OIL", 1.4)
    assert microscope.model == "TCS SP5"
    assert parse_objective(description()) is None
    assert parse_microscope(description()) is None


@pytest.mark.parametrize(("name", "expected"), [("Leica/FITC", "FITC"), (" Cy 5 ", "Cy 5"), ("", None), (None, None)])
def test_dyes(name: str | None, expected: str | None) -> None:
    assert clean_dye(name) == expected
