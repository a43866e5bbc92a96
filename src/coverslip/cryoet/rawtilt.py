"""Tilt angles of a series, one in each line, as SerialEM and IMOD's ``extracttilts`` write them (``.rawtlt``)."""

from pathlib import Path

from coverslip.cryoet.files import SMALL_TEXT, read_text, shown

MOST_SECTIONS = 100_000
LARGEST = 360.0


def read_tilt_angles(path: Path) -> tuple[float, ...]:
    """Return the tilt angles of a file by section, in degrees. Whatever stands behind the first number is not read.

    Raises
    ------
    UnreadableFileError
        The system did not let us look.
    ReadError
        A line does not begin with an angle, or there is none.
    """
    text = read_text(path, SMALL_TEXT)
    angles: list[float] = []
    for line, words in text.rows():
        angle = text.number(words[0], line, "the tilt angle")
        if abs(angle) > LARGEST:
            raise text.wrong(line, f"{shown(words[0])} is no tilt angle in degrees")
        if len(angles) >= MOST_SECTIONS:
            raise text.wrong(line, f"the file has more sections than {MOST_SECTIONS:,}")
        angles.append(angle)
    if not angles:
        raise text.wrong(0, "the file has no tilt angle")
    return tuple(angles)
