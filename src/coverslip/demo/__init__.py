"""A small library of realistic pictures, and a whole deposition, made from nothing, the same every time."""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from coverslip.demo.deposition import Example, write_deposition
    from coverslip.demo.fields import write_fields
    from coverslip.demo.library import make_library

__all__ = ["Example", "make_library", "write_deposition", "write_fields"]

_LATER = {
    "make_library": "coverslip.demo.library",
    "write_fields": "coverslip.demo.fields",
    **dict.fromkeys(("Example", "write_deposition"), "coverslip.demo.deposition"),
}
"""Where names are from that are imported when they are asked for: a command that makes nothing needs no numpy."""


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(importlib.import_module(_LATER[name]), name)
    globals()[name] = found
    return found
