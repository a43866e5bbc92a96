"""OME-Zarr 0.1 to 0.5: images, plates, collections."""

from coverslip.readers.declared import Declared

__all__ = ["reader"]

reader = Declared(
    name="ome-zarr",
    title="OME-Zarr",
    extensions=(".ome.zarr", ".zarr", ".ngff", ".ome.zarr.zip", ".zarr.zip", ".ozx"),
    package="zarr",
    module="zarr",
    code="coverslip.readers.ome_zarr.reading:reader",
)
