from pathlib import Path

import pytest

from coverslip.demo.fields import fields_of_view
from tests.export.making import write_fields


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Return a folder of two small fields of view."""
    return write_fields(tmp_path / "data")


@pytest.fixture(scope="session")
def demo_fields(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the fields of view of the demo library. Nobody may change them."""
    root = tmp_path_factory.mktemp("library")
    for name, write in fields_of_view():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        write(root / name)
    return root / "xenograft_fovs" / "images"
