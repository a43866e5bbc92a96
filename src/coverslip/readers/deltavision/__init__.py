"""DeltaVision: ``.dv``, ``.r3d``, ``.d3d``."""

from coverslip.readers.deltavision.reader import reader

__all__ = ["reader"]
