"""Numbered sets: one image in many one-plane TIFFs whose names count time points, channels and slices."""

from coverslip.readers.numbered.reader import reader

__all__ = ["reader"]
