"""OME-Zarr 0.1 to 0.5: images, plates, collections."""

from coverslip.readers.ome_zarr.reader import reader

__all__ = ["reader"]
