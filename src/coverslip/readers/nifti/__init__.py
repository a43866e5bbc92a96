"""NIfTI-1 and NIfTI-2 in one file: ``.nii``, ``.nii.gz``."""

from coverslip.readers.declared import Declared

__all__ = ["reader"]

reader = Declared(
    name="nifti",
    title="NIfTI",
    extensions=(".nii.gz", ".nii"),
    package="numpy",
    module="numpy",
    code="coverslip.readers.nifti.reading:reader",
)
