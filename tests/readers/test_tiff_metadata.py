"""What TIFF dialects state, as tables: foreign text and dicts in, facts out."""

import json
import math
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import coverslip
from coverslip.errors import BudgetError
from coverslip.model import ObjectiveInfo, PhysicalSize
from coverslip.readers.tiff import electron, ome_xml
from coverslip.readers.tiff import metadata as tiff_metadata
from coverslip.readers.tiff.facts import Facts, objective_named
from coverslip.readers.tiff.layout import Layout, assign
from coverslip.readers.units import length, seconds
from coverslip.readers.vendor_metadata import MAX_DOCUMENT, moment, number, vendor_document
from tests.readers.generate_tiff import ome_image
from tests.readers.generate_tiff import ome_xml as write_xml

INSTRUMENT = """
<Instrument ID="Instrument:0">
  <Microscope Manufacturer="Zeiss" Model="LSM 880" SerialNumber="42" Type="Inverted"/>
  <Objective ID="Objective:0" Model="Plan-Apo" NominalMagnification="63" LensNA="1.4" Immersion="Oil"
             WorkingDistance="0.19" WorkingDistanceUnit="mm" Correction="PlanApo"/>
  <Objective ID="Objective:1" Model="EC Plan" NominalMagnification="10" LensNA="0.3"/>
</Instrument>
"""
CHANNELS = """
<Channel ID="Channel:0" Name="DAPI" Color="65535" ExcitationWavelength="405" EmissionWavelength="0.461"
         EmissionWavelengthUnit="µm" Fluor="DAPI dye" ContrastMethod="Fluorescence">
  <DetectorSettings Gain="2.5"/>
</Channel>
<Channel ID="Channel:1" Fluor="Alexa 488" Color="16711935"/>
<Plane TheC="0" TheZ="0" TheT="0" ExposureTime="120" ExposureTimeUnit="ms" DeltaT="10"/>
<Plane TheC="1" TheZ="0" TheT="0" ExposureTime="0.5" DeltaT="11"/>
<Plane TheC="0" TheZ="0" TheT="2" DeltaT="70"/>
"""


def facts(image: str, extra: str = "") -> Facts:
    document = ome_xml.parse(write_xml([image], extra))
    assert document is not None
    return ome_xml.describe(document, ome_xml.images(document)[0])


def test_ome_says_all_there_is() -> None:
    image = ome_image({"X": 4, "Y": 3, "C": 2, "T": 3}, CHANNELS, name="cells").replace(
        "<Pixels",
        "<AcquisitionDate>2024-02-29T12:30:00Z</AcquisitionDate><InstrumentRef ID='Instrument:0'/>"
        "<ObjectiveSettings ID='Objective:0'/><Pixels",
    )
    found = facts(image, INSTRUMENT)
    assert found.name == "cells"
    assert found.objective == ObjectiveInfo(
        name="Plan-Apo",
        magnification=63,
        numerical_aperture=1.4,
        immersion="Oil",
        working_distance_um=190,
        correction="PlanApo",
    )
    assert found.microscope is not None
    assert (found.microscope.model, found.microscope.serial_number) == ("LSM 880", "42")
    assert found.acquired_at is not None
    assert found.acquired_at.utcoffset() == timedelta(0)
    assert found.time_increment_s == 30
    first, second = found.channel_infos(2)
    assert first.model_dump() == {
        "index": 0,
        "name": "DAPI",
        "color": "#0000ff",
        "excitation_wavelength_nm": 405,
        "emission_wavelength_nm": 461,
        "exposure_time_s": 0.12,
        "gain": 2.5,
        "dye": "DAPI dye",
        "contrast_method": "Fluorescence",
    }
    assert (second.name, second.dye, second.color, second.exposure_time_s) == ("Channel 1", "Alexa 488", "#00ff00", 0.5)


def test_ome_picks_no_objective_where_several_are_possible() -> None:
    assert facts(ome_image({"X": 4, "Y": 3}, ""), INSTRUMENT).objective is None


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        ("0.5", None, ("um", 0.5)),
        ("0.5", "µm", ("um", 0.5)),
        ("0.5", "\u03bcm", ("um", 0.5)),
        ("2", "nm", ("nm", 2.0)),
        ("2", "mm", ("mm", 2.0)),
        ("2", "Å", ("angstrom", 2.0)),
        ("2", "\u212b", ("angstrom", 2.0)),
        ("2", "pm", ("pm", 2.0)),
        ("2", "m", ("m", 2.0)),
        ("2", "in", ("in", 2.0)),
        ("2", "reference frame", None),
        ("2", "pixel", None),
        ("2", "Mm", None),
        ("0", "µm", None),
        ("-1", "µm", None),
        ("INF", "µm", None),
        ("0,5", "µm", None),
    ],
)
def test_ome_lengths(value: str, unit: str | None, expected: tuple[str, float] | None) -> None:
    attributes = f'PhysicalSizeX="{value}"' + (f' PhysicalSizeXUnit="{unit}"' if unit else "")
    size = facts(ome_image({"X": 4, "Y": 3}, "", attributes=attributes)).pixel_size_x
    assert (None if size is None else (size.unit, size.value)) == expected


