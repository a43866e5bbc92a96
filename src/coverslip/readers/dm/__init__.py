"""Gatan DigitalMicrograph: DM3 and DM4."""

from coverslip.readers.dm.reader import reader

__all__ = ["reader"]
