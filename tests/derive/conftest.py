"""Fixtures of the derive tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.derive.lab import Lab


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    lab = Lab.open(tmp_path)
    with lab.catalog:
        yield lab
