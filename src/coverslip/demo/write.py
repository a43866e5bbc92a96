"""Files of the demo library: each appears whole or not at all, with the same bytes every time."""

import csv
import io
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import cv2
import mrcfile
import numpy as np
import tifffile
import zarr
from numpy.typing import NDArray
from zarr.codecs import ZstdCodec

OME = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
SOFTWARE = "Coverslip demo"


@dataclass(frozen=True, slots=True)
class OmeImage:
    """What an OME-TIFF says about itself; every mapping holds attributes of the OME schema 2016-06."""

    name: str
    acquired: str
    pixel_um: float
    channels: Sequence[Mapping[str, str]]
    objective: Mapping[str, str]
    microscope: Mapping[str, str]
    exposures_s: Sequence[float]
    step_um: float | None = None
    settings: Mapping[str, str] = field(default_factory=dict)


def publish(path: Path, write: Callable[[Path], None]) -> None:
    """Write a file or folder under another name and rename it when it is complete.

    Parameters
    ----------
    path
        Where it shall appear; what is there is replaced.
    write
        Writes to the path it is given.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    _remove(part)
    write(part)
    if part.is_dir():
        _remove(path)
    else:
        with part.open("rb+") as stream:
            os.fsync(stream.fileno())
    part.replace(path)


def write_ome_tiff(path: Path, pixels: NDArray[Any], about: OmeImage, *, levels: int = 1) -> None:
    """Write C, Z, Y, X pixels as a compressed OME-TIFF; more levels than one are stored as SubIFDs of 256 px tiles."""
    planes = pixels.reshape(-1, *pixels.shape[2:])
    options: dict[str, Any] = {
        "photometric": "minisblack",
        "compression": "zlib",
        "compressionargs": {"level": 4},
        "predictor": True,
        "metadata": None,
        "software": SOFTWARE,
    }
    if levels > 1:
        options["tile"] = (256, 256)
    with tifffile.TiffWriter(path, ome=False) as tiff:
        tiff.write(planes, subifds=levels - 1, description=_ome_xml(pixels, about), **options)
        for _ in range(levels - 1):
            planes = np.stack([_half(plane) for plane in planes])
            tiff.write(planes, subfiletype=1, **options)


def write_imagej(path: Path, pixels: NDArray[Any], *, pixel_um: float, interval_s: float, names: Sequence[str]) -> None:
    """Write T, C, Y, X pixels as an ImageJ hyperstack with red and green lookup tables."""
    ramp, dark = np.arange(256, dtype=np.uint8), np.zeros(256, np.uint8)
    tifffile.imwrite(
        path,
        pixels,
        imagej=True,
        resolution=(1 / pixel_um, 1 / pixel_um),
        software=SOFTWARE,
        metadata={
            "axes": "TCYX",
            "unit": "micron",
            "finterval": interval_s,
            "fps": 1 / interval_s,
            "mode": "composite",
            "Labels": list(names) * len(pixels),
            "LUTs": [np.stack([ramp, dark, dark]), np.stack([dark, ramp, dark])][: len(names)],
        },
    )


def write_plane(path: Path, plane: NDArray[Any], *, pixel_um: float) -> None:
    """Write one plane as a plain compressed TIFF that states its pixels per centimetre."""
    per_cm = 10_000 / pixel_um
    tifffile.imwrite(
        path,
        plane,
        photometric="minisblack",
        compression="zlib",
        predictor=True,
        resolution=(per_cm, per_cm),
        resolutionunit="CENTIMETER",
        software=SOFTWARE,
        metadata=None,
    )


def write_mrc(path: Path, volume: NDArray[Any], *, voxel_angstrom: float, label: str) -> None:
    """Write a Z, Y, X volume as MRC2014, with a label in place of the writer's time stamp."""
    with mrcfile.new(path, overwrite=True) as mrc:
        mrc.set_data(volume)
        mrc.set_volume()
        mrc.voxel_size = voxel_angstrom
        mrc.header.label[:] = b""
        mrc.header.label[0] = label.encode("ascii")
        mrc.header.nlabl = 1


