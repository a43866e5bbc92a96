"""Ways of storing pixels that are not read are refused by name when a file is opened, before anybody asks for pixels.

TIFF 6.0, sections 21 (Y, Cb, Cr) and 22 (old-style JPEG), and the registry of compressions in tifffile.
"""

from typing import TYPE_CHECKING

from coverslip.errors import ReadError

if TYPE_CHECKING:
    from tifffile import TiffPage

NAMES = {
    6: "old-style JPEG, whose tables stand apart from the pixels",
    32809: "ThunderScan",
    34676: "LogLuv of 32 bits (SGILog)",
    34677: "LogLuv of 24 bits (SGILog24)",
    34661: "JBIG",
}
"""What people call the compressions that some files have and that are not read."""
OLD_JPEG = 6
JPEGS = (6, 7, 34892, 33007)
"""Compressions that decode subsampled colours by themselves."""
YCBCR = 6
SOI = b"\xff\xd8"
"""How whole JPEGs begin."""
ADVICE = "Save the image in another way, for example as LZW or Deflate"


def check_codec(key: "TiffPage") -> None:
    """Refuse a compression that nobody decodes, and colours stored at a lower resolution outside of JPEG.

    Parameters
    ----------
    key
        A page of the series.

    Raises
    ------
    ReadError
        Names the compression.
    """
    from tifffile import COMPRESSION, TIFF  # noqa: PLC0415  # loaded on use, like every format library

    code = int(key.compression)
    known = {item.value: item.name for item in COMPRESSION}
    name = NAMES.get(code) or known.get(code, "unknown")
    if code not in TIFF.DECOMPRESSORS or (code == OLD_JPEG and not _is_whole_jpeg(key)):
        raise ReadError(f"pixels of compression {code} ({name}) are not read. {ADVICE}")
    subsampling = key.subsampling if key.photometric == YCBCR else None
    if subsampling not in (None, (1, 1)) and code not in JPEGS:
        across, down = subsampling
        raise ReadError(
            f"Y, Cb, Cr colours of which {across} x {down} pixels share one Cb and Cr are read from JPEG only, "
            f"not from compression {code} ({name}). {ADVICE}"
        )


def _is_whole_jpeg(key: "TiffPage") -> bool:
    """Return whether the first strip or tile is a JPEG of its own, or a header is stored that makes it one."""
    if key.jpegheader is not None or not key.dataoffsets:
        return True
    handle = key.parent.filehandle
    handle.seek(key.dataoffsets[0])
    return bool(handle.read(len(SOI)) == SOI)
