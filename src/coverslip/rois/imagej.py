"""Regions of ImageJ: ``.roi`` files and zips of them (the layout is that of ``ij.io.RoiDecoder``, public domain).

Big-endian: 64 bytes of header, then whole coordinates from the upper left corner, then the same as floats where the
region is finer than pixels, then a second header with the place of the name in UTF-16.
"""

import io
import math
import struct
import zipfile
import zlib
from collections.abc import Iterable

from pydantic import ValidationError

from coverslip.errors import InvalidRequestError, ReadError
from coverslip.model.rois import MAX_POINTS, Roi, RoiShape

MAGIC = b"Iout"
VERSION = 228
POLYGON, RECT, OVAL, LINE, FREELINE, POLYLINE, FREEHAND, TRACED, ANGLE, POINT = 0, 1, 2, 3, 4, 5, 7, 8, 9, 10
CLOSED, OPEN = {POLYGON, FREEHAND, TRACED}, {FREELINE, POLYLINE, ANGLE}
SUB_PIXEL = 128
OVAL_CORNERS = 64
MAX_ROI_BYTES = 4 << 20
MAX_MEMBERS = 100_000
MAX_ZIP_BYTES = 256 << 20
LONGEST_NAME = 200


def read_imagej(data: bytes, fov: str = "", name: str = "") -> Roi:
    """Return the region of a ``.roi`` file.

    Ovals become polygons of 64 corners; points and composite regions are the rectangle around them.

    Parameters
    ----------
    data
        The file.
    fov
        The field of view it is on; the file does not say.
    name
        Of a region without a name of its own.

    Raises
    ------
    ReadError
        It is damaged, no such file, or of a kind that is no region.
    """
    try:
        return _read(data, fov, name)
    except ValidationError as error:
        raise ReadError(f"the ImageJ region {name!r} is damaged: {error.errors()[0]['msg']}") from error
    except (struct.error, UnicodeDecodeError, ValueError) as error:
        raise ReadError(f"the ImageJ region {name!r} is damaged: {error}") from error


def read_imagej_zip(data: bytes, fov: str = "") -> tuple[Roi, ...]:
    """Return the regions of a ``RoiSet.zip``, in its order.

    Raises
    ------
    ReadError
        It is no zip, is too large, or a region in it is damaged.
    """
    found: list[Roi] = []
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [one for one in archive.infolist() if one.filename.lower().endswith(".roi")]
            if len(members) > MAX_MEMBERS or sum(one.file_size for one in members) > MAX_ZIP_BYTES:
                raise ReadError("the zip of ImageJ regions is too large")
            for member in members:
                with archive.open(member) as stream:
                    content = stream.read(MAX_ROI_BYTES + 1)
                stem = member.filename.rsplit("/", 1)[-1][:-4]
                roi = read_imagej(content, fov, stem)
                found.append(roi.model_copy(update={"roi_id": f"{stem}-{len(found) + 1}"}))
    except ReadError:
        raise
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise ReadError(f"this is no zip of ImageJ regions: {error}") from error
    return tuple(found)


