"""Files become catalog entries: look, open what is new or changed, write in one transaction.

Depositions of electron tomography are read from YAML in ``deposition``, which needs no catalog and no reader.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from coverslip.ingest.adding import add, add_upload
    from coverslip.ingest.report import AddItem, AddReport

__all__ = ["AddItem", "AddReport", "add", "add_upload"]

_LATER = {
    **dict.fromkeys(("add", "add_upload"), "coverslip.ingest.adding"),
    **dict.fromkeys(("AddItem", "AddReport"), "coverslip.ingest.report"),
}
"""Where names are from that are imported when they are asked for: checking a config needs no catalog and no reader."""


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(importlib.import_module(_LATER[name]), name)
    globals()[name] = found
    return found
