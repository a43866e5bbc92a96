"""Leica LIF: a container of many images."""

from coverslip.readers.declared import Declared

__all__ = ["reader"]

reader = Declared(
    name="lif",
    title="Leica LIF",
    extensions=(".lif",),
    package="liffile",
    module="liffile",
    code="coverslip.readers.lif.reading:reader",
)