def write_imagej(roi: Roi) -> bytes:
    """Return a region as a ``.roi`` file, to a fraction of a pixel.

    Raises
    ------
    InvalidRequestError
        The region has no edges, or lies outside what the format can say: 32,767 pixels to all sides.
    """
    if roi.bounds is None:
        raise InvalidRequestError(f"region {roi.name or roi.roi_id!r} has no edges")
    points: tuple[tuple[float, float], ...] = ()
    if roi.shape is None:
        left, upper, right, lower = roi.bounds
        kind = RECT
        floats = struct.pack(">4f", left, upper, right - left, lower - upper)
    else:
        kind, points = (POLYGON if roi.shape.closed else POLYLINE), roi.shape.points
        xs, ys = zip(*points, strict=True)
        left, upper, right, lower = min(xs), min(ys), max(xs), max(ys)
        floats = bytes(16)
    box = math.floor(upper), math.floor(left), math.ceil(lower), math.ceil(right)
    if not all(-32_768 <= edge < 32_768 for edge in (*box, box[2] - box[0], box[3] - box[1])) or len(points) > 65_535:
        raise InvalidRequestError(f"region {roi.name or roi.roi_id!r} is too large for ImageJ's format")
    name = (roi.name or roi.roi_id)[:LONGEST_NAME]
    coordinates = b"".join(struct.pack(">h", round(x) - box[1]) for x, _ in points)
    coordinates += b"".join(struct.pack(">h", round(y) - box[0]) for _, y in points)
    coordinates += b"".join(struct.pack(">f", x) for x, _ in points) + b"".join(struct.pack(">f", y) for _, y in points)
    second = 64 + len(coordinates)
    header = struct.pack(">4shBx4hH", MAGIC, VERSION, kind, *box, len(points)) + floats
    header += struct.pack(">hiii2h", 0, 0, 0, 0, 0, SUB_PIXEL) + struct.pack(">BBhii", 0, 0, 0, 0, second)
    coded = name.encode("utf-16-be", "replace")
    tail = struct.pack(">6i", 0, 0, 0, 0, second + 64, len(coded) // 2).ljust(64, b"\0")
    return header + coordinates + tail + coded


def write_imagej_zip(rois: Iterable[Roi]) -> bytes:
    """Return regions as a ``RoiSet.zip``; the same regions always give the same bytes.

    Raises
    ------
    InvalidRequestError
        As ``write_imagej`` says.
    """
    stream = io.BytesIO()
    taken: set[str] = set()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for roi in rois:
            stem = "".join(c if c.isalnum() or c in " -_." else "_" for c in roi.name or roi.roi_id)[:LONGEST_NAME]
            name, count = stem, 1
            while name.lower() in taken:
                count += 1
                name = f"{stem}-{count}"
            taken.add(name.lower())
            archive.writestr(zipfile.ZipInfo(f"{name}.roi"), write_imagej(roi))  # a time of its own would differ
    return stream.getvalue()


def _read(data: bytes, fov: str, name: str) -> Roi:
    if len(data) < 64 or data[:4] != MAGIC or len(data) > MAX_ROI_BYTES:
        raise ReadError(f"{name!r} is no region of ImageJ")
    (version,), kind = struct.unpack_from(">h", data, 4), data[6]
    top, left, bottom, right = struct.unpack_from(">4h", data, 8)
    (count,) = struct.unpack_from(">H", data, 16)
    (composite,) = struct.unpack_from(">i", data, 36)
    options, (second,) = struct.unpack_from(">h", data, 50)[0], struct.unpack_from(">i", data, 60)
    fine = bool(options & SUB_PIXEL) and version >= 222
    title = _name(data, second) or name
    edges: tuple[float, float, float, float] = (left, top, right, bottom)
    shape = None
    if kind in {RECT, OVAL} and fine and version >= 223:
        x, y, width, height = struct.unpack_from(">4f", data, 18)
        edges = x, y, x + width, y + height
    if kind == OVAL:
        shape = _oval(edges)
    elif kind == LINE:
        x1, y1, x2, y2 = struct.unpack_from(">4f", data, 18)
        shape = RoiShape(type="polyline", points=((x1, y1), (x2, y2)))
        edges = shape.around()
    elif kind in CLOSED | OPEN and not composite:
        points = _points(data, count, (left, top), fine=fine)
        shape = RoiShape(type="polygon" if kind in CLOSED else "polyline", points=points)
        edges = shape.around()
    elif kind == POINT:
        points = _points(data, count, (left, top), fine=fine)
        edges = RoiShape(type="polyline", points=(*points, points[0])).around()
    elif kind != RECT and not composite:
        raise ReadError(f"{name!r} is of a kind of ImageJ region, {kind}, that is not read")
    return Roi(
        roi_id=title or "roi",
        name=title,
        fov=fov,
        x_min=edges[0],
        y_min=edges[1],
        x_max=edges[2],
        y_max=edges[3],
        shape=shape,
    )


def _points(data: bytes, count: int, corner: tuple[int, int], *, fine: bool) -> tuple[tuple[float, float], ...]:
    if count == 0:
        (count,) = struct.unpack_from(">i", data, 18)
    if not 0 < count <= MAX_POINTS:
        raise ValueError(f"it has {count} points")
    if fine:
        xs = struct.unpack_from(f">{count}f", data, 64 + 4 * count)
        ys = struct.unpack_from(f">{count}f", data, 64 + 8 * count)
        return tuple(zip(xs, ys, strict=True))
    across = struct.unpack_from(f">{count}h", data, 64)
    down = struct.unpack_from(f">{count}h", data, 64 + 2 * count)
    return tuple((float(x + corner[0]), float(y + corner[1])) for x, y in zip(across, down, strict=True))


def _oval(edges: tuple[float, float, float, float]) -> RoiShape:
    left, upper, right, lower = edges
    angles = (2 * math.pi * corner / OVAL_CORNERS for corner in range(OVAL_CORNERS))
    middle = (left + right) / 2, (upper + lower) / 2
    half = (right - left) / 2, (lower - upper) / 2
    points = ((middle[0] + half[0] * math.cos(a), middle[1] + half[1] * math.sin(a)) for a in angles)
    return RoiShape(type="polygon", points=tuple(points))


def _name(data: bytes, second: int) -> str:
    if not 0 < second <= len(data) - 24:
        return ""
    place, length = struct.unpack_from(">2i", data, second + 16)
    if place <= 0 or not 0 < length <= 4 * LONGEST_NAME or place + 2 * length > len(data):
        return ""
    return data[place : place + 2 * length].decode("utf-16-be", "replace").strip("\0")[:256]
