"""Coverslip: self-hosted catalogue, viewer and export for microscopy and cryo-ET data."""

import importlib
from importlib.metadata import version
from typing import TYPE_CHECKING

from coverslip import errors
from coverslip.model import Budgets, ImageMetadata, Region, RenderSpec
from coverslip.readers import Image, ImageFile, open_image

if TYPE_CHECKING:
    from coverslip.loader import ImageLoader, ThumbnailGenerator

__version__ = version("coverslip")

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


def __getattr__(name: str) -> object:
    # drawing needs OpenCV: whoever only opens files does not wait for it
    if name in {"ImageLoader", "ThumbnailGenerator"}:
        return getattr(importlib.import_module("coverslip.loader"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
