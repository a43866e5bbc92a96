"""Whole slides in DICOM, written by wsidicom, with the pixels they hold."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, RLELossless, VLWholeSlideMicroscopyImageStorage, generate_uid
from wsidicom import WsiDicom
from wsidicom.codec import Encoder
from wsidicom.geometry import Point, PointMm, Size, SizeMm
from wsidicom.instance import ImageData, WsiInstance
from wsidicom.instance.dataset import ImageType, WsiDataset
from wsidicom.metadata import ImageCoordinateSystem, LossyCompression
from wsidicom.source import Source

Array = np.ndarray[Any, np.dtype[Any]]

TILE = 32
SPACING_MM = 0.0005
DEPTHS_UM = (0.0, 1.5, 3.0)


class ArrayPixels(ImageData):  # type: ignore[misc,unused-ignore]  # wsidicom has no types where it is not installed
    """An array of shape C, Z, Y, X (and S) as wsidicom wants its pixels."""

    def __init__(self, pixels: Array, syntax: UID, spacing: float, paths: list[str]) -> None:
        self._pixels = pixels
        self._syntax = syntax
        self._spacing = spacing
        self._paths = paths
        super().__init__(Encoder.create(syntax, self.bits, self.photometric_interpretation))

    transfer_syntax = property(lambda self: self._syntax)
    image_size = property(lambda self: Size(self._pixels.shape[3], self._pixels.shape[2]))
    tile_size = property(lambda self: Size(TILE, TILE))
    pixel_spacing = property(lambda self: SizeMm(self._spacing, self._spacing))
    imaged_size = property(
        lambda self: SizeMm(self._pixels.shape[3] * self._spacing, self._pixels.shape[2] * self._spacing)
    )
    samples_per_pixel = property(lambda self: 3 if self._pixels.ndim == 5 else 1)
    bits = property(lambda self: self._pixels.dtype.itemsize * 8)
    photometric_interpretation = property(lambda self: "RGB" if self._pixels.ndim == 5 else "MONOCHROME2")
    image_coordinate_system = property(lambda self: ImageCoordinateSystem(origin=PointMm(0, 0), rotation=0))
    thread_safe = property(lambda self: True)
    transcoder = property(lambda self: None)
    focal_planes = property(lambda self: list(DEPTHS_UM[: self._pixels.shape[1]]))
    optical_paths = property(lambda self: self._paths)

    @property
    def lossy_compression(self) -> list[LossyCompression] | None:
        """Nothing is lost."""
        return None

    def get_decoded_tile(self, tile_point: Point, z: float, path: str, cache: bool = True) -> Array:
        """Return a tile, filled up where it reaches over the edge."""
        plane = self._pixels[self._paths.index(path), DEPTHS_UM.index(z)]
        y, x = tile_point.y * TILE, tile_point.x * TILE
        part = plane[y : y + TILE, x : x + TILE]
        tile = np.zeros((TILE, TILE, *plane.shape[2:]), plane.dtype)
        tile[: part.shape[0], : part.shape[1]] = part
        return tile

    def get_encoded_tile(self, tile: Point, z: float, path: str) -> bytes:
        """Return the same, coded."""
        return bytes(self.encoder.encode(self.get_decoded_tile(tile, z, path)))


class ArraySource(Source):  # type: ignore[misc,unused-ignore]
    """Levels, and perhaps a label and an overview, from arrays."""

    def __init__(self, levels: list[Array], others: dict[ImageType, Array], syntax: UID, paths: list[str]) -> None:
        super().__init__()
        keywords = ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
        about = {keyword: generate_uid(entropy_srcs=[keyword, *paths]) for keyword in keywords}
        self._levels = [
            self._instance(about, ImageType.VOLUME, pixels, syntax, paths, SPACING_MM * 2**n, n)
            for n, pixels in enumerate(levels)
        ]
        self._others = {
            kind: self._instance(about, kind, pixels[None, None], syntax, paths[:1], 0.02, None)
            for kind, pixels in others.items()
        }

    def _instance(self, about: Mapping[str, str], kind: Any, *rest: Any) -> WsiInstance:
        pixels, syntax, paths, spacing, index = rest
        base = _common(paths, about)
        return WsiInstance.create_instance(ArrayPixels(pixels, syntax, spacing, paths), base, kind, index)

    @property
    def base_dataset(self) -> WsiDataset:
        """Of the first level."""
        return self._levels[0].dataset

    @property
    def level_instances(self) -> Iterable[WsiInstance]:
        """The pyramid."""
        return self._levels

    @property
    def label_instances(self) -> Iterable[WsiInstance]:
        """At most one."""
        return self._of(ImageType.LABEL)

    @property
    def overview_instances(self) -> Iterable[WsiInstance]:
        """At most one."""
        return self._of(ImageType.OVERVIEW)

    thumbnail_instances = property(lambda self: ())
    annotation_instances = property(lambda self: ())

    def _of(self, kind: ImageType) -> Iterator[WsiInstance]:
        return iter([self._others[kind]] if kind in self._others else [])

    def close(self) -> None:
        """Nothing is open."""


def _common(paths: list[str], uids: Mapping[str, str]) -> Dataset:
    """Return what all files of a slide say."""
    data = Dataset()
    data.SOPClassUID = VLWholeSlideMicroscopyImageStorage
    for keyword, uid in uids.items():
        setattr(data, keyword, uid)
    data.PatientName = "Nobody^Anna"
    data.PatientID = data.StudyID = data.AccessionNumber = data.ContainerIdentifier = "1"
    data.PatientBirthDate = data.PatientSex = data.StudyDate = data.StudyTime = data.ReferringPhysicianName = ""
    data.Modality, data.SeriesNumber, data.SeriesDescription = "SM", 1, "A slide"
    data.Manufacturer, data.ManufacturerModelName, data.DeviceSerialNumber = "Made up", "Scanner", "7"
    data.AcquisitionDateTime = "20210304050607"
    data.VolumetricProperties, data.FocusMethod, data.ExtendedDepthOfField = "VOLUME", "AUTO", "NO"
    data.SpecimenLabelInImage = data.BurnedInAnnotation = "NO"
    data.OpticalPathSequence = []
    for n, path in enumerate(paths):
        item = Dataset()
        item.OpticalPathIdentifier, item.OpticalPathDescription = path, f"stain {path}"
        item.IlluminationWaveLength = 400.0 + 50 * n
        item.ObjectiveLensPower, item.ObjectiveLensNumericalAperture = 20, 0.75
        data.OpticalPathSequence.append(item)
    return data


def write_slide(
    folder: Path,
    levels: list[Array],
    *,
    others: dict[ImageType, Array] | None = None,
    syntax: str = ExplicitVRLittleEndian,
    paths: tuple[str, ...] = ("1",),
    **how: Any,
) -> list[Path]:
    """Write levels of shape C, Z, Y, X (and S) and return the files, sorted."""
    folder.mkdir(parents=True, exist_ok=True)
    with WsiDicom(ArraySource(levels, others or {}, UID(syntax), list(paths))) as slide:
        slide.save(folder, workers=1, **how)
    return sorted(folder.glob("*.dcm"))


def scatter(path: Path, keep: float = 1.0) -> None:
    """Make a file of tiles in full one of sparse ones, in another order, of which some are left out."""
    data = pydicom.dcmread(path)
    frames = data.pixel_array.reshape(
        int(data.NumberOfFrames), *data.pixel_array.shape[-(2 + (data.SamplesPerPixel == 3)) :]
    )
    across, down = -(-data.TotalPixelMatrixColumns // TILE), -(-data.TotalPixelMatrixRows // TILE)
    dice = np.random.default_rng(5)
    order = dice.permutation(len(frames))[: max(1, int(len(frames) * keep))]
    identifiers = [item.OpticalPathIdentifier for item in data.OpticalPathSequence]
    groups = []
    for n in order:
        rest, column = divmod(int(n), across)
        rest, row = divmod(rest, down)
        channel, plane = divmod(rest, getattr(data, "TotalPixelMatrixFocalPlanes", 1))
        place, light, item = Dataset(), Dataset(), Dataset()
        place.XOffsetInSlideCoordinateSystem = place.YOffsetInSlideCoordinateSystem = 0
        place.ZOffsetInSlideCoordinateSystem = DEPTHS_UM[plane]
        place.ColumnPositionInTotalImagePixelMatrix = column * TILE + 1
        place.RowPositionInTotalImagePixelMatrix = row * TILE + 1
        light.OpticalPathIdentifier = identifiers[channel]
        item.PlanePositionSlideSequence = [place]
        item.OpticalPathIdentificationSequence = [light]
        groups.append(item)
    data.PerFrameFunctionalGroupsSequence = groups
    data.DimensionOrganizationType = "TILED_SPARSE"
    data.NumberOfFrames = len(order)
    content = frames[order].tobytes()
    data.PixelData = content + b"\0" * (len(content) % 2)
    data.save_as(path)


def make_slides(folder: Path) -> dict[Path, list[Array]]:
    """Write a few slides and return their images as T, C, Z, Y, X (and S)."""
    dice = np.random.default_rng(8)
    color = dice.integers(0, 256, (1, 1, 70, 90, 3)).astype("u1")
    stains = dice.integers(0, 4096, (2, 3, 40, 50)).astype("u2")
    label = dice.integers(0, 256, (20, 30, 3)).astype("u1")
    first, *_ = write_slide(
        folder / "color", [color, color[:, :, ::2, ::2].copy()], others={ImageType.LABEL: label}, syntax=RLELossless
    )
    made = {first: [color[None], label[None, None, None]]}
    (path,) = write_slide(folder / "stains", [stains], paths=("1", "2"))
    made[path] = [stains[None]]
    (path,) = write_slide(folder / "sparse", [stains], paths=("1", "2"))
    scatter(path)
    made[path] = [stains[None]]
    return made
