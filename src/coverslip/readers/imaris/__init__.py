"""Imaris 5.5: HDF5 in the layout of ``.ims``."""

from coverslip.readers.imaris.reader import reader

__all__ = ["reader"]
