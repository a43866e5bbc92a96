"""Coverslip: self-hosted catalogue, viewer and export for microscopy and cryo-ET data."""

import importlib
from typing import TYPE_CHECKING

from coverslip import errors
from coverslip.model import Budgets, ImageMetadata, Region
from coverslip.readers import Image, ImageFile, open_image

if TYPE_CHECKING:
    from coverslip.loader import ImageLoader, ThumbnailGenerator
    from coverslip.model import RenderSpec

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
    "ImageLoader": "coverslip.loader",
    "RenderSpec": "coverslip.model.render",
    "ThumbnailGenerator": "coverslip.loader",
}


def __getattr__(name: str) -> object:
    # whoever only opens files does not wait for what drawing needs
    if name == "__version__":
        return importlib.import_module("importlib.metadata").version("coverslip")
    if name in _LATER:
        return getattr(importlib.import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
