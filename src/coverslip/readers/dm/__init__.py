"""Gatan DigitalMicrograph: DM3 and DM4."""

from coverslip.readers.declared import Declared

__all__ = ["reader"]

reader = Declared(
    name="dm",
    title="Gatan DigitalMicrograph",
    extensions=(".dm3", ".dm4"),
    package="numpy",
    module="numpy",
    code="coverslip.readers.dm.reading:reader",
)
