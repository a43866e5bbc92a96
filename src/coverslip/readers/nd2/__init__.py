"""Nikon ND2: positions, loops, calibrated sizes."""

from coverslip.readers.nd2.reader import reader

__all__ = ["reader"]
