"""NIfTI-1 and NIfTI-2 in one file: ``.nii``, ``.nii.gz``."""

from coverslip.readers.nifti.reader import reader

__all__ = ["reader"]
