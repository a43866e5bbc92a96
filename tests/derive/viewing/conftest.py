"""Fixtures of what shows tomograms."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.derive.portal import Portal


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[Portal]:
    portal = Portal.open(tmp_path / "portal")
    with portal.catalog:
        yield portal
