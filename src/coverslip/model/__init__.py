"""Frozen values that cross rooms. No I/O, no numpy. Records of the catalog are in ``model.records``."""

from coverslip.model.budgets import Budgets
from coverslip.model.metadata import (
    ChannelInfo,
    ImageMetadata,
    LabelsInfo,
    Level,
    MicroscopeInfo,
    ObjectiveInfo,
    PhysicalSize,
    TableInfo,
)
from coverslip.model.protocols import ByteSource, CanLabel, CanRead, Cell, OpenedFile, Probe, Reader
from coverslip.model.regions import Region
from coverslip.model.render import RenderSpec

__all__ = [
    "Budgets",
    "ByteSource",
    "CanLabel",
    "CanRead",
    "Cell",
    "ChannelInfo",
    "ImageMetadata",
    "LabelsInfo",
    "Level",
    "MicroscopeInfo",
    "ObjectiveInfo",
    "OpenedFile",
    "PhysicalSize",
    "Probe",
    "Reader",
    "Region",
    "RenderSpec",
    "TableInfo",
]
