"""PNG and JPEG: one image of one plane."""

from coverslip.readers.picture.reader import reader

__all__ = ["reader"]
