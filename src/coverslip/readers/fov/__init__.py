"""FOV folders: one TIFF for each channel of a field of view, with label masks and a cell table beside them."""

from coverslip.readers.fov.reader import reader

__all__ = ["reader"]
