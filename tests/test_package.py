"""The package as a whole: what importing it costs and offers."""

import subprocess
import sys

import pytest

import coverslip
from coverslip import errors

HEAVY = (
    "sqlalchemy",
    "fastapi",
    "zarr",
    "cv2",
    "tifffile",
    "czifile",
    "nd2",
    "liffile",
    "mrcfile",
    "alembic",
    "uvicorn",
)


def test_importing_coverslip_is_light() -> None:
    code = "import sys, coverslip; print(*sorted(set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(HEAVY).isdisjoint(done.stdout.split())


def test_listing_formats_imports_no_format_library() -> None:
    code = "import sys; from coverslip.readers import formats; formats(); print(*sorted(set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"zarr", "tifffile", "czifile", "nd2", "liffile", "mrcfile"}.isdisjoint(done.stdout.split())


@pytest.mark.parametrize("name", coverslip.__all__)
def test_the_front_door_is_complete(name: str) -> None:
    assert getattr(coverslip, name) is not None


def test_every_error_is_in_the_tree_drawn_in_the_docstring() -> None:
    ours = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]
    assert len(ours) >= 12
    assert [kind.__name__ for kind in ours if kind.__name__ not in (errors.__doc__ or "")] == []
    assert all(issubclass(kind, errors.CoverslipError) for kind in ours)
