"""Frozen values that cross rooms. No I/O, no numpy. Records of the catalog are in ``model.records``."""

from coverslip.model.metadata import (
    ChannelInfo,
    ImageMetadata,
    Level,
    MicroscopeInfo,
    ObjectiveInfo,
    PhysicalSize,
)
from coverslip.model.protocols import ByteSource, CanRead, OpenedFile, Probe, Reader
from coverslip.model.regions import Region
from coverslip.model.render import RenderSpec

__all__ = [
    "ByteSource",
    "CanRead",
    "ChannelInfo",
    "ImageMetadata",
    "Level",
    "MicroscopeInfo",
    "ObjectiveInfo",
    "OpenedFile",
    "PhysicalSize",
    "Probe",
    "Reader",
    "Region",
    "RenderSpec",
]
