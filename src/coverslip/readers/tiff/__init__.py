"""The TIFF family: TIFF, BigTIFF, OME-TIFF, ImageJ, LSM, STK, slide scanners, EER."""

from coverslip.readers.tiff.eer import eer_reader
from coverslip.readers.tiff.reader import reader

__all__ = ["eer_reader", "reader"]
