"""MRC and its family: tomograms, tilt series, maps, stacks."""

from coverslip.readers.mrc.reader import reader

__all__ = ["reader"]
