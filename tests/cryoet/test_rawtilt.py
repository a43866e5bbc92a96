"""Lists of tilt angles: values by hand."""

from pathlib import Path

import pytest

from coverslip.cryoet.rawtilt import read_tilt_angles
from coverslip.errors import ReadError, UnreadableFileError
from tests.cryoet.written import put


def test_angles_are_the_first_numbers_of_lines(tmp_path: Path) -> None:
    assert read_tilt_angles(put(tmp_path, "a.rawtlt", "-60.01\r\n 0 1 2\n\n# no angle\n+59.9\n")) == (-60.01, 0.0, 59.9)


@pytest.mark.parametrize("text", ["", "\n", "x\n", "0\nnan\n", "361\n", "-1e9\n", "\0"])
def test_what_is_no_list_of_angles_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(ReadError, match=r"a\.rawtlt"):
        read_tilt_angles(put(tmp_path, "a.rawtlt", text))


def test_a_file_that_is_not_there_is_unknown_and_not_damaged(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError):
        read_tilt_angles(tmp_path / "a.rawtlt")


def test_a_real_list_is_read(samples: Path) -> None:
    path = samples / "mrc/cryoet-portal/10001_input/metadata/TS_run1.rawtlt"
    assert read_tilt_angles(path) == (-4.38, -1.98, 0.0, 2.013)
