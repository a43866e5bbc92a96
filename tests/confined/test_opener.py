"""Whose files are confined, and within which budgets."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from coverslip.confined import Opener
from coverslip.errors import BudgetError, ReadError
from coverslip.settings import Settings
from tests.readers.generate_mrc import make_mrc


@pytest.mark.parametrize(
    ("confine", "confined"), [("uploads", [True, True, False]), ("all", [True] * 3), ("none", [False] * 3)]
)
def test_the_setting_decides(confine: Any, confined: list[bool], tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", confine=confine)
    (settings.uploads_folder / "1").mkdir(parents=True)
    uploaded = next(iter(make_mrc(settings.uploads_folder / "1")))
    added = tmp_path / uploaded.name
    added.write_bytes(uploaded.read_bytes())
    (tmp_path / "link").symlink_to(settings.uploads_folder)
    found = []
    for path in (uploaded, tmp_path / "link" / "1" / uploaded.name, added):
        with Opener(settings) as opener, opener.open_image(path) as file:
            file.images[0].plane()
            found.append(bool(opener._pool.pids))
    assert found == confined


@pytest.mark.parametrize("confine", ["all", "none"])
def test_budgets_hold_for_all_files_and_name_their_setting(confine: Any, tmp_path: Path) -> None:
    path = next(iter(make_mrc(tmp_path)))
    with (
        Opener(Settings(home=tmp_path, confine=confine, budget_pixels=7)) as opener,
        pytest.raises(BudgetError, match=r"pixels; 7 may be\. .*raise COVERSLIP_BUDGET_PIXELS") as told,
    ):
        opener.open_image(path)
    assert str(told.value).startswith(f"{path}: the image ")
    assert (told.value.budget, told.value.allowed) == ("pixels", 7)


def test_sets_of_several_folders_open_where_all_files_are_confined(tmp_path: Path) -> None:
    planes = [tmp_path / name for name in ("FOV1/CD4.tif", "masks/FOV1_cell.tif", "ms/TimePoint_1/p_w1.tif")]
    planes.append(tmp_path / "ms" / "TimePoint_2" / "p_w1.tif")
    for plane in planes:
        plane.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(plane, np.ones((16, 16), np.uint16))
    with Opener(Settings(home=tmp_path / "home", confine="all")) as opener:
        with opener.open_image(tmp_path / "FOV1") as field:
            assert [label.metadata.name for label in field.images[0].labels] == ["cell"]
        with opener.open_image(planes[2]) as numbered:
            assert (numbered.files, numbered.images[0].metadata.size_t) == (tuple(planes[2:]), 2)
            assert np.array_equal(np.asarray(numbered.images[0].to_dask())[1, 0, 0], np.ones((16, 16)))
    uploads = tmp_path / "home" / "uploads"
    uploads.mkdir(parents=True)
    for folder in ("FOV1", "masks"):
        (tmp_path / folder).rename(uploads / folder)
    with Opener(Settings(home=tmp_path / "home")) as opener, pytest.raises(ReadError, match="outside of"):
        opener.open_image(uploads / "FOV1")


def test_cell_tables_are_read_where_all_files_are_confined(tmp_path: Path) -> None:
    (tmp_path / "FOV1").mkdir()
    tifffile.imwrite(tmp_path / "FOV1" / "CD4.tif", np.ones((16, 16), np.uint16))
    (tmp_path / "cell_table.csv").write_text("fov,label,type\nFOV1,1,B\nFOV2,1,T\n")
    settings = Settings(home=tmp_path / "home", confine="all")
    with Opener(settings) as opener, opener.open_image(tmp_path / "FOV1") as field:
        assert field.images[0].rows() == [{"fov": "FOV1", "label": 1, "type": "B"}]
