"""A layout with one run to try recipes in."""

from pathlib import Path

import pytest

from tests.ingest.deposition.recipes.bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)