@pytest.mark.parametrize(
    ("unit", "expected"),
    [("", 2), ("s", 2), ("ms", 0.002), ("µs", 2e-6), ("min", 120), ("h", 7200), ("lightyear", None)],
)
def test_ome_time_increment(unit: str, expected: float | None) -> None:
    attributes = 'TimeIncrement="2"' + (f' TimeIncrementUnit="{unit}"' if unit else "")
    assert facts(ome_image({"X": 4, "Y": 3}, "", attributes=attributes)).time_increment_s == expected


@pytest.mark.parametrize(
    ("color", "expected"),
    [
        ("-1", "#ffffff"),
        ("-16776961", "#ff0000"),
        ("4278190335", "#ff0000"),
        ("16711935", "#00ff00"),
        ("65535", "#0000ff"),
        ("-2147483648", None),
        ("255", None),
        ("99999999999", None),
        ("green", None),
    ],
)
def test_ome_colors_are_signed_rgba(color: str, expected: str | None) -> None:
    found = facts(ome_image({"X": 4, "Y": 3}, f'<Channel ID="c" Color="{color}"/>'))
    assert found.channel_infos(1)[0].color == expected


def test_ome_default_white_of_all_channels_is_no_statement() -> None:
    found = facts(ome_image({"X": 4, "Y": 3, "C": 2}, '<Channel Color="-1"/><Channel Color="-1"/>'))
    assert [channel.color for channel in found.channel_infos(2)] == [None, None]


def test_ome_of_2008_has_logical_channels() -> None:
    image = '<Image><LogicalChannel Name="c" ExWave="488" EmWave="520"/><Pixels SizeX="1"/></Image>'
    channel = facts(image).channel_infos(1)[0]
    assert (channel.name, channel.excitation_wavelength_nm, channel.emission_wavelength_nm) == ("c", 488, 520)


def test_ome_document_holds_one_image_and_no_pixels() -> None:
    images = [ome_image({"X": 4, "Y": 3}, "<BinData>AAAA</BinData>", name=name) for name in ("a", "b")]
    parsed = ome_xml.parse(write_xml(images))
    assert parsed is not None
    vendor = ome_xml.vendor(parsed, ome_xml.images(parsed)[1])
    assert vendor["OME"]["Image"]["Name"] == "b"
    assert "AAAA" not in json.dumps(vendor)


def test_deep_xml_is_refused() -> None:
    with pytest.raises(BudgetError, match=r"lie 101 deep in each other; 100 may be\. .*COVERSLIP_BUDGET_XML_DEPTH"):
        ome_xml.parse("<OME>" + "<a>" * 5000 + "</a>" * 5000 + "</OME>")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2024-02-29T12:30:00", "2024-02-29T12:30:00"),
        ("2024-02-29T12:30:00+02:00", "2024-02-29T12:30:00+02:00"),
        ("2024:02:29 12:30:00", "2024-02-29T12:30:00"),
        ("06/13/2016 05:06:40 PM", "2016-06-13T17:06:40"),
        ("25 Sep 2018 8:20:42", "2018-09-25T08:20:42"),
        ("0000:00:00 00:00:00", None),
        ("yesterday", None),
        (None, None),
        (7, None),
    ],
)
def test_moments(written: object, expected: str | None) -> None:
    found = moment(written)
    assert (None if found is None else found.isoformat()) == expected


@pytest.mark.parametrize(("value", "expected"), [("7", 7), (" 7.5 ", 7.5), (True, None), ([], None)])
def test_numbers(value: object, expected: float | None) -> None:
    assert number(value) == expected


def test_units_of_imagej_are_escaped() -> None:
    assert length(2, "\\u00B5m") == PhysicalSize(value=2, unit="um")
    assert seconds(2, "msec") == 0.002


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("EC Plan-Neofluar 40x/1.30 Oil DIC M27", (40, 1.3, "Oil")),
        ("20x Plan Fluor ELWD", (20, None, None)),
        ("Plan 100X / 1,4 oil", (100, 1.4, "oil")),
        ("unknown", (None, None, None)),
    ],
)
def test_objective_names(name: str, expected: tuple[float | None, float | None, str | None]) -> None:
    found = objective_named(name)
    assert found is not None
    assert (found.magnification, found.numerical_aperture, found.immersion) == expected


