"""Imaris 5.5: HDF5 in the layout of ``.ims``."""

from coverslip.readers.declared import Declared

__all__ = ["reader"]

reader = Declared(
    name="imaris",
    title="Imaris",
    extensions=(".ims",),
    package="h5py",
    module="h5py",
    code="coverslip.readers.imaris.reading:reader",
    experimental=True,
)
