"""OME-TIFF sets with a companion file, see ``companion_set``."""

from coverslip.readers.declared import Declared

__all__ = ["reader"]

reader = Declared(
    name="ome-companion",
    title="OME-TIFF with a companion file",
    extensions=(".companion.ome",),
    package="tifffile",
    module="tifffile",
    code="coverslip.readers.tiff.companion_set:reader",
    reads_sets=True,
)
