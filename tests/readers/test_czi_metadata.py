"""CZI metadata documents as values: tables of what writers put there."""

from xml.etree import ElementTree as ET

import pytest

from coverslip.readers.czi.metadata import (
    CziDocument,
    parse_channels,
    parse_color,
    parse_document,
    parse_microscope,
    parse_objective,
    parse_pixel_sizes,
    parse_time_increment,
    step_of_stamps,
)


@pytest.mark.parametrize(
    ("text", "color"),
    [("#FFFF7E00", "#ff7e00"), ("#00FF00", "#00ff00"), ("red", None), ("#12", None), (None, None), ("", None)],
)
def test_colors(text: str | None, color: str | None) -> None:
    assert parse_color(text) == color


def xml(inner: str) -> ET.Element:
    return ET.fromstring(f"<ImageDocument><Metadata>{inner}</Metadata></ImageDocument>")


def shown(*names: str) -> str:
    channels = "".join(f'<Channel Id="{name[:2]}" Name="{name}"><Color>#FF00FF00</Color></Channel>' for name in names)
    return f"<DisplaySetting><Channels>{channels}</Channels></DisplaySetting>"


def acquired(*channels: str) -> str:
    inner = "".join(channels)
    return f"<Information><Image><Dimensions><Channels>{inner}</Channels></Dimensions></Image></Information>"


@pytest.mark.parametrize(
    ("inner", "names"),
    [
        ("", []),
        (acquired('<Channel Id="a" Name="x"/>', '<Channel Id="b"/>'), ["x", "b"]),
        (acquired('<Channel Id="a" Name=""/>', "<Channel/>"), ["a", "Channel 1"]),
        (shown("a name", "b name"), ["a name", "b name"]),
        (
            acquired('<Channel Id="a " Name="old"/>', '<Channel Id="b "/>') + shown("b other", "a new"),
            ["a new", "b other"],
        ),
        (acquired('<Channel Id="0"/>', '<Channel Id="1"/>') + shown("DAPI", "GFP"), ["DAPI", "GFP"]),
        (acquired('<Channel Id="DA"/>', '<Channel Id="1"/>') + shown("DAPI", "GFP"), ["DAPI", "GFP"]),
    ],
)
def test_channel_names(inner: str, names: list[str]) -> None:
    assert [channel.name for channel in parse_channels(xml(inner))] == names


@pytest.mark.parametrize(
    ("inner", "excitation", "emission", "gain"),
    [
        (
            "<ExcitationWavelength>488</ExcitationWavelength><EmissionWavelength>509.5</EmissionWavelength>",
            488,
            509.5,
            None,
        ),
        ("<IlluminationWavelength><SinglePeak>470</SinglePeak></IlluminationWavelength>", 470, None, None),
        ("<ExcitationWavelength>5.61e-7</ExcitationWavelength>", 561, None, None),
        (
            "<EmissionWavelength>soon</EmissionWavelength><ExcitationWavelength>-1</ExcitationWavelength>",
            None,
            None,
            None,
        ),
        ("<DetectorSettings><EMGain>50</EMGain></DetectorSettings>", None, None, 50),
        ("<DetectorSettings><EMGain>50</EMGain><Gain>600</Gain></DetectorSettings>", None, None, 600),
    ],
)
def test_optics(inner: str, excitation: float | None, emission: float | None, gain: float | None) -> None:
    (channel,) = parse_channels(xml(acquired(f"<Channel>{inner}</Channel>")))
    assert channel.excitation_wavelength_nm == (None if excitation is None else pytest.approx(excitation))
    assert (channel.emission_wavelength_nm, channel.gain) == (emission, gain)


@pytest.mark.parametrize(
    ("inner", "seconds"),
    [
        ("<List><Offsets>0 60.075 120.15</Offsets></List>", 60.075),
        ("<List><Offsets>0 0</Offsets></List>", None),
        ("<List><Offsets>5</Offsets></List>", None),
        ("<Interval><Start>0</Start><Increment>0</Increment></Interval>", None),
        ("<Interval><Increment>1.5</Increment></Interval>", 1.5),
    ],
)
def test_time_steps(inner: str, seconds: float | None) -> None:
    positions = f"<T><Positions>{inner}</Positions></T>"
    root = xml(f"<Information><Image><Dimensions>{positions}</Dimensions></Image></Information>")
    assert parse_time_increment(root) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("unit", "seconds"), [("ms", 0.5), ("s", 500), ("min", 30_000), ("fortnight", None), ("", 500)]
)
def test_time_steps_of_the_experiment(unit: str, seconds: float | None) -> None:
    span = f"<TimeSpan><Value>500</Value><DefaultUnitFormat>{unit}</DefaultUnitFormat></TimeSpan>"
    root = xml(f"<Experiment><Block><Interval>{span}</Interval></Block></Experiment>")
    assert parse_time_increment(root) == seconds


@pytest.mark.parametrize(
    ("value", "micrometers"), [("1e-07", 0.1), ("0", None), ("-1", None), ("NaN", None), ("", None), ("a", None)]
)
def test_pixel_sizes(value: str, micrometers: float | None) -> None:
    root = xml(f'<Scaling><Items><Distance Id="X"><Value>{value}</Value></Distance></Items></Scaling>')
    found = parse_pixel_sizes(root).get("X")
    assert (found.micrometers if found else None) == (None if micrometers is None else pytest.approx(micrometers))


def test_instruments_that_say_little() -> None:
    assert parse_objective(xml("")) is None
    named = parse_objective(xml("<Scaling><AutoScaling><ObjectiveName>10x</ObjectiveName></AutoScaling></Scaling>"))
    assert named is not None
    assert (named.name, named.magnification) == ("10x", None)
    microscopes = "<Information><Instrument><Microscopes>{}</Microscopes></Instrument></Information>"
    assert parse_microscope(xml(microscopes.format("<Microscope/>"))) is None
    lsm = parse_microscope(xml(microscopes.format("<Microscope><System>LSM 880</System></Microscope>")))
    assert lsm is not None
    assert lsm.model == "LSM 880"


def test_an_empty_document_knows_nothing() -> None:
    assert parse_document("") == CziDocument()


@pytest.mark.parametrize(
    ("stamps", "seconds"),
    [
        ((360.0, 420.0, 480.0), 60),
        ((9307.6,), None),
        ((5.0, 5.0), None),
        ((45_000.0, 45_000.0 + 10 / 86_400, 45_000.0 + 20 / 86_400), 10),
        ((45_000.0, 45_000.5), None),
    ],
)
def test_time_stamps(stamps: tuple[float, ...], seconds: float | None) -> None:
    assert step_of_stamps(stamps) == (None if seconds is None else pytest.approx(seconds, rel=1e-4))
