"""TIFF and its dialects: BigTIFF, OME-TIFF, ImageJ, LSM, STK, whole-slide and electron microscopes' TIFFs."""

from coverslip.readers.tiff.reader import reader

__all__ = ["reader"]
