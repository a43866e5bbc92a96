"""Zeiss CZI: scenes, mosaics, pyramids."""

from coverslip.readers.declared import Declared

__all__ = ["reader"]

reader = Declared(
    name="czi",
    title="Zeiss CZI",
    extensions=(".czi",),
    package="czifile",
    module="czifile",
    code="coverslip.readers.czi.reading:reader",
)