def write_ome_zarr(path: Path, pixels: NDArray[Any], *, name: str, pixel_um: float, colors: Mapping[str, str]) -> None:
    """Write C, Y, X pixels as OME-Zarr 0.5 (Zarr 3, sharded) with four levels and a name and colour per channel."""
    group = zarr.create_group(store=path, zarr_format=3)
    datasets = []
    for level in range(4):
        size = min(1024, pixels.shape[1])
        array = group.create_array(
            str(level),
            shape=pixels.shape,
            dtype=pixels.dtype,
            chunks=(1, 256, 256),
            shards=(1, size, size),
            compressors=ZstdCodec(level=3),
            dimension_names=("c", "y", "x"),
        )
        array[:] = pixels
        scale = [1.0, pixel_um * 2**level, pixel_um * 2**level]
        datasets.append({"path": str(level), "coordinateTransformations": [{"type": "scale", "scale": scale}]})
        pixels = np.stack([_half(plane) for plane in pixels])
    space = [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "yx"]
    window = {"min": 0, "max": 255, "start": 0, "end": 255}
    about: Any = {
        "version": "0.5",
        "multiscales": [{"name": name, "axes": [{"name": "c", "type": "channel"}, *space], "datasets": datasets}],
        "omero": {
            "name": name,
            "channels": [
                {"label": label, "color": color, "active": True, "window": window} for label, color in colors.items()
            ],
            "rdefs": {"model": "color"},
        },
    }
    group.attrs["ome"] = about


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV table in UTF-8 with Unix line ends."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    path.write_text(text.getvalue(), encoding="utf-8", newline="")


def _half(plane: NDArray[Any]) -> NDArray[Any]:
    """Return the plane at half its size, area-averaged."""
    size = plane.shape[1] // 2, plane.shape[0] // 2
    return cv2.resize(plane, size, interpolation=cv2.INTER_AREA)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _ome_xml(pixels: NDArray[Any], about: OmeImage) -> bytes:
    """Return the OME-XML of C, Z, Y, X pixels stored plane by plane, z fastest."""
    size_c, size_z, size_y, size_x = pixels.shape
    root = ET.Element("OME", {"xmlns": OME, "Creator": SOFTWARE})
    instrument = ET.SubElement(root, "Instrument", ID="Instrument:0")
    ET.SubElement(instrument, "Microscope", dict(about.microscope))
    ET.SubElement(instrument, "Objective", {"ID": "Objective:0:0", **about.objective})
    image = ET.SubElement(root, "Image", ID="Image:0", Name=about.name)
    ET.SubElement(image, "AcquisitionDate").text = about.acquired
    ET.SubElement(image, "InstrumentRef", ID="Instrument:0")
    ET.SubElement(image, "ObjectiveSettings", {"ID": "Objective:0:0", **about.settings})
    sizes = {"SizeX": size_x, "SizeY": size_y, "SizeZ": size_z, "SizeC": size_c, "SizeT": 1}
    lengths = {"PhysicalSizeX": about.pixel_um, "PhysicalSizeY": about.pixel_um, "PhysicalSizeZ": about.step_um}
    box = ET.SubElement(image, "Pixels", ID="Pixels:0", DimensionOrder="XYZCT", Type=pixels.dtype.name)
    for key, value in (sizes | lengths).items():
        if value is not None:
            box.set(key, str(value))
            if key in lengths:
                box.set(f"{key}Unit", "µm")
    for i, channel in enumerate(about.channels):
        ET.SubElement(box, "Channel", {"ID": f"Channel:0:{i}", "SamplesPerPixel": "1", **channel})
    ET.SubElement(box, "TiffData", IFD="0", PlaneCount=str(size_c * size_z))
    for c, z in np.ndindex(size_c, size_z):
        plane = {"TheC": c, "TheZ": z, "TheT": 0, "ExposureTime": about.exposures_s[c], "ExposureTimeUnit": "s"}
        ET.SubElement(box, "Plane", {key: str(value) for key, value in plane.items()})
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text
