"""OME-TIFF sets whose OME-XML is in a file of its own, ``*.companion.ome``: any file of the set opens the whole.

https://docs.openmicroscopy.org/ome-model/latest/ome-tiff/specification.html (Multi-file OME-TIFF, partial metadata)
"""

from contextlib import ExitStack
from pathlib import Path

from coverslip.errors import ReadError
from coverslip.model import Probe
from coverslip.readers.budgets import check_xml_bytes
from coverslip.readers.tiff import ome_xml
from coverslip.readers.tiff.reading import MAGIC, OpenTiff
from coverslip.readers.tiff_outline import outline

ENDING = ".companion.ome"


class _Companion:
    """Opens companion files, and TIFFs that name one that is beside them."""

    def recognises(self, probe: Probe) -> bool:
        """Return whether this is OME-XML that names TIFFs, or a TIFF that names a companion which is there."""
        if probe.is_folder:
            return False
        if probe.head.startswith(MAGIC):
            return _companion_of(probe.path) is not None
        is_ome = probe.head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<") and b"<OME" in probe.head
        return is_ome and (probe.path.name.lower().endswith(ENDING) or b"FileName=" in probe.head)

    def open(self, path: Path) -> OpenTiff:
        """Open the set and read the directories of its TIFFs, not their pixels.

        Raises
        ------
        ReadError
            The companion is damaged, or none of the TIFFs that it names is in its folder.
        """
        from tifffile import TiffFile  # noqa: PLC0415  # a missing package must not break the other readers

        companion = _companion_of(path) or path
        check_xml_bytes(companion.stat().st_size)
        text = companion.read_text(encoding="utf-8-sig")
        ome = ome_xml.parse(text)
        if ome is None:
            raise ReadError(f"{companion}: its OME-XML is damaged. Copy it again from its source")
        confined, refused = ome_xml.confine(text, companion.parent)
        named = sorted(ome_xml.member_names(ome_xml.parse(confined) or {}))
        there = [companion.parent / name for name in named if (companion.parent / name).is_file()]
        if not there:
            what = f"; not followed out of the folder: {', '.join(refused[:3])}" if refused else ""
            raise ReadError(f"{companion}: none of the TIFFs that it names is beside it{what}")
        with ExitStack() as undo:
            tif = undo.enter_context(TiffFile(there[0], omexml=confined, is_ome=True))
            opened = OpenTiff(tif, path, companion=(companion, confined, refused))
            undo.pop_all()
        return opened


reader = _Companion()


def _companion_of(path: Path) -> Path | None:
    """Return the companion that a TIFF names, if it lies in the same folder."""
    found = outline(path)
    if found is None or not found.metadata_file:
        return None
    name = ome_xml.inside(found.metadata_file, path.parent.resolve())
    companion = path.parent / name
    return companion if name and companion.is_file() else None
