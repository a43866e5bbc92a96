"""Which cells a request means."""

from pathlib import Path
from typing import Any

import pytest

from coverslip.errors import NotFoundError
from coverslip.export import Job


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ({"ids": ["B:7", "2", 99999, "C:1"]}, r"there is no cell in .*cell_table\.csv: '99999', 'C:1'$"),
        ({"clusters": ["immune", "imune"]}, r"there is no cluster in the column 'cluster' of .*: 'imune'$"),
    ],
)
def test_cells_that_are_named_and_not_there_are_said(
    images: Path, tmp_path: Path, choice: dict[str, Any], said: str
) -> None:
    with pytest.raises(NotFoundError, match=said):
        Job("cells", {"data": images, **choice}, "Two", tmp_path).dry_run()
