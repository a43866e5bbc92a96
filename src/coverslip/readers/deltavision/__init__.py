"""DeltaVision: ``.dv``, ``.r3d``, ``.d3d``."""

from coverslip.readers.declared import Declared

__all__ = ["reader"]

reader = Declared(
    name="deltavision",
    title="DeltaVision",
    extensions=(".dv", ".r3d", ".d3d"),
    package="numpy",
    module="numpy",
    code="coverslip.readers.deltavision.reading:reader",
)
