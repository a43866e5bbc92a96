"""File -> metadata and pixels. One module per format, found by entry point; the modules are strangers to each other."""

from coverslip.readers.image import Image, ImageFile
from coverslip.readers.registry import Format, extensions, formats, open_image, readers, recognise, signature

__all__ = ["Format", "Image", "ImageFile", "extensions", "formats", "open_image", "readers", "recognise", "signature"]
