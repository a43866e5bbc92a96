"""Olympus OIB and OIF: the files of FluoView confocal microscopes."""

from coverslip.readers.oif.reader import reader

__all__ = ["reader"]
