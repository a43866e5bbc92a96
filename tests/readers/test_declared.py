import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from coverslip.readers import load, readers
from coverslip.readers.declared import Declared

OTHERS = ("czi", "dicom", "imaris", "lif", "mrc", "nd2", "nifti", "oif", "ome_zarr", "picture", "video")


def test_opening_a_tiff_loads_no_reader_of_another_format(tmp_path: Path) -> None:
    path = tmp_path / "one.tif"
    tifffile.imwrite(path, np.zeros((4, 5), np.uint16))
    code = f"import sys, coverslip; print(coverslip.open_image({str(path)!r}).reader, *sorted(sys.modules))"
    reader, *loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert reader == "tiff"
    assert "coverslip.readers.tiff.reading" in loaded
    assert not {f"coverslip.readers.{name}.reading" for name in OTHERS} & set(loaded)
    assert not {"coverslip.settings", "pydantic_settings", "zarr", "nd2", "czifile"} & set(loaded)


@pytest.mark.parametrize("name", sorted(readers()))
def test_what_is_declared_is_there(name: str) -> None:
    reader = readers()[name]
    assert isinstance(reader, Declared)
    assert reader.name == name
    assert all(ending == ending.lower() and ending.startswith(".") for ending in reader.extensions)
    assert callable(reader.whole.recognises)
    assert callable(reader.whole.open)


def test_optional_abilities_are_those_of_the_code() -> None:
    known = readers()
    assert known["fov"].reads_sets  # type: ignore[attr-defined]  # optional
    assert callable(getattr(known["fov"], "whole_of", None))
    assert getattr(known["czi"], "whole_of", None) is None
    assert callable(getattr(known["nd2"], "reads_ranges", None))


def test_everything_can_be_loaded_ahead() -> None:
    load()
    assert {f"coverslip.readers.{name}.reading" for name in OTHERS} <= set(sys.modules)
