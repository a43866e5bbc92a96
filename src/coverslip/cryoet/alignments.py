"""Alignments of tilt series: files of IMOD or AreTomo 3 -> what was done to each section.

The sections are described as the CryoET Data Portal does: a point of the specimen, relative to the centre of the
volume, is turned by ``volume_x_rotation`` about x, projected at ``tilt_angle`` about y, then turned in the plane by
``in_plane_rotation`` and moved by the offset, which gives its place relative to the centre of the unaligned image.
Offsets and sizes are pixels of the unbinned tilt series.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coverslip.cryoet import aretomo, imod_alignment
from coverslip.cryoet.sections import Section
from coverslip.errors import InvalidRequestError

IMOD_ROLES = {
    "xf": (".xf",),
    "tlt": (".tlt",),
    "xtilt": (".xtilt", ".tltx"),
    "tilt_com": ("tilt.com",),
    "newst_com": ("newst.com",),
}
"""What the files of an IMOD alignment are, by how their names end."""


@dataclass(frozen=True, slots=True)
class Alignment:
    """An alignment of one tilt series."""

    file_format: str
    """``"IMOD"`` or ``"ARETOMO3"``."""
    sections: tuple[Section, ...]
    """Those that were used, by their number in the tilt series."""
    tilt_offset: float = 0.0
    """What the program added to all tilt angles, in degrees."""
    x_rotation_offset: float = 0.0
    """What the program turned the whole volume about x, in degrees."""
    volume_size: tuple[float, float, float] | None = None
    """Of the reconstruction, x, y, z, in pixels of the unbinned tilt series; ``None`` where no file says it."""
    volume_shift: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """What the program moved the material in the reconstruction, x, y, z, in pixels of the unbinned tilt series."""
    binning: float = 1.0
    """How many pixels of the tilt series one pixel of the aligned stack, or of the reconstruction, is wide."""

    def section_documents(self) -> list[dict[str, Any]]:
        """Return the sections as ``per_section_alignment_parameters`` of the portal's ``alignment_metadata.json``."""
        return [
            {
                "z_index": each.z_index,
                "tilt_angle": each.tilt_angle,
                "volume_x_rotation": each.volume_x_rotation,
                "in_plane_rotation": [list(row) for row in each.in_plane_rotation],
                "x_offset": each.x_offset,
                "y_offset": each.y_offset,
            }
            for each in self.sections
        ]


def read_alignment(paths: Sequence[Path], file_format: str) -> Alignment:
    """Return the alignment that several files describe together.

    Parameters
    ----------
    paths
        For IMOD ``.xf`` and ``.tlt``, and where there are any ``.xtilt`` (or ``.tltx``), ``tilt.com`` and
        ``newst.com``; for AreTomo 3 one ``.aln``. Files with other endings are not looked at.
    file_format
        ``"IMOD"`` or ``"ARETOMO3"``.

    Raises
    ------
    InvalidRequestError
        There is no such format, a file is missing, or there are two of one kind.
    UnreadableFileError
        The system did not let us look.
    ReadError
        A file is damaged, or they do not have the same number of sections.
    """
    if file_format == "ARETOMO3":
        return _read_aretomo(_role(paths, ".aln", needed=True))
    if file_format != "IMOD":
        raise InvalidRequestError(f"there is no format {file_format!r} of an alignment. There are: IMOD, ARETOMO3")
    found = {role: _role(paths, *endings, needed=role in {"xf", "tlt"}) for role, endings in IMOD_ROLES.items()}
    return _read_imod(found)


def _role(paths: Sequence[Path], *endings: str, needed: bool) -> Path | None:
    """Return the one file whose name ends so."""
    found = [path for path in paths if path.name.endswith(endings)]
    if len(found) > 1 or (needed and not found):
        names = ", ".join(path.name for path in found) or "none"
        raise InvalidRequestError(f"expected one file whose name ends with {' or '.join(endings)}, found {names}")
    return found[0] if found else None


def _read_aretomo(path: Path | None) -> Alignment:
    assert path is not None
    aln = aretomo.read_aln(path)
    width, height, _ = aln.raw_size
    size = None if aln.thickness is None else (float(width), float(height), aln.thickness)
    return Alignment("ARETOMO3", aln.sections, aln.alpha_offset, aln.beta_offset, size)


def _read_imod(found: dict[str, Path | None]) -> Alignment:
    tilt = imod_alignment.read_tilt_com(found["tilt_com"]) if found["tilt_com"] else imod_alignment.TiltCom()
    newst = imod_alignment.read_newst_com(found["newst_com"]) if found["newst_com"] else imod_alignment.NewstCom()
    xf, tlt = found["xf"], found["tlt"]
    assert xf is not None
    assert tlt is not None
    sections = imod_alignment.read_sections(xf, tlt, found["xtilt"], excluded=tilt.excluded)
    size = None
    if tilt.full_image is not None and tilt.thickness is not None:
        size = (*tilt.full_image, tilt.thickness)
    return Alignment(
        "IMOD",
        sections,
        tilt.offset,
        tilt.x_axis_tilt,
        size,
        (tilt.shift[0], 0.0, tilt.shift[1]),
        tilt.binning if found["tilt_com"] else newst.binning,
    )
