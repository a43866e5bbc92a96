"""SerialEM's descriptions of tilt series: values by hand."""

from datetime import datetime
from pathlib import Path

import pytest

from coverslip.cryoet import read_mdoc
from coverslip.errors import ReadError
from tests.cryoet import written
from tests.cryoet.written import put


def test_header_titles_and_sections(tmp_path: Path) -> None:
    mdoc = read_mdoc(put(tmp_path, "a.mdoc", written.MDOC))
    assert dict(mdoc.header) == {"PixelSpacing": "3.3702", "Voltage": "300", "ImageFile": "TS=run1.mrc"}
    assert mdoc.titles[1] == "Tilt axis angle = 84.7, binning = 1  spot = 6  camera = 0"
    first, second = mdoc.sections
    assert (first.z_value, first.kind, second.z_value) == (0, "ZValue", 1)
    assert (first.tilt_angle, first.exposure_dose, first.exposure_time) == (-0.00499939, 2.35936, 1.5)
    assert (first.prior_record_dose, first.pixel_spacing, first.defocus) == (0.0, 3.3702, -0.279296)
    assert (first.target_defocus, first.rotation_angle) == (-2.0, 174.7)
    assert first.acquired_at == datetime(2018, 4, 28, 11, 38, 54)
    assert first.sub_frame_path == r"D:\DATA\user\TS run1 [1].tiff"
    assert first.frame_name == "TS run1 [1].tiff"
    assert first.fields["NumSubFrames"] == "?"
    assert (second.tilt_angle, second.exposure_dose, second.exposure_time) == (2.013, None, None)
    assert second.acquired_at == datetime(2023, 1, 1, 0, 0, 59)
    assert second.frame_name == "TS_run1_2.eer"


def test_windows_writes_lines_and_letters_its_own_way(tmp_path: Path) -> None:
    text = written.MDOC.replace("NumSubFrames = ?", "Note = 5 µm").replace("\n", "\r\n").encode("latin-1")
    mdoc = read_mdoc(put(tmp_path, "a.mdoc", text))
    assert mdoc.sections[0].fields["Note"] == "5 µm"
    assert mdoc.sections[0].frame_name == "TS run1 [1].tiff"


@pytest.mark.parametrize("moment", ["28-Abc-18  11:38:54", "31-Feb-18  11:38:54", "28-Apr-18  25:38:54", "2018-04-28"])
def test_a_moment_that_is_none_is_unknown(tmp_path: Path, moment: str) -> None:
    mdoc = read_mdoc(put(tmp_path, "a.mdoc", f"[ZValue = 0]\nDateTime = {moment}\n"))
    assert mdoc.sections[0].acquired_at is None
    assert mdoc.sections[0].frame_name is None


@pytest.mark.parametrize("kind", ["FrameSet", "MontSection"])
def test_other_kinds_of_sections(tmp_path: Path, kind: str) -> None:
    (section,) = read_mdoc(put(tmp_path, "a.mdoc", f"[{kind} = 3]\nTiltAngle = 1\n")).sections
    assert (section.kind, section.z_value, section.tilt_angle) == (kind, 3, 1.0)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[ZValue = 0]\nTiltAngle = high\n", "a.mdoc:2: TiltAngle is no finite number: 'high'"),
        ("[ZValue = 0]\nTiltAngle = inf\n", "a.mdoc:2: TiltAngle is no finite number"),
        ("[ZValue = a]\n", "a.mdoc:1: ZValue is no finite number"),
        ("[ZValue = 0\n", "a.mdoc:1: a bracket does not end"),
        ("[Other = 0]\n", "a.mdoc:1: this section is not known"),
        ("[ZValue = 0]\nnonsense\n", "a.mdoc:2: expected a key and its value"),
        ("\n", "a.mdoc: this is no mdoc"),
        ("".join(f"k{n} = 1\n" for n in range(1001)), "a.mdoc:1001: expected a key and its value"),
    ],
)
def test_damaged_descriptions_are_refused(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(ReadError, match=why):
        read_mdoc(put(tmp_path, "a.mdoc", text))
