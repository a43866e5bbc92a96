"""File -> metadata and pixels. One package per format, found by entry point; they are strangers to each other."""

from coverslip.readers.budgets import within
from coverslip.readers.image import Image, ImageFile
from coverslip.readers.registry import (
    Format,
    extensions,
    formats,
    install_command,
    load,
    open_image,
    readers,
    recognise,
    signature,
    whole_of,
)

__all__ = [
    "Format",
    "Image",
    "ImageFile",
    "extensions",
    "formats",
    "install_command",
    "load",
    "open_image",
    "readers",
    "recognise",
    "signature",
    "whole_of",
    "within",
]
