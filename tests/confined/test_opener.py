"""Whose files are confined, and within which budgets."""

from pathlib import Path
from typing import Any

import pytest

from coverslip.confined import Opener
from coverslip.errors import BudgetError
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
