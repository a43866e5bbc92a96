"""Nikon ND2: positions, loops, calibrated sizes."""

from coverslip.readers.declared import Declared

__all__ = ["reader"]

reader = Declared(
    name="nd2",
    title="Nikon ND2",
    extensions=(".nd2",),
    package="nd2",
    module="nd2",
    code="coverslip.readers.nd2.reading:reader",
)
