"""Catalogs for the tests of ingest."""

from pathlib import Path

from coverslip import derive
from coverslip.catalog import Catalog


def open_catalog(home: Path) -> Catalog:
    """Return a new catalog."""
    return derive.open_catalog(f"sqlite:///{home / 'catalog.sqlite'}")
