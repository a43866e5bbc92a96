"""What lies in a bucket or folder already, in the layout of the CryoET Data Portal -> entities of the catalog."""

import importlib
from typing import TYPE_CHECKING

from coverslip.ingest.importing.found import Batch, Found, Problem
from coverslip.ingest.importing.reading import Top, open_layout, read_layout

if TYPE_CHECKING:
    from coverslip.ingest.importing.report import ImportReport
    from coverslip.ingest.importing.writing import import_layout

__all__ = [
    "Batch",
    "Found",
    "ImportReport",
    "Problem",
    "Top",
    "import_layout",
    "open_layout",
    "read_layout",
]

_LATER = {
    "ImportReport": "coverslip.ingest.importing.report",
    "import_layout": "coverslip.ingest.importing.writing",
}
"""Where names are from that are imported when they are asked for: to look at a layout needs no catalog."""


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(importlib.import_module(_LATER[name]), name)
    globals()[name] = found
    return found
