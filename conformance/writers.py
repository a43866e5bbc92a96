"""Files that other libraries write in the run: one function per feature, each into an empty folder."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from conformance.row import Array, Written


def noise(*shape: int, dtype: str = "u2") -> Array:
    """Return reproducible pixels that look like nothing else."""
    dice = np.random.default_rng(sum(shape))
    if dtype == "c8":
        return (dice.normal(size=shape) + 1j * dice.normal(size=shape)).astype(dtype)
    if np.dtype(dtype).kind == "f":
        return dice.normal(size=shape).astype(dtype)
    most = min(np.iinfo(dtype).max, 4000)
    return dice.integers(0, most, shape).astype(dtype)


def tiff(name: str, array: Array, **how: Any) -> Written:
    """Return a TIFF by tifffile."""

    def make(folder: Path) -> Path:
        import tifffile

        tifffile.imwrite(folder / name, array, **how)
        return folder / name

    return Written("tifffile", make)


def tiff_pyramid(folder: Path) -> Path:
    """Write an OME-TIFF of two channels with its levels in SubIFDs."""
    import tifffile

    path, array = folder / "pyramid.ome.tif", noise(2, 300, 400)
    with tifffile.TiffWriter(path, ome=True) as tif:
        tif.write(array, subifds=2, tile=(64, 64), metadata={"axes": "CYX"})
        for step in (2, 4):
            tif.write(array[:, ::step, ::step], subfiletype=1, tile=(64, 64))
    return path


def svs(folder: Path) -> Path:
    """Write a slide as Aperio does: tiles, a thumbnail, a coarser level."""
    import tifffile

    path, array = folder / "slide.svs", noise(600, 800, 3, dtype="u1")
    how: dict[str, Any] = {"photometric": "rgb", "compression": "lzw", "metadata": None}
    with tifffile.TiffWriter(path) as tif:
        tif.write(array, tile=(64, 64), description="Aperio Image Library v11\n800x600|AppMag = 20|MPP = 0.5", **how)
        tif.write(array[::8, ::8].copy(), rowsperstrip=16, description="Aperio Image Library v11\nthumbnail", **how)
        tif.write(array[::4, ::4].copy(), tile=(64, 64), description="Aperio Image Library v11\nlevel", **how)
    return path


def czi(
    planes: Sequence[tuple[Array, tuple[int, int], dict[str, int], int]], compression: str = "uncompressed:"
) -> Written:
    """Return a CZI by pylibCZIrw.

    Parameters
    ----------
    planes
        Pixels Y, X (and blue, green, red), where their corner lies (x, y), their place in T, C, Z, and the scene.
    compression
        In the words of libczi.
    """

    def make(folder: Path) -> Path:
        from pylibCZIrw import czi as library

        path = folder / "written.czi"
        with library.create_czi(str(path), compression_options=compression) as document:
            for pixels, corner, place, scene in planes:
                data = np.ascontiguousarray(pixels if pixels.ndim == 3 else pixels[..., None])
                document.write(data, location=corner, plane=place, scene=scene)
            document.write_metadata("written", channel_names={0: "a", 1: "b"})
        return path

    return Written("pylibCZIrw", make)


def renamed(written: Written, axis: str) -> Written:
    """Return a CZI whose T axis is called otherwise: the library writes no other axes, instruments do."""

    def make(folder: Path) -> Path:
        path = written.make(folder)
        start = b"T" + bytes(7)  # the name of an axis, then the number of its first element: 0, or 1 below
        content = path.read_bytes()
        for old in (start, b"T\0\0\0\1\0\0\0"):
            content = content.replace(old, axis.encode() + old[1:])
        path.write_bytes(content)
        return path

    return Written(f"{written.by}, T renamed", make)


def czi_stack() -> list[tuple[Array, tuple[int, int], dict[str, int], int]]:
    """Return the planes of two time points, two channels and three slices."""
    array = noise(2, 2, 3, 40, 50)
    return [(array[place], (0, 0), dict(zip("TCZ", place, strict=True)), 0) for place in np.ndindex(2, 2, 3)]


def mrc(array: Array, ending: str = ".mrc", change: Callable[[Any], None] | None = None) -> Written:
    """Return an MRC file by mrcfile, with its header changed before it is closed."""

    def make(folder: Path) -> Path:
        import mrcfile

        path = folder / f"written{ending}"
        compression = {".gz": "gzip", ".bz2": "bzip2"}.get(path.suffix)
        with mrcfile.new(path, compression=compression) as file:
            file.set_data(array)
            if change is not None:
                change(file)
        return path

    return Written("mrcfile", make)


def permuted(file: Any) -> None:
    """Say that columns are Z, rows are X and sections are Y."""
    file.header.mapc, file.header.mapr, file.header.maps = 3, 1, 2


def extended(file: Any) -> None:
    """Put an extended header before the pixels."""
    file.set_extended_header(np.arange(96, dtype="u1"))


def stacked(file: Any) -> None:
    """Say that the sections are separate images."""
    file.set_image_stack()


def nifti(name: str, array: Array) -> Written:
    """Return a NIfTI file by nibabel; the array is X, Y, Z, T."""

    def make(folder: Path) -> Path:
        import nibabel

        image: Any = nibabel.nifti1.Nifti1Image
        image(array, np.eye(4)).to_filename(folder / name)
        return folder / name

    return Written("nibabel", make)


def picture(name: str, array: Array) -> Written:
    """Return a PNG or JPEG by OpenCV."""

    def make(folder: Path) -> Path:
        import cv2

        cv2.imwrite(str(folder / name), array)
        return folder / name

    return Written("OpenCV", make)


def video(name: str, codec: str, pixels: str) -> Written:
    """Return a video by PyAV."""

    def make(folder: Path) -> Path:
        import av

        with av.open(str(folder / name), "w") as container:
            stream: Any = container.add_stream(codec, rate=10)
            stream.width, stream.height, stream.pix_fmt = 64, 48, pixels
            for frame in noise(12, 48, 64, 3, dtype="u1"):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            container.mux(stream.encode(None))
        return folder / name

    return Written("PyAV", make)


def dicom_without_preamble(folder: Path) -> Path:
    """Write a DICOM data set by pydicom that begins with its first element, as old modalities do."""
    import pydicom

    pixels = noise(40, 50)
    dataset = pydicom.Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = pydicom.uid.CTImageStorage, pydicom.uid.generate_uid()
    dataset.Modality, dataset.PhotometricInterpretation, dataset.SamplesPerPixel = "CT", "MONOCHROME2", 1
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 0
    dataset.PixelData = pixels.tobytes()
    pydicom.dcmwrite(folder / "bare.dcm", dataset, implicit_vr=True, little_endian=True)
    return folder / "bare.dcm"
