"""Images as OME-Zarr: a store that is made as it is read, and folders on disk. Knows what can be read, no reader."""

from coverslip.ngff.adapter import to_store
from coverslip.ngff.documents import Color
from coverslip.ngff.encoding import Version
from coverslip.ngff.mrc import MrcWriter, write_mrc
from coverslip.ngff.once import write_once
from coverslip.ngff.store import VirtualStore
from coverslip.ngff.volume_source import Statistics, VolumeSource
from coverslip.ngff.volumes import PLANE_CHUNK, VolumeFacts, write_volume
from coverslip.ngff.writer import write

__all__ = [
    "PLANE_CHUNK",
    "Color",
    "MrcWriter",
    "Statistics",
    "Version",
    "VirtualStore",
    "VolumeFacts",
    "VolumeSource",
    "to_store",
    "write",
    "write_mrc",
    "write_once",
    "write_volume",
]
