"""ND2 metadata dictionaries as values: tables of what the vendor's software puts there."""

from types import SimpleNamespace
from typing import Any

import pytest

from coverslip.readers.nd2.frames import arrange
from coverslip.readers.nd2.metadata import (
    parse_acquired_at,
    parse_channels,
    parse_color,
    parse_document,
    parse_microscope,
    parse_objective,
    parse_pixel_size,
    peak,
    plane_sections,
    time_increment,
    z_step,
)
from tests.readers.generate_nd2 import picture, spectrum


@pytest.mark.parametrize(
    ("loops", "count", "shape", "axes"),
    [
        ([], 1, (1, 1, 1, 1), ""),
        ([], 7, (1, 1, 1, 7), "U"),
        ([("TimeLoop", 2), ("XYPosLoop", 3), ("ZStackLoop", 4)], 24, (3, 2, 1, 4), "TPZ"),
        ([("NETimeLoop", 2), ("TimeLoop", 3)], 6, (1, 6, 1, 1), "TT"),
        ([("CustomLoop", 2), ("TimeLoop", 3)], 6, (1, 3, 1, 2), "UT"),
        ([("CustomLoop", 2), ("ZStackLoop", 3)], 6, (1, 2, 1, 3), "UZ"),
        ([("ZStackLoop", 2), ("CustomLoop", 5), ("TimeLoop", 3)], 30, (1, 3, 5, 2), "ZUT"),
    ],
)
def test_frames_are_numbered_by_their_loops(
    loops: list[tuple[str, int]], count: int, shape: tuple[int, ...], axes: str
) -> None:
    numbers, found, _ = arrange(loops, count)
    assert (numbers.shape, found) == (shape, axes)
    assert sorted(numbers.flat) == list(range(count))


def test_frame_numbers_follow_the_nesting() -> None:
    numbers, _, _ = arrange([("TimeLoop", 2), ("XYPosLoop", 3), ("ZStackLoop", 4)], 24)
    assert numbers[2, 1, 0, 3] == (1 * 3 + 2) * 4 + 3


@pytest.mark.parametrize(
    ("value", "color"), [(255, "#ff0000"), (0xFF8000, "#0080ff"), ("x", None), (None, None), (True, None)]
)
def test_colors(value: object, color: str | None) -> None:
    assert parse_color(value) == color


@pytest.mark.parametrize(
    ("foreign", "nanometers"),
    [
        (spectrum(488.0), 488),
        (spectrum(405.0, 488.0), None),
        (spectrum(), None),
        (None, None),
        ({"pPoint": {"a": {"dWavelength": 500.0, "dTValue": 0.2}, "b": {"dWavelength": 520.0, "dTValue": 0.9}}}, 520),
        ({"pPoint": {"a": {"dWavelength": 0.0}}}, None),
        ({"pPoint": [1, 2]}, None),
    ],
)
def test_peaks(foreign: object, nanometers: float | None) -> None:
    assert peak(foreign) == nanometers


@pytest.mark.parametrize(
    ("text", "exposure", "excitation", "gain"),
    [
        ("Exposure: 20 ms\r\n Line:1; ExW:561; Power: 82.5; On", 0.02, 561, None),
        ("Exposure: 1 s\r\n Line:1; ExW:561; Power: 1; Off", 1, None, None),
        ("Exposure: 5 µs\r\n ExW:488; Power:1; On\r\n ExW:561; Power:1; On", 5e-6, None, None),
        ("Conversion Gain: 3\r\n Gain: 2.5", None, None, 2.5),
        ("nothing", None, None, None),
    ],
)
def test_channels_from_the_text(
    text: str, exposure: float | None, excitation: float | None, gain: float | None
) -> None:
    (channel,) = parse_channels({"sPicturePlanes": {"sPlane": {"a0": {"sDescription": "GFP"}}}}, text)
    assert channel.exposure_time_s == (None if exposure is None else pytest.approx(exposure))
    assert (channel.excitation_wavelength_nm, channel.gain, channel.name) == (excitation, gain, "GFP")


def test_text_belongs_to_its_plane_or_to_none() -> None:
    text = "Metadata\r\nPlane #1:\r\n a\r\nPlane #2:\r\n b"
    assert plane_sections(text, 2) == ["\r\n a\r\n", "\r\n b"]
    assert plane_sections(text, 3) == ["", "", ""]
    assert plane_sections("all of it", 1) == ["all of it"]


