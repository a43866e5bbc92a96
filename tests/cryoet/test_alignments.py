"""Alignments of IMOD and AreTomo 3: values by hand."""

import math
from pathlib import Path

import pytest

from coverslip.cryoet import Alignment, Section, read_alignment
from coverslip.cryoet.imod_alignment import read_newst_com
from coverslip.errors import InvalidRequestError, ReadError
from tests.cryoet import written
from tests.cryoet.written import put


def imod(folder: Path, **files: str) -> Alignment:
    """Write the files of an IMOD alignment and read them."""
    contents = {"xf": written.XF, "tlt": written.TLT} | files
    names = {
        "xf": "a.xf",
        "tlt": "a.tlt",
        "xtilt": "a.xtilt",
        "tltx": "a.tltx",
        "tilt": "tilt.com",
        "newst": "newst.com",
    }
    paths = [put(folder, names[key], content) for key, content in contents.items()]
    return read_alignment([*paths, folder / "a.log"], "IMOD")


def test_imod_from_the_aligned_to_the_unaligned_image(tmp_path: Path) -> None:
    found = imod(tmp_path)
    assert found.file_format == "IMOD"
    assert found.sections == (
        Section(0, -60.0, 0.0, ((0.0, -1.0), (1.0, 0.0)), 20.0, -10.0),
        Section(1, 0.0, 0.0, ((1.0, 0.0), (0.0, 1.0)), 3.0, -4.5),
        Section(2, 60.0, 0.0, ((0.6, -0.8), (0.8, 0.6)), 5.0, -10.0),
    )
    assert (found.volume_size, found.volume_shift, found.tilt_offset, found.binning) == (
        None,
        (0.0, 0.0, 0.0),
        0.0,
        1.0,
    )


def test_imod_takes_a_point_there_and_back(tmp_path: Path) -> None:
    """What xf does to a point of the unaligned image, a section undoes."""
    for line, section in zip(written.XF.split("\n")[1:], imod(tmp_path).sections, strict=False):
        a11, a12, a21, a22, dx, dy = (float(word) for word in line.split())
        x, y = 7.0, -11.0
        aligned = (a11 * x + a12 * y + dx, a21 * x + a22 * y + dy)
        (r11, r12), (r21, r22) = section.in_plane_rotation
        back = (
            r11 * aligned[0] + r12 * aligned[1] + section.x_offset,
            r21 * aligned[0] + r22 * aligned[1] + section.y_offset,
        )
        assert back == pytest.approx((x, y))


@pytest.mark.parametrize("name", ["xtilt", "tltx"])
def test_imod_turns_about_x(tmp_path: Path, name: str) -> None:
    assert [each.volume_x_rotation for each in imod(tmp_path, **{name: written.XTILT}).sections] == [0.5, 1.5, -2.0]


def test_imod_command_files(tmp_path: Path) -> None:
    found = imod(tmp_path, tilt=written.TILT_COM, newst=written.NEWST_COM)
    assert [each.z_index for each in found.sections] == [0, 2]
    assert [each.tilt_angle for each in found.sections] == [-60.0, 60.0]
    assert (found.tilt_offset, found.x_rotation_offset, found.binning) == (-0.75, 1.25, 4.0)
    assert found.volume_size == (3708.0, 3838.0, 2000.0)
    assert found.volume_shift == (3.0, 0.0, -12.5)
    newst = read_newst_com(tmp_path / "newst.com")
    assert (newst.binning, newst.offset) == (8.0, (0.0, 5.0))
    assert imod(tmp_path, newst=written.NEWST_COM).binning == 8.0


@pytest.mark.parametrize(
    ("line", "left"), [("EXCLUDELIST 1,3", [1]), ("EXCLUDELIST2 1-2", [2]), ("EXCLUDELIST 3\nEXCLUDELIST2 1 2", [])]
)
def test_imod_leaves_out_sections(tmp_path: Path, line: str, left: list[int]) -> None:
    assert [each.z_index for each in imod(tmp_path, tilt=line).sections] == left


