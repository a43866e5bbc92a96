"""Which colour a channel is shown in."""

import itertools
import re
from collections.abc import Sequence

from coverslip.model import ChannelInfo, ImageMetadata

type Color = tuple[int, int, int]
"""Red, green, blue, each 0 to 255."""

WHITE: Color = (255, 255, 255)
GREY: Color = (128, 128, 128)
"""Transmitted light under fluorescence: bright enough to see the cells, too dark to wash out the colours."""

PALETTE: tuple[Color, ...] = (
    (0, 255, 0),
    (255, 0, 255),
    (0, 255, 255),
    (255, 255, 0),
    (255, 0, 0),
    (64, 96, 255),
    (255, 128, 0),
    (160, 64, 255),
)

SPECTRUM: tuple[tuple[float, Color], ...] = (
    (405, (110, 60, 255)),
    (440, (50, 70, 255)),
    (465, (40, 90, 255)),
    (485, (0, 200, 255)),
    (505, (0, 255, 60)),
    (525, (30, 255, 0)),
    (550, (170, 255, 0)),
    (575, (255, 210, 0)),
    (600, (255, 110, 0)),
    (625, (255, 30, 0)),
    (650, (255, 0, 0)),
    (690, (255, 0, 70)),
    (740, (255, 0, 200)),
    (780, (255, 0, 255)),
)
"""Emission wavelength (nm) to a colour seen well on a screen; pure violet and blue are lightened, near infrared, which
nobody sees, ends in magenta. Between two entries the colour is interpolated."""

_DYE = r"(?<![a-z0-9])(?:alexa ?(?:fluor)? ?|af|a|atto ?|cf|dylight ?|jf|janelia ?(?:fluor)? ?|ch|ex)?[ _-]?{}(?![0-9])"

DYES: tuple[tuple[str, float], ...] = (
    (r"dapi|hoechst|bfp|alexa ?405|pacific blue|dsdna|(?<![a-z])dna(?![a-z])|nucle(?:us|i|ar)|histone", 461),
    (_DYE.format("405"), 461),
    (r"cfp|cerulean|turquoise|(?<![a-z0-9])cyan", 480),
    (r"gfp|fitc|fluo-?4|neongreen|bodipy|calcein|gcamp|cy2(?![0-9])|oregon ?green|syto ?9", 512),
    (_DYE.format("488"), 520),
    (r"yfp|venus|citrine|" + _DYE.format("(?:514|532)"), 535),
    (r"cy3(?![0-9.])|tritc|rhodamine|tdtomato|dsred|" + _DYE.format("(?:546|555)"), 582),
    (r"cy3\.5|(?<!i)rfp|mscarlet|propidium|mitotracker red|" + _DYE.format("(?:561|568)"), 600),
    (r"mcherry|texas ?red|mruby|mkate|" + _DYE.format("594"), 617),
    (r"cy5(?![0-9.])|draq5|far[ -]?red|irfp|sir(?![a-z])|" + _DYE.format("(?:633|635|640|647)"), 668),
    (r"cy5\.5|" + _DYE.format("(?:680|700)"), 705),
    (r"cy7|near[ -]?infra|(?<![a-z])nir(?![a-z])|" + _DYE.format("(?:750|790)"), 780),
)
"""Well-known dye, protein and laser names (regular expressions for lower case) and about where they shine (nm)."""

PLAIN: dict[str, Color] = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "cyan": (0, 255, 255),
    "magenta": (255, 0, 255),
    "yellow": (255, 255, 0),
    "white": WHITE,
    "grey": WHITE,
    "gray": WHITE,
}

_TRANSMITTED_NAMES = re.compile(
    r"bright ?-?field|phase(?: ?contrast)?(?![a-z0-9])"
    r"|(?<![a-z])(?:dic|bf|tl|nomarski|tpmt|t[ -]pmt|pmt[ -]?t|trans(?:mitted|mission)?)(?![a-z])"
)
_TRANSMITTED_METHODS = re.compile(r"bright|phase|dic\b|differential|transmi|hoffman|nomarski|polari", re.IGNORECASE)


def channel_colors(metadata: ImageMetadata) -> tuple[Color, ...]:
    """Return the display colour of every channel.

    The file's own colour comes first (unless it is black, or several channels have the same one: that is a default
    nobody chose), then the emission wavelength, then well-known dye names; what is left is white in a single-channel
    image and takes the free colours of a fixed palette in others. Transmitted light beside other channels is grey.

    Parameters
    ----------
    metadata
        Of the image.
    """
    channels = metadata.channels
    if len(channels) == 1:
        return (_known_color(channels[0], channels) or WHITE,)
    known = [GREY if is_transmitted(channel) else _known_color(channel, channels) for channel in channels]
    free = [color for color in PALETTE if color not in known] or list(PALETTE)
    missing = iter(range(len(known)))
    return tuple(color or free[next(missing) % len(free)] for color in known)


def is_transmitted(channel: ChannelInfo) -> bool:
    """Return whether a channel is bright field, phase contrast, DIC or another picture by transmitted light."""
    if channel.contrast_method:
        return _TRANSMITTED_METHODS.search(channel.contrast_method) is not None
    if channel.emission_wavelength_nm:
        return False
    return _TRANSMITTED_NAMES.search(channel.name.lower()) is not None


def wavelength_color(nanometers: float) -> Color:
    """Return the display colour of light of one wavelength."""
    if nanometers <= SPECTRUM[0][0]:
        return SPECTRUM[0][1]
    for (left, start), (right, end) in itertools.pairwise(SPECTRUM):
        if nanometers <= right:
            part = (nanometers - left) / (right - left)
            red, green, blue = (round(a + (b - a) * part) for a, b in zip(start, end, strict=True))
            return red, green, blue
    return SPECTRUM[-1][1]


def _known_color(channel: ChannelInfo, channels: Sequence[ChannelInfo]) -> Color | None:
    """Return the colour that file, wavelength or name tell, or ``None``."""
    stated = channel.color
    if stated and stated != "#000000" and sum(other.color == stated for other in channels) == 1:
        return int(stated[1:3], 16), int(stated[3:5], 16), int(stated[5:7], 16)
    if channel.emission_wavelength_nm and channel.emission_wavelength_nm > 0:
        return wavelength_color(channel.emission_wavelength_nm)
    for name in (channel.dye, channel.name):
        words = (name or "").lower().strip()
        if words in PLAIN:
            return PLAIN[words]
        for pattern, nanometers in DYES:
            if re.search(pattern, words):
                return wavelength_color(nanometers)
    return None