@pytest.mark.parametrize(
    ("facts", "micrometers"),
    [
        ({"dCalibration": 0.65, "bCalibrated": True}, 0.65),
        ({"dCalibration": 1.0, "bCalibrated": True}, 1.0),
        ({"dCalibration": 1.0, "bCalibrated": False}, None),
        ({"dCalibration": -1.0, "bCalibrated": True}, None),
        ({"dCalibration": 0.65, "bCalibrated": True, "ePictureYAxis": 2}, None),
        ({"dCalibration": "0.65?"}, None),
        ({}, None),
    ],
)
def test_pixel_sizes(facts: dict[str, Any], micrometers: float | None) -> None:
    found = parse_pixel_size(facts, "Y")
    assert (found.micrometers if found else None) == micrometers


@pytest.mark.parametrize(
    ("facts", "text", "year"),
    [
        ({"dTimeAbsolute": 2460761.25}, {}, 2025),
        ({"dTimeAbsolute": -1.0}, {"date": "9/28/2021  9:41:27 AM"}, 2021),
        ({}, {"date": "2020-01-02 03:04:05"}, 2020),
        ({}, {"date": "soon"}, None),
        ({"dTimeAbsolute": 0.5}, {}, None),
    ],
)
def test_dates(facts: dict[str, Any], text: dict[str, Any], year: int | None) -> None:
    when = parse_acquired_at(facts, text)
    assert (when.year if when else None) == year


def test_objectives_that_say_little() -> None:
    assert parse_objective({}, {}) is None
    named = parse_objective({"dObjectiveMag": -1.0}, {"optics": "Plan Fluor 10x Ph1 DLL"})
    assert named is not None
    assert (named.name, named.magnification, named.immersion) == ("Plan Fluor 10x Ph1 DLL", 10, None)


def test_microscopes_from_the_text() -> None:
    assert parse_microscope({}, "") is None
    found = parse_microscope({}, "Camera\r\n Microscope: Ti2 Microscope\r\n")
    assert found is not None
    assert (found.model, found.manufacturer) == ("Ti2 Microscope", None)


def period(count: int, period_ms: float, average: float | None) -> SimpleNamespace:
    measured = None if average is None else SimpleNamespace(avg=average)
    return SimpleNamespace(count=count, periodMs=period_ms, periodDiff=measured)


@pytest.mark.parametrize(
    ("loops", "seconds"),
    [
        ([SimpleNamespace(type="TimeLoop", parameters=period(3, 0.0, 500.0))], 0.5),
        ([SimpleNamespace(type="TimeLoop", parameters=period(3, 250.0, None))], 0.25),
        ([SimpleNamespace(type="TimeLoop", parameters=period(3, 0.0, 0.0))], None),
        ([SimpleNamespace(type="ZStackLoop")], None),
        (
            [
                SimpleNamespace(
                    type="NETimeLoop", parameters=SimpleNamespace(periods=[period(1, 1e3, 0.0), period(3, 3e3, 0.0)])
                )
            ],
            2.5,
        ),
        ([SimpleNamespace(type="NETimeLoop", parameters=SimpleNamespace(periods=[]))], None),
    ],
)
def test_time_steps(loops: list[Any], seconds: float | None) -> None:
    assert time_increment(loops) == seconds


def test_slices_have_a_positive_distance() -> None:
    step = z_step([SimpleNamespace(type="ZStackLoop", parameters=SimpleNamespace(stepUm=-0.5))])
    assert step is not None
    assert step.micrometers == 0.5
    assert z_step([SimpleNamespace(type="ZStackLoop", parameters=SimpleNamespace(stepUm=0.0))]) is None
    assert z_step([]) is None


def test_a_document_of_nonsense_knows_nothing() -> None:
    nonsense: dict[str, Any] = {"sPicturePlanes": 5, "dTimeAbsolute": "x", "dCalibration": [], "bCalibrated": {}}
    document = parse_document(nonsense, {"description": 7, "date": None}, {"a": b"raw"})
    assert (document.channels, document.objective, document.acquired_at, document.vendor) == (
        (),
        None,
        None,
        {"a": "<3 bytes>"},
    )


def test_planes_without_their_own_settings() -> None:
    foreign = picture(("A", "B"), 1, 0.5)
    foreign["sPicturePlanes"]["sSampleSetting"] = {"a0": {"dExposureTime": -1.0}}
    first, second = parse_channels(foreign, "")
    assert (first.exposure_time_s, second.exposure_time_s) == (None, None)
