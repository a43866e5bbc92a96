"""DICOM: single and multi-frame images."""

from coverslip.readers.declared import Declared

__all__ = ["reader"]

reader = Declared(
    name="dicom",
    title="DICOM",
    extensions=(".dicom", ".dcm"),
    package="pydicom",
    module="pydicom",
    code="coverslip.readers.dicom.reading:reader",
)
