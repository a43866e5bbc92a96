"""DICOM: single and multi-frame images."""

from coverslip.readers.dicom.reader import reader

__all__ = ["reader"]
