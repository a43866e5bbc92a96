"""Olympus OIB and OIF: the files of FluoView confocal microscopes."""

from coverslip.readers.declared import Declared

__all__ = ["reader"]

reader = Declared(
    name="oif",
    title="Olympus OIB and OIF",
    extensions=(".oib", ".oif"),
    package="oiffile",
    module="oiffile",
    code="coverslip.readers.oif.reading:reader",
)