def test_the_portal_has_the_same_layout(tmp_path: Path) -> None:
    assert imod(tmp_path, xtilt=written.XTILT).section_documents()[2] == {
        "z_index": 2,
        "tilt_angle": 60.0,
        "volume_x_rotation": -2.0,
        "in_plane_rotation": [[0.6, -0.8], [0.8, 0.6]],
        "x_offset": 5.0,
        "y_offset": -10.0,
    }


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"tlt": "1\n2\n"}, "a.tlt: 2 sections, but a.xf has 3"),
        ({"xtilt": "1\n2\n3\n4\n"}, "a.xtilt: 4 sections, but a.xf has 3"),
        ({"xf": "1 0 0 1 0\n"}, "a.xf:1: expected 6 numbers"),
        ({"xf": "\n1 0 0 1 0 inf\n"}, "a.xf:2: a value is no finite number"),
        ({"tlt": "\n"}, "a.tlt: the file has no section"),
        ({"tilt": "EXCLUDELIST 1-99999999999"}, "tilt.com:1: EXCLUDELIST: '1-99999999999' is no range"),
        ({"tilt": "EXCLUDELIST 1-999999999"}, "tilt.com:1: EXCLUDELIST: '1-999999999' is no range"),
        ({"tilt": "\nFULLIMAGE 100\n"}, "tilt.com:2: FULLIMAGE has 1 values, not 2"),
        ({"tilt": "THICKNESS many\n"}, "tilt.com:1: THICKNESS is no finite number"),
    ],
)
def test_imod_files_that_do_not_fit_are_refused(tmp_path: Path, files: dict[str, str], why: str) -> None:
    with pytest.raises(ReadError, match=why):
        imod(tmp_path, **files)


def test_files_that_are_missing_or_twice(tmp_path: Path) -> None:
    xf, tlt, other = (put(tmp_path, name, "1\n") for name in ("a.xf", "a.tlt", "b.xf"))
    with pytest.raises(InvalidRequestError, match=r"ends with .tlt, found none"):
        read_alignment([xf], "IMOD")
    with pytest.raises(InvalidRequestError, match=r"ends with .xf, found a.xf, b.xf"):
        read_alignment([xf, tlt, other], "IMOD")
    with pytest.raises(InvalidRequestError, match=r"ends with .aln"):
        read_alignment([xf], "ARETOMO3")
    with pytest.raises(InvalidRequestError, match="there is no format 'WARP'"):
        read_alignment([xf], "WARP")


def test_aretomo(tmp_path: Path) -> None:
    found = read_alignment([put(tmp_path, "a.aln", written.ALN)], "ARETOMO3")
    assert [each.z_index for each in found.sections] == [0, 2, 3]
    assert [each.tilt_angle for each in found.sections] == [-40.0, 0.0, 40.0]
    assert [(each.x_offset, each.y_offset) for each in found.sections] == [
        (23.953, -56.171),
        (57.299, 74.242),
        (80.51, 91.544),
    ]
    for row, expected in zip(found.sections[0].in_plane_rotation, ((0, -1), (1, 0)), strict=True):
        assert row == pytest.approx(expected, abs=1e-15)
    assert found.sections[2].in_plane_rotation == ((1.0, -0.0), (0.0, 1.0))
    assert {each.volume_x_rotation for each in found.sections} == {0.0}
    assert (found.tilt_offset, found.x_rotation_offset, found.volume_size) == (1.5, -0.25, (4096.0, 3000.0, 640.0))


def test_aretomo_and_imod_describe_the_same_series_alike(tmp_path: Path) -> None:
    """The two alignments of the portal's test series were made from each other."""
    xf = "0.029 1.000 -1.000 0.029 55.43 25.56\n"
    imod_section = imod(tmp_path, xf=xf, tlt="-5\n").sections[0]
    aln = written.ALN.split("# DarkFrame")[0].replace("3000 4", "3000 1") + (
        "    0    88.3389    1.00000     23.953    -56.171     1.00     1.00     1.00     0.00     -5.00\n"
    )
    other = read_alignment([put(tmp_path, "a.aln", aln)], "ARETOMO3").sections[0]
    assert (other.x_offset, other.y_offset) == pytest.approx((imod_section.x_offset, imod_section.y_offset), abs=1e-3)
    for row, expected in zip(other.in_plane_rotation, imod_section.in_plane_rotation, strict=True):
        assert row == pytest.approx(expected, abs=1e-3)
    assert math.degrees(math.atan2(*[row[0] for row in other.in_plane_rotation][::-1])) == pytest.approx(88.3389)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("# AreTomo", "AreTomo", "a.aln:1: this is no alignment of AreTomo"),
        ("3000 4", "3000 5", "5 sections, 1 of them dark, leave 4, but 3 are aligned"),
        ("3000 4", "3000 2000000000", "a.aln:2: a tilt series of 2,000,000,000 sections is none"),
        ("# RawSize", "# Size", "the header has no RawSize"),
        ("    1    3    45.00", "", "a.aln:4: expected 1 numbers, found 0"),
        ("57.299", "nan", "a.aln:10: a value is no finite number"),
        ("57.299", "", "a.aln:10: expected 10 columns, found 9"),
        ("     1.50", "", "a.aln:5: expected a number"),
    ],
)
def test_damaged_alignments_are_refused(tmp_path: Path, old: str, new: str, why: str) -> None:
    with pytest.raises(ReadError, match=why):
        read_alignment([put(tmp_path, "a.aln", written.ALN.replace(old, new, 1))], "ARETOMO3")