def test_a_vendor_document_is_bounded_json() -> None:
    raw: dict[Any, Any] = {
        1: math.nan,
        "bytes": b"1234",
        "long": list(range(5000)),
        "pixels": np.zeros((100, 100)),
        "few": np.arange(3),
        "when": np.array(["2024-02-29T12:00"], "datetime64[ns]"),
        "complex": 1 + 2j,
        "enum": Enum("Kind", ["GOOD"]).GOOD,  # type: ignore[attr-defined]
        "date": datetime(2024, 2, 29),
    }
    raw["self"] = raw
    found = vendor_document(raw)
    text = json.dumps(found, allow_nan=False)
    assert len(text) <= MAX_DOCUMENT
    assert found["1"] is None
    assert found["bytes"] == "<4 bytes>"
    assert found["long"][-1] == "(left out: 4000 more)"
    assert found["pixels"] == "<array (100, 100) float64>"
    assert (found["few"], found["enum"], found["date"]) == ([0, 1, 2], "GOOD", "2024-02-29T00:00:00")
    assert found["when"] == ["2024-02-29T12:00:00"]


def test_lsm_detectors_describe_channels() -> None:
    raw = {
        "VoxelSizeX": 2e-7,
        "VoxelSizeZ": 1e-19,
        "TimeStamps": np.array([5.0, 7.0, 9.0]),
        "ChannelColors": {"Colors": [[255, 0, 0, 0], [0, 0, 0, 0]], "ColorNames": ["Ch1", "Ch2"]},
        "ScanInformation": {
            "Objective": "Plan 40x/1.3 Oil",
            "Sample0time": 41732.5,
            "Tracks": [
                {
                    "IlluminationChannels": [{"Aquire": 1, "Wavelength": 561.0}, {"Aquire": 0, "Wavelength": 488.0}],
                    "DetectionChannels": [
                        {"Acquire": 1, "ChannelName": "Ch1", "DyeName": "mCherry", "SpiWavelengthStart": 570.0,
                         "SpiWavelengthStop": 630.0, "DetectorGainFirst": 700.0},
                        {"Acquire": 0, "ChannelName": "Ch2", "DyeName": "none"},
                    ],
                }
            ],
        },
    }  # fmt: skip
    found = tiff_metadata.lsm(raw, is_thumbnail=False)
    first, second = found.channel_infos(2)
    assert (first.name, first.color, first.dye, first.gain) == ("Ch1", "#ff0000", "mCherry", 700)
    assert (first.excitation_wavelength_nm, first.emission_wavelength_nm) == (561, 600)
    assert (second.name, second.color, second.dye) == ("Ch2", None, None)
    assert found.pixel_size_z is None
    assert found.time_increment_s == 2
    assert str(found.acquired_at) == "2014-04-03 12:00:00"


def test_stk_time_series_states_its_interval() -> None:
    times = np.array(["2024-02-29T12:00:00", "2024-02-29T12:00:03"], "datetime64[ns]")
    found = tiff_metadata.stk({"NumberPlanes": 2, "DatetimeCreated": times, "ZDistance": np.zeros(2), "Name": "GFP"})
    assert (found.time_increment_s, found.pixel_size_z, found.name) == (3, None, "GFP")


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ([np.linspace(0, 65535, 256), np.zeros(256), np.zeros(256)], "#ff0000"),
        ([np.linspace(0, 65535, 256)] * 3, None),
        ([np.full(256, 65535), np.zeros(256), np.zeros(256)], None),
        ([np.r_[np.zeros(255), 65535], np.zeros(256), np.zeros(256)], None),
        (None, None),
    ],
)
def test_color_of_a_ramp(table: Any, expected: str | None) -> None:
    assert tiff_metadata.ramp_color(table) == expected


@pytest.mark.parametrize("described", [[], ["no json"], ["[1]"], ['{"channel.target": "a"}', "{}"]])
def test_other_json_is_no_mibitiff(described: list[str]) -> None:
    assert tiff_metadata.mibi(described, 10) is None


def test_sis_and_gatan() -> None:
    found = electron.sis({"pixelsizex": 5e-9, "pixelsizey": 5e-9, "magnification": 20000.0})
    assert (found.pixel_size_x, found.objective) == (
        PhysicalSize(value=0.005, unit="um"),
        ObjectiveInfo(magnification=20000),
    )
    assert electron.gatan({65003: "", 65009: 1.0}) is None


# Axes


