"""Zeiss CZI: scenes, mosaics, pyramids."""

from coverslip.readers.czi.reader import reader

__all__ = ["reader"]
