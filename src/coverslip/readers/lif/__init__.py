"""Leica LIF: a container of many images."""

from coverslip.readers.lif.reader import reader

__all__ = ["reader"]
