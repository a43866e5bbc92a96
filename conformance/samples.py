"""Every file of the folder of samples: which reference reads it, or which documented error it has to give.

The first rule whose pattern fits counts. A file that no rule fits is a failure: it has to be looked at by a person.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from conformance import dialects, zarrs
from conformance import references as by
from conformance.row import Reference
from coverslip.errors import CoverslipError, ImageLoadError, MislabelledFileError, ReadError, UnsupportedFormatError

ZARR_DOCUMENTS = ("zarr.json", ".zgroup", ".zattrs", ".zarray")


@dataclass(frozen=True, slots=True)
class Rule:
    """What has to come of files."""

    pattern: str
    """Path in the folder of samples; ``*`` may stand for ``/`` too."""
    reference: Reference | None = None
    refused: type[CoverslipError] | None = None
    because: str = ""
    """Why a file is refused."""


ENDS_EARLY = "the bytes that it promises are not there"
NOT_DICOM_PIXELS = "no pixels, or nobody can say how they are coded"

REFUSED = (
    Rule("bad/lfs/*", refused=MislabelledFileError, because="the pointer that Git LFS leaves"),
    Rule("bad/ome-xml/*", refused=UnsupportedFormatError, because="OME-XML with its pixels in the document"),
    Rule("bad/mrc/TS_run2.rec", refused=ReadError, because="an image without pixels"),
    Rule("bad/broken_v05.ome.zarr", refused=ReadError, because="wells and levels that are listed and missing"),
    *(
        Rule(f"bad/dicom/{name}.dcm", refused=ReadError, because=NOT_DICOM_PIXELS)
        for name in ("meta_missing_tsyntax", "no_meta_group_length", "rtplan_truncated")
    ),
    Rule("dicom/no_meta.dcm", refused=ImageLoadError, because="neither a preamble nor pixels"),
    Rule("bad/image-tiff-fuzz/*", refused=ReadError, because=ENDS_EARLY),
    Rule("bad/tifftools/bad_header2.tif", refused=ReadError, because="a size of offsets that no TIFF has"),
    Rule("bad/tifftools/bad_jpeg2.tif", refused=ReadError, because="JPEG tables that are missing"),
    Rule("ome-tiff/qupath-cells/cells-1.jp2", refused=UnsupportedFormatError, because="JPEG 2000 alone is no format"),
    Rule("ome-zarr/plain-v3/*", refused=UnsupportedFormatError, because="arrays whose axes nobody wrote down"),
    Rule("portal/30001/RUN1/Frames/frame?", refused=UnsupportedFormatError, because="a placeholder"),
    Rule("portal/30001/*.mrc", refused=ReadError, because="an empty placeholder"),
    Rule("portal/annotation-fixtures/*", refused=UnsupportedFormatError, because="a mesh or points"),
    *(
        Rule(f"*.{ending}", refused=UnsupportedFormatError, because="a table")
        for ending in ("star", "tbl", "csv", "tlt", "rawtlt", "xf")
    ),
    *(
        Rule(f"*.{ending}", refused=UnsupportedFormatError, because="a text")
        for ending in ("md", "yml", "yaml", "json", "mdoc", "txt")
    ),
    *(
        Rule(f"derived/oif/*.{ending}", refused=UnsupportedFormatError, because="a part of an OIF without pixels")
        for ending in ("roi", "pty", "lut", "bmp")
    ),
)

READ = (
    Rule("czi/*.czi", by.by_czifile),
    Rule("derived/oif/*.oif", by.by_oiffile),
    Rule("dicom/series/*.dcm", by.by_pydicom_series),
    Rule("*.dcm", by.by_pydicom),
    Rule("*.dv", by.by_mrc),
    Rule("*.lif", by.by_liffile),
    Rule("mibi/mibitiff/*", by.by_tifffile_as_channels),
    Rule("mibi/v0.1.tiff", by.by_tifffile_as_channels),
    *(Rule(f"mrc/*.{ending}", by.by_mrcfile) for ending in ("mrc", "mrcs", "map", "rec", "st", "ccp4", "map.gz")),
    Rule("*.nd2", by.by_nd2),
    Rule("*.oib", by.by_oiffile),
    Rule("*.zarr", zarrs.by_zarr),
    Rule("ome-tiff/companion/*", by.by_tifffile_companion),
    Rule("tiff/imagexpress/*/ZStep_*.tif", dialects.by_tifffile_per_step),
    Rule("tiff/mitocheck-series/*.tif", dialects.by_tifffile_per_time),
    *(Rule(f"video/*.{ending}", by.by_av) for ending in ("avi", "mov", "mp4")),
    *(Rule(f"*.{ending}", by.by_opencv) for ending in ("png", "jpg")),
    *(Rule(f"*.{ending}", by.by_tifffile) for ending in ("tif", "tiff", "lsm", "stk")),
)

RULES = (*REFUSED, *READ)


def rule_of(name: str) -> Rule | None:
    """Return the rule for a file by its path in the folder of samples."""
    return next((rule for rule in RULES if fnmatchcase(name, rule.pattern)), None)


def things(folder: Path) -> Iterator[Path]:
    """Yield what is opened in a folder and below: its files, and Zarr folders as one."""
    for item in sorted(folder.iterdir()):
        if not item.is_dir() or any((item / name).is_file() for name in ZARR_DOCUMENTS):
            yield item
        else:
            yield from things(item)
