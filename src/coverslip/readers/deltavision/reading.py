"""DeltaVision files: one image; wavelengths are channels. Pixels are read row by row with ordinary reads."""

from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from coverslip.errors import ReadError
from coverslip.model import ChannelInfo, ImageMetadata, PhysicalSize, Probe, Region
from coverslip.readers.deltavision.header import HEADER_BYTES, Header, byte_order, parse_header, parse_section
from coverslip.readers.planes import check_promise
from coverslip.readers.vendor_metadata import bounded, json_document, positive

if TYPE_CHECKING:
    from coverslip.model.protocols import Array

MAX_EXTENDED = 16 << 20
"""How much of an extended header is looked at."""


class _Reader:
    """Opens DeltaVision files."""

    def recognises(self, probe: Probe) -> bool:
        """Return whether the file begins with a DeltaVision header, in either byte order."""
        return byte_order(probe.head) is not None

    def open(self, path: Path) -> "_Opened":
        """Read the header.

        Raises
        ------
        ReadError
            It is damaged, or promises more than the file holds.
        """
        stream = path.open("rb")
        try:
            return _Opened(path, stream)
        except BaseException:
            stream.close()
            raise


class _Opened:
    """An open file, which is its own one image."""

    def __init__(self, path: Path, stream: IO[bytes]) -> None:
        self.files = (path,)
        self._path = path
        self._stream = stream
        self.header = parse_header(stream.read(HEADER_BYTES))
        size = path.stat().st_size
        check_promise(path, self.header.end, size)
        extended = stream.read(min(self.header.data_offset - HEADER_BYTES, MAX_EXTENDED))
        self.metadata = _metadata(path, self.header, extended, size - self.header.end)
        self.images = (self,)

    def read(self, level: int, region: Region) -> "Array":
        """Return the pixels of a resolved region; there is only level 0."""
        (t0, t1), (c0, c1), (z0, z1), (y0, y1), (x0, x1) = region.spans
        header = self.header
        stored = np.dtype(header.dtype).newbyteorder(header.order)
        out: Array = np.empty(region.shape, header.dtype)
        for t in range(t0, t1):
            for c in range(c0, c1):
                for z in range(z0, z1):
                    row = header.section(t, c, z) * header.ny + y0
                    self._stream.seek(header.data_offset + row * header.row_bytes)
                    rows = self._stream.read((y1 - y0) * header.row_bytes)
                    if len(rows) < (y1 - y0) * header.row_bytes:
                        raise ReadError(f"{self._path}: the file ends in the middle of its pixels; was it cut short?")
                    out[t - t0, c - c0, z - z0] = np.frombuffer(rows, stored).reshape(y1 - y0, header.nx)[:, x0:x1]
        return out

    def close(self) -> None:
        """Release the file."""
        self._stream.close()


reader = _Reader()


def _metadata(path: Path, header: Header, extended: bytes, more: int) -> ImageMetadata:
    sections = [parse_section(header, extended, header.section(0, w, 0)) for w in range(header.size_w)]
    channels = []
    for index, (section, wave) in enumerate(zip(sections, header.waves_nm, strict=True)):
        emission = wave or section.emission_nm
        channels.append(
            ChannelInfo(
                index=index,
                name=f"{emission:g} nm" if emission else f"Channel {index}",
                excitation_wavelength_nm=section.excitation_nm,
                emission_wavelength_nm=emission,
                exposure_time_s=section.exposure_s,
            )
        )
    x, y, z = (PhysicalSize.known(value) for value in header.spacing_um)
    return ImageMetadata(
        name=path.name,
        file_format="DeltaVision",
        size_t=header.size_t,
        size_c=header.size_w,
        size_z=header.size_z,
        size_y=header.ny,
        size_x=header.nx,
        dtype=header.dtype,
        pixel_size_x=x,
        pixel_size_y=y,
        pixel_size_z=z if header.size_z > 1 else None,
        time_increment_s=_time_increment(header, extended),
        channels=tuple(channels),
        source_axes=header.sequence[::-1].replace("W", "C") + "YX",
        note=f"{more} bytes behind the pixels are not read" if more else None,
        vendor=bounded(json_document({"header": header.fields})),
    )


def _time_increment(header: Header, extended: bytes) -> float | None:
    """Return the mean seconds between time points, from when the first plane of each was taken."""
    if header.size_t < 2:
        return None
    first = parse_section(header, extended, header.section(0, 0, 0)).elapsed_s
    last = parse_section(header, extended, header.section(header.size_t - 1, 0, 0)).elapsed_s
    return None if first is None or last is None else positive((last - first) / (header.size_t - 1))
