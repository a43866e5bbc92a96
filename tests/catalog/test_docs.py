import re
from pathlib import Path
from typing import get_args

import pytest

from coverslip.catalog.tables import Base
from coverslip.model import records
from coverslip.model.records import AssetState, Origin

PAGE = (Path(__file__).parents[2] / "docs" / "catalog.md").read_text(encoding="utf-8")


def described(table: str) -> dict[str, str]:
    """Return what the page says of each column of a table."""
    section = re.search(rf"^## {table}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert section is not None, f"docs/catalog.md has no section {table}"
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \|", section[1], re.MULTILINE)
    return dict(rows)


@pytest.mark.parametrize("table", sorted(Base.metadata.tables))
def test_every_column_is_explained_and_no_other(table: str) -> None:
    assert list(described(table)) == [column.name for column in Base.metadata.tables[table].columns]


def test_every_state_and_origin_is_explained() -> None:
    asset = described("asset")
    for column, words in {"state": get_args(AssetState), "origin": get_args(Origin)}.items():
        for word in words:
            assert f"`{word}`" in asset[column]


def test_every_type_of_event_is_explained() -> None:
    in_code = set(re.findall(r"``((?:image|artifact)\.\w+)``", Path(records.__file__).read_text(encoding="utf-8")))
    assert in_code
    assert set(re.findall(r"`((?:image|artifact)\.\w+)`", described("event")["type"])) == in_code
