"""Widgets for Jupyter: pictures in bulk, and looking at an image. Needs ``pip install "coverslip[notebook]"``."""

import importlib
from typing import TYPE_CHECKING

from coverslip.errors import MissingDependencyError

if TYPE_CHECKING:
    from coverslip.notebook.batch_export import BatchExport
    from coverslip.notebook.viewer import Viewer

__all__ = ["BatchExport", "Viewer"]

_LATER = {"BatchExport": "coverslip.notebook.batch_export", "Viewer": "coverslip.notebook.viewer"}


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        importlib.import_module("anywidget")
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f'{name} needs the package anywidget: pip install "coverslip[notebook]"', "anywidget"
        ) from error
    found: object = getattr(importlib.import_module(_LATER[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
