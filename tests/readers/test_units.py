"""Units, as every format spells them."""

import pytest

from coverslip.model import PhysicalSize
from coverslip.readers.units import LENGTHS, SECONDS, length, micrometers, seconds


@pytest.mark.parametrize(
    ("unit", "known"),
    [
        ("micrometer", (2.0, "um")),
        ("Microns", (2.0, "um")),
        ("\u00b5m", (2.0, "um")),
        ("\u03bcm", (2.0, "um")),
        ("\\u00B5m", (2.0, "um")),
        ("NANOMETRES", (2.0, "nm")),
        ("\u212b", (2.0, "angstrom")),
        ("inches", (2.0, "in")),
        ("foot", (24.0, "in")),
        ("decimeter", (20.0, "cm")),
        (" mm\0", (2.0, "mm")),
        ("Mm", None),
        ("pixel", None),
        ("reference frame", None),
        ("", None),
        (None, None),
        (7, None),
    ],
)
def test_lengths(unit: object, known: tuple[float, str] | None) -> None:
    size = length(2, unit)
    assert (size and (size.value, size.unit)) == known


def test_a_length_is_positive() -> None:
    assert [length(value, "um") for value in (0, -1, "nan", None, "x")] == [None] * 5
    assert length("1.5", "um") == PhysicalSize(value=1.5, unit="um")


def test_lengths_in_micrometers() -> None:
    assert micrometers("2.5e-7", "m") == PhysicalSize(value=0.25, unit="um")
    assert micrometers(1, "pixel") is None


@pytest.mark.parametrize(
    ("unit", "expected"),
    [("s", 3.0), ("milliseconds", 0.003), ("\u03bcs", 3e-6), ("Hours", 10_800.0), ("day", 259_200.0), ("m", None)],
)
def test_durations(unit: str, expected: float | None) -> None:
    assert seconds(3, unit) == (None if expected is None else pytest.approx(expected))
    assert seconds(0, unit) is None


def test_every_spelling_in_the_tables_is_found() -> None:
    assert all(length(1, unit) for unit in LENGTHS)
    assert all(seconds(1, unit) for unit in SECONDS)
