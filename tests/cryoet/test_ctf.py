"""CTF estimates: values by hand."""

import math
from pathlib import Path

import pytest

from coverslip.cryoet import CtfRow, read_ctf
from coverslip.errors import InvalidRequestError, ReadError
from tests.cryoet import written
from tests.cryoet.written import put

FIRST = CtfRow(1, 25000.5, 24000.25, -42.32, 0.5, 0.1138, 28.4226)


def test_ctffind(tmp_path: Path) -> None:
    rows = read_ctf(put(tmp_path, "a.txt", written.CTFFIND4), "CTFFIND")
    assert rows == (FIRST, CtfRow(2, 26000.0, 24500.0, 10.0, 0.0, 0.05, None))
    rows = read_ctf(put(tmp_path, "b.txt", written.CTFFIND5), "ctffind")
    assert rows == (CtfRow(1, 25000.5, 24000.25, -42.32, 0.5, 0.1138, 8.5),)


def test_gctf_star_is_in_the_order_of_the_series(tmp_path: Path) -> None:
    first = CtfRow(1, 25000.5, 24000.25, -42.32, math.pi / 2, 0.1138, 8.5)
    second = CtfRow(2, 26000.0, 24500.0, 10.0, 0.0, 0.05, 9.5)
    assert read_ctf(put(tmp_path, "a.star", written.GCTF_STAR), "Gctf") == (first, second)
    # without numbers in the names, rows count
    names = written.GCTF_STAR.replace("000002@", "").replace("000001@", "")
    defoci = [row.defocus_1 for row in read_ctf(put(tmp_path, "b.star", names), "Gctf")]
    assert defoci == [26000.0, 25000.5]


def test_gctf_star_may_know_less(tmp_path: Path) -> None:
    text = "data_\nloop_\n_rlnDefocusU\n_rlnDefocusV\n_rlnDefocusAngle\n25000.5 24000.25 -42.32\n"
    assert read_ctf(put(tmp_path, "a.star", text), "Gctf") == (CtfRow(1, 25000.5, 24000.25, -42.32),)


def test_gctf_summary_has_a_phase_shift_or_none(tmp_path: Path) -> None:
    text = "; a comment\n1 25000.5 24000.25 -42.32 0.5 0.1138 28.4226\n2 26000 24500 10 0.05 9.5\n"
    rows = read_ctf(put(tmp_path, "a.txt", text), "GCTF")
    assert rows == (FIRST, CtfRow(2, 26000.0, 24500.0, 10.0, 0.0, 0.05, 9.5))


def test_imod_without_flags(tmp_path: Path) -> None:
    first, second = CtfRow(1, 25005.0, 25005.0), CtfRow(2, 26000.0, 26000.0)
    assert read_ctf(put(tmp_path, "a.defocus", written.DEFOCUS2), "IMOD") == (first, second)
    version_1 = written.DEFOCUS2.replace("\t2\n2", "\n2")
    assert read_ctf(put(tmp_path, "b.defocus", version_1), "IMOD") == (first, second)
    flat = "0 0 0.0 0.0 0.0 3\n20 20 0.0 0.0 7000\n"
    assert read_ctf(put(tmp_path, "c.defocus", flat), "IMOD") == (CtfRow(20, 70000.0, 70000.0),)
    assert read_ctf(put(tmp_path, "d.defocus", "\n"), "IMOD") == ()


def test_imod_with_flags_and_views_together(tmp_path: Path) -> None:
    first = CtfRow(1, 25005.0, 24002.5, -42.5, math.pi / 2)
    rest = [CtfRow(n, 26000.0, 24500.0, 10.0, 0.0) for n in (2, 3)]
    assert read_ctf(put(tmp_path, "a.defocus", written.DEFOCUS3), "IMOD") == (first, *rest)


@pytest.mark.parametrize(
    ("flags", "columns", "expected"),
    [
        (1, "2500 2400 -42.5", (25000.0, 24000.0, -42.5, 0.0)),
        (3, "2500 2400 1.5707963267948966", (25000.0, 24000.0, 90.0, 0.0)),
        (4, "2500 180", (25000.0, 25000.0, 0.0, math.pi)),
        (12, "2500 1.25", (25000.0, 25000.0, 0.0, 1.25)),
        (36, "2500 180 0.17", (25000.0, 25000.0, 0.0, math.pi)),
        (53, "2500 2400 -42.5 90 0.17", (25000.0, 24000.0, -42.5, math.pi / 2)),
        (32, "2500 0.17", (25000.0, 25000.0, 0.0, 0.0)),
    ],
)
def test_imod_flags(tmp_path: Path, flags: int, columns: str, expected: tuple[float, ...]) -> None:
    text = f"{flags} 0 0.0 0.0 0.0 3\n4 4 -50 -50 {columns}\n"
    (row,) = read_ctf(put(tmp_path, "a.defocus", text), "IMOD")
    assert (row.defocus_1, row.defocus_2, row.azimuth, row.phase_shift) == pytest.approx(expected)


def test_imod_views_that_overlap_take_the_line_whose_middle_is_nearest(tmp_path: Path) -> None:
    text = "1 5 -60 -50 100\n3 7 -56 -46 200\n"
    rows = read_ctf(put(tmp_path, "a.defocus", text), "IMOD")
    assert [(row.section, row.defocus_1) for row in rows] == [(n, 1000.0 if n <= 4 else 2000.0) for n in range(1, 8)]


@pytest.mark.parametrize(
    ("kind", "text", "why"),
    [
        ("CTFFIND", "1 2 3\n", "a:1: expected 7 columns or more, found 3"),
        ("CTFFIND", "1 2 3 4 5 6 7\n1 2 3 4 5 6 7\n", "a:2: section 1 is there twice"),
        ("CTFFIND", "0 2 3 4 5 6 7\n", "a:1: section 0 is there twice, or no number from 1"),
        ("CTFFIND", "1.5 2 3 4 5 6 7\n", "a:1: the section is no whole number"),
        ("CTFFIND", "1 inf 3 4 5 6 7\n", "a:1: defocus 1 is no finite number"),
        ("Gctf", "1 2 3 4 5\n", "a:1: expected 6 columns, or 7"),
        ("Gctf", "data_\nloop_\n_rlnDefocusU\n1\n", "no column _rlnDefocusV"),
        ("IMOD", "0 0 -60 -60 7000\n", "a:1: views 0 to 0 are none"),
        ("IMOD", "1 1 -60 -60 3665 3472 -62\n", "a:1: expected 5 columns with flags 0, found 7"),
        ("IMOD", "1 0 0 0 0 3\n1 1 -50 -50 3665\n", "a:2: expected 7 columns with flags 1, found 5"),
        ("IMOD", "1 0 0 0 0 4\n", "a:1: version 4 with flags 1 is not known"),
        ("IMOD", "64 0 0 0 0 3\n", "a:1: version 3 with flags 64 is not known"),
        ("IMOD", "1 99999999 -60 -60 7000\n", "a:1: views 1 to 99999999 are none"),
        ("IMOD", "1 100000 -60 -60 7000\n" * 11, "a:11: the lines cover more views"),
    ],
)
def test_damaged_estimates_are_refused(tmp_path: Path, kind: str, text: str, why: str) -> None:
    with pytest.raises(ReadError, match=why):
        read_ctf(put(tmp_path, "a", text), kind)


def test_formats_that_are_not_known(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match="there is no format 'Warp'"):
        read_ctf(tmp_path / "a", "Warp")
