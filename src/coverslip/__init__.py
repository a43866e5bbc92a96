"""Coverslip: self-hosted catalogue, viewer and export for microscopy and cryo-ET data."""

from importlib.metadata import version

from coverslip import errors
from coverslip.model import ImageMetadata, Region, RenderSpec
from coverslip.readers import Image, ImageFile, open_image

__version__ = version("coverslip")

__all__ = ["Image", "ImageFile", "ImageMetadata", "Region", "RenderSpec", "__version__", "errors", "open_image"]
