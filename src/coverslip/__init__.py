"""Coverslip: self-hosted catalogue, viewer and export for microscopy and cryo-ET data."""

import importlib
from typing import TYPE_CHECKING

from coverslip import errors

if TYPE_CHECKING:
    from coverslip.loader import ImageLoader, ThumbnailGenerator
    from coverslip.model import Budgets, ImageMetadata, Region, RenderSpec
    from coverslip.readers import Image, ImageFile, open_image

    __version__: str

__all__ = [
    "Budgets",
    "Image",
    "ImageFile",
    "ImageLoader",
    "ImageMetadata",
    "Region",
    "RenderSpec",
    "ThumbnailGenerator",
    "__version__",
    "errors",
    "open_image",
]

_LATER = {
    **dict.fromkeys(("ImageLoader", "ThumbnailGenerator"), "coverslip.loader"),
    **dict.fromkeys(("Budgets", "ImageMetadata", "Region", "RenderSpec"), "coverslip.model"),
    **dict.fromkeys(("Image", "ImageFile", "open_image"), "coverslip.readers"),
}
"""Where names are from that are imported when they are asked for: help, a typing error or a single file need few."""


def __getattr__(name: str) -> object:
    if name == "__version__":
        return importlib.import_module("importlib.metadata").version("coverslip")
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(importlib.import_module(_LATER[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
