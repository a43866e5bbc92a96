"""Which colour a channel gets, and why."""

import pytest

from coverslip.model import ChannelInfo, ImageMetadata
from coverslip.render import channel_colors
from coverslip.render.colors import GREY, PALETTE, SPECTRUM, WHITE, is_transmitted, wavelength_color


def colors(*channels: dict[str, object]) -> tuple[tuple[int, int, int], ...]:
    infos = tuple(
        ChannelInfo.model_validate({"index": i, "name": f"C{i}", **channel}) for i, channel in enumerate(channels)
    )
    return channel_colors(
        ImageMetadata(
            name="a", file_format="TIFF", size_c=len(infos), size_y=1, size_x=1, dtype="uint8", channels=infos
        )
    )


def test_the_colour_of_the_file_comes_first() -> None:
    assert colors({"color": "#0a1420", "emission_wavelength_nm": 520, "name": "DAPI"}) == ((10, 20, 32),)


def test_a_default_that_nobody_chose_is_no_colour() -> None:
    assert colors({"color": "#ffffff"}, {"color": "#ffffff"}) == PALETTE[:2]
    assert colors({"color": "#000000"}) == (WHITE,)


def test_a_single_unknown_channel_is_white_and_several_take_the_palette() -> None:
    assert colors({}) == (WHITE,)
    assert colors({}, {}, {}) == PALETTE[:3]
    assert len(colors(*[{}] * 120)) == 120


def test_the_palette_skips_colours_that_are_taken() -> None:
    assert colors({}, {"color": "#00ff00"}, {}) == (PALETTE[1], PALETTE[0], PALETTE[2])


@pytest.mark.parametrize(
    ("name", "hue"),
    [
        ("DAPI", "blue"),
        ("Hoechst 33342", "blue"),
        ("Ch1-405", "blue"),
        ("dsDNA", "blue"),
        ("EGFP", "green"),
        ("FITC", "green"),
        ("Alexa Fluor 488", "green"),
        ("AF488-T1", "green"),
        ("Tubulin-AF488", "green"),
        ("488 nm", "green"),
        ("mCherry", "red"),
        ("AlexaFluor594", "red"),
        ("TRITC", "red"),
        ("Cy5", "red"),
        ("Alexa 647", "red"),
        ("Red", "red"),
        ("Blue", "blue"),
    ],
)
def test_well_known_names(name: str, hue: str) -> None:
    (color,) = colors({"name": name})
    assert color != WHITE
    assert ("red", "green", "blue")[color.index(max(color))] == hue


@pytest.mark.parametrize(
    "name", ["CD45", "CD405", "CD4880", "Ki67", "H3K27me3", "PanCK", "Channel 1", "nucleolin", "14880"]
)
def test_names_that_only_look_like_dyes(name: str) -> None:
    assert colors({"name": name}) == (WHITE,)


def test_the_dye_counts_before_the_name_and_the_wavelength_before_both() -> None:
    (by_dye,) = colors({"name": "GFP", "dye": "DAPI"})
    (by_wavelength,) = colors({"name": "GFP", "dye": "DAPI", "emission_wavelength_nm": 650})
    assert by_dye.index(max(by_dye)) == 2
    assert by_wavelength == (255, 0, 0)


@pytest.mark.parametrize(
    "channel",
    [
        {"name": "Brightfield"},
        {"name": "T-PMT"},
        {"name": "T PMT-T2"},
        {"name": "Phase contrast"},
        {"name": "DIC"},
        {"name": "BF"},
        {"name": "camera", "contrast_method": "DIC"},
        {"name": "camera", "contrast_method": "Brightfield"},
    ],
)
def test_transmitted_light_beside_other_channels_is_grey(channel: dict[str, object]) -> None:
    assert colors(channel, {"name": "GFP"})[0] == GREY
    assert colors(channel) == (WHITE,)


@pytest.mark.parametrize(
    "channel",
    [
        {"name": "BFP"},
        {"name": "transferrin"},
        {"name": "prophase1"},
        {"name": "DIC", "contrast_method": "Fluorescence"},
        {"name": "BF", "emission_wavelength_nm": 520},
    ],
)
def test_fluorescence_is_not_taken_for_transmitted_light(channel: dict[str, object]) -> None:
    assert not is_transmitted(ChannelInfo.model_validate({"index": 0, **channel}))


def test_wavelengths_beyond_the_visible_end_in_violet_and_magenta() -> None:
    assert wavelength_color(300) == SPECTRUM[0][1]
    assert wavelength_color(900) == (255, 0, 255)
    assert wavelength_color(515)[1] == 255
    assert wavelength_color(587.5) == (255, 160, 0)
