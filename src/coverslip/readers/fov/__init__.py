"""FOV folders: one TIFF for each channel of a field of view, with label masks and a cell table beside them."""

from coverslip.readers.declared import Declared

__all__ = ["reader"]

reader = Declared(
    name="fov",
    title="FOV folder (one TIFF per channel)",
    extensions=(),
    package="tifffile",
    module="tifffile",
    code="coverslip.readers.fov.reading:reader",
    reads_sets=True,
    only_folders=True,
)
