"""Images as OME-Zarr: a store that is made as it is read, and folders on disk. Knows what can be read, no reader."""

from coverslip.ngff.adapter import to_store
from coverslip.ngff.documents import Color
from coverslip.ngff.encoding import Version
from coverslip.ngff.store import VirtualStore
from coverslip.ngff.writer import write

__all__ = ["Color", "Version", "VirtualStore", "to_store", "write"]