@pytest.mark.parametrize(
    ("axes", "lengths", "roles", "shape"),
    [
        ("YX", (3, 4), "YX", (1, 1, 1, 3, 4)),
        ("IYX", (5, 3, 4), "ZYX", (1, 1, 5, 3, 4)),
        ("IZYX", (5, 2, 3, 4), "TZYX", (5, 1, 2, 3, 4)),
        ("ITZYX", (5, 6, 2, 3, 4), "CTZYX", (6, 5, 2, 3, 4)),
        ("IZYX", (5, 1, 3, 4), "ZZYX", (1, 1, 5, 3, 4)),
        ("QRYX", (5, 2, 3, 4), "ZTYX", (2, 1, 5, 3, 4)),
        ("PCYX", (5, 2, 3, 4), "CCYX", (1, 10, 1, 3, 4)),
        ("TSYX", (5, 3, 3, 4), "TSYX", (5, 1, 1, 3, 4, 3)),
        ("TZX", (5, 6, 4), "TZX", (5, 1, 6, 1, 4)),
    ],
)
def test_roles(axes: str, lengths: tuple[int, ...], roles: str, shape: tuple[int, ...]) -> None:
    found, note = assign(axes, lengths)
    assert found == roles
    assert Layout.of(axes, found, lengths).shape == shape
    assert (note is None) == (axes == roles)


def test_an_exotic_axis_is_the_inner_one() -> None:
    layout = Layout.of("PCYX", "CCYX", (5, 2, 3, 4))
    array = np.arange(5 * 2 * 3 * 4).reshape(5, 2, 3, 4)
    canonical = layout.to_canonical(array)
    for channel in range(2):
        for phase in range(5):
            index = channel * 5 + phase
            assert np.array_equal(canonical[0, index, 0], array[phase, channel])
            assert layout.plane_number(0, index, 0) == phase * 2 + channel


# Real files


@pytest.mark.samples
@pytest.mark.parametrize(
    ("name", "sizes", "channels"),
    [
        ("ome-tiff/CZT_peaks.ome.tif", (0.065, 0.065, 1.0), ["Channel 0"]),
        ("ome-tiff/TC_BF_cells.ome.tif", (0.065, 0.065, 1.0), ["GFP"]),
        ("ome-tiff/FOV7_HV110_P0500510000.ome.tiff", (None, None, None), ["Channel 0"]),
        ("ome-tiff/companion/multifile-Z1.ome.tiff", (None, None, None), ["Channel 0"]),
        ("imagej/image_3D_calibrated.tif", (0.13, 0.13, 0.52), ["Channel 0"]),
        ("imagej/about2.tif", (None, None, None), ["Channel 0", "Channel 1", "Channel 2"]),
        ("lsm/test.lsm", (0.691888, 0.691888, None), ["ChS1"]),
        ("tiff/stk/test.stk", (3.62606, 3.62606, 10.0), ["Laser4054BD4BP"]),
        ("tiff/stk/MetamorphImage.tif", (0.645, 0.645, None), ["Cy5"]),
        ("tiff/em/FEI-Helios-Ebeam-16bits.tif", (3.3724, 3.3724, None), ["Channel 0"]),
        ("tiff/em/test_tiff_Zeiss_SEM_512pix.tif", (0.005824988, 0.005824988, None), ["Channel 0"]),
        ("tiff/em/TVIPS_bin4.tif", (0.001420804, 0.001420804, None), ["Channel 0"]),
        ("tiff/em/olympus_SIS.tif", (None, None, None), ["Channel 0"]),
    ],
)
def test_real_files(name: str, sizes: tuple[float | None, ...], channels: list[str], samples: Path) -> None:
    with coverslip.open_image(samples / name) as file:
        meta = file.images[0].metadata
    for found, expected in zip(meta.get_voxel_size_micrometers(), sizes, strict=True):
        assert found == (None if expected is None else pytest.approx(expected, rel=1e-5))
    assert [channel.name for channel in meta.channels] == channels


@pytest.mark.samples
def test_real_instruments(samples: Path) -> None:
    with coverslip.open_image(samples / "ome-tiff" / "pyramid" / "largeimg.ome.tiff") as file:
        meta = file.images[0].metadata
    assert (meta.objective and meta.objective.magnification) == 100
    assert (meta.microscope and meta.microscope.model) == "Eclipse TE300"
    folder = samples / "tiff" / "imagexpress"
    path = next(folder.rglob("*ZStep_1/*w1E78*.tif"))
    with coverslip.open_image(path, alone=True) as file:
        meta = file.images[0].metadata
    assert (meta.format_variant, meta.channels[0].name, meta.channels[0].exposure_time_s) == (
        "MetaSeries",
        "FITC_05",
        0.015,
    )
    assert (meta.objective and meta.objective.numerical_aperture) == 0.75


@pytest.mark.samples
def test_a_real_electron_microscope(samples: Path) -> None:
    with coverslip.open_image(samples / "tiff" / "em" / "test_tiff_Zeiss_SEM_512pix.tif") as file:
        meta = file.images[0].metadata
    assert str(meta.acquired_at) == "2018-09-25 08:20:42"
    assert (meta.microscope and meta.microscope.serial_number) == "ULTRA 55-36-06"
