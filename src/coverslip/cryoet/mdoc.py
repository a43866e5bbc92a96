"""SerialEM's description of a tilt series (``.mdoc``): a header, titles, and a section per image.

Format: "File Formats" in the help of SerialEM: ``Key = value`` lines; ``[T = ...]`` are titles, ``[ZValue = 0]``,
``[FrameSet = 0]`` and ``[MontSection = 0]`` begin sections. Every key stays as text in ``fields``, so a key that a
newer SerialEM has invented, or writes in another way, does not make a file unreadable.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PureWindowsPath
from types import MappingProxyType

from coverslip.cryoet.files import MOST_SECTIONS, SMALL_TEXT, Text, read_text, shown

SECTIONS = {"ZValue", "FrameSet", "MontSection"}
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MOMENT = re.compile(r"(\d{1,2})-([A-Za-z]{3})-(\d{2}|\d{4})\s+(\d{1,2}):(\d{2}):(\d{2})$")
CENTURY = 70
"""Years of two digits from here on are of the 20th century, earlier ones of the 21st."""
MOST_FIELDS = 1000


@dataclass(frozen=True, slots=True)
class MdocSection:
    """One image. What the file does not say, or says as NaN, is ``None``."""

    z_value: int
    """Number of the image in the order of acquisition, from 0."""
    kind: str
    """``"ZValue"``, ``"FrameSet"`` or ``"MontSection"``."""
    fields: Mapping[str, str]
    """Every key and its value as text."""
    tilt_angle: float | None = None
    """In degrees."""
    exposure_time: float | None = None
    """In seconds."""
    exposure_dose: float | None = None
    """In electrons per square angstrom."""
    prior_record_dose: float | None = None
    """What the place had got before, in electrons per square angstrom."""
    pixel_spacing: float | None = None
    """In angstroms."""
    defocus: float | None = None
    """In micrometres; underfocus is negative."""
    target_defocus: float | None = None
    """In micrometres."""
    rotation_angle: float | None = None
    """Of the tilt axis, in degrees."""
    acquired_at: datetime | None = None
    """Local time of the microscope; the file names no time zone."""
    sub_frame_path: str | None = None
    """Where the frames were, as the microscope's computer named it."""

    @property
    def frame_name(self) -> str | None:
        """The name of the file with the frames, without folders of Windows or Unix."""
        return PureWindowsPath(self.sub_frame_path).name if self.sub_frame_path else None


@dataclass(frozen=True, slots=True)
class Mdoc:
    """A whole file."""

    header: Mapping[str, str]
    titles: tuple[str, ...]
    sections: tuple[MdocSection, ...]


NUMBERS = {
    "tilt_angle": "TiltAngle",
    "exposure_time": "ExposureTime",
    "exposure_dose": "ExposureDose",
    "prior_record_dose": "PriorRecordDose",
    "pixel_spacing": "PixelSpacing",
    "defocus": "Defocus",
    "target_defocus": "TargetDefocus",
    "rotation_angle": "RotationAngle",
}


def read_mdoc(path: Path) -> Mdoc:
    """Return header, titles and sections of a file.

    Raises
    ------
    UnreadableFileError
        The system did not let us look.
    ReadError
        A line is neither a pair nor a title nor a section, or a number that counts is none.
    """
    text = read_text(path, SMALL_TEXT)
    parts = _Parts(text)
    for number, line in enumerate(text.lines, 1):
        if line.strip():
            parts.take(number, line.strip())
    sections = tuple(_section(text, *begun) for begun in parts.sections)
    if not sections and not parts.header:
        raise text.wrong(0, "this is no mdoc: it has neither a header nor a section")
    return Mdoc(
        MappingProxyType({key: value for key, (value, _) in parts.header.items()}), tuple(parts.titles), sections
    )


Fields = dict[str, tuple[str, int]]
"""Values and the lines they stand in, by key."""


class _Parts:
    """What has been found so far."""

    def __init__(self, text: Text) -> None:
        self.header: Fields = {}
        self.titles: list[str] = []
        self.sections: list[tuple[str, str, int, Fields]] = []
        self._text = text

    def take(self, number: int, line: str) -> None:
        """Put one line where it belongs."""
        if line.startswith("["):
            self._bracket(number, line)
            return
        key, equals, value = line.partition("=")
        fields = self.sections[-1][3] if self.sections else self.header
        if not equals or not key.strip() or len(fields) >= MOST_FIELDS:
            raise self._text.wrong(number, f"expected a key and its value, found {shown(line)}")
        fields[key.strip()] = value.strip(), number

    def _bracket(self, number: int, line: str) -> None:
        kind, equals, value = line[1:-1].partition("=")
        kind, value = kind.strip(), value.strip()
        if not equals or not line.endswith("]"):
            raise self._text.wrong(number, f"a bracket does not end: {shown(line)}")
        if kind == "T":
            self.titles.append(value)
        elif kind not in SECTIONS or len(self.sections) >= MOST_SECTIONS:
            raise self._text.wrong(number, f"this section is not known, or one too many: {shown(line)}")
        else:
            self.sections.append((kind, value, number, {}))


def _section(text: Text, kind: str, number: str, line: int, fields: Fields) -> MdocSection:
    numbers = {name: _number(text, fields, key) for name, key in NUMBERS.items()}
    return MdocSection(
        z_value=text.whole(number, line, kind),
        kind=kind,
        fields=MappingProxyType({key: value for key, (value, _) in fields.items()}),
        acquired_at=_moment(fields.get("DateTime", ("", 0))[0]),
        sub_frame_path=fields.get("SubFramePath", ("", 0))[0] or None,
        **numbers,
    )


def _number(text: Text, fields: Fields, key: str) -> float | None:
    """Return a number, ``None`` where there is none; SerialEM writes NaN where the microscope said nothing."""
    word, line = fields.get(key, ("", 0))
    if not word or word.lower() in {"nan", "-nan", "-nan(ind)", "nan(ind)"}:
        return None
    return text.number(word, line, key)


def _moment(text: str) -> datetime | None:
    """Return a time such as ``28-Apr-18  11:38:54`` or ``28-Apr-2018  11:38:54``; months are English everywhere."""
    found = MOMENT.match(text)
    if found is None or found[2].title() not in MONTHS:
        return None
    day, year, hour, minute, second = (int(found[n]) for n in (1, 3, 4, 5, 6))
    if len(found[3]) == 2:
        year += 1900 if year >= CENTURY else 2000
    try:
        return datetime(year, MONTHS.index(found[2].title()) + 1, day, hour, minute, second)
    except ValueError:
        return None
