"""Numbered sets: one image in many one-plane TIFFs whose names count time points, channels and slices."""

from coverslip.readers.declared import Declared

__all__ = ["reader"]

reader = Declared(
    name="numbered",
    title="Numbered TIFF files",
    extensions=(".tif", ".tiff", ".stk"),
    package="tifffile",
    module="tifffile",
    code="coverslip.readers.numbered.reading:reader",
    reads_sets=True,
)
