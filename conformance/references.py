"""The reference readers: every image of a file as T, C, Z, Y, X (and S), without any of our code.

Where an axis has no place among these, the mapping is that of docs/decisions/0004-axes.md, done here a second time.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from conformance.row import Array, Levels

CANONICAL = "TCZYXS"
CODECS = {
    **dict.fromkeys(("57", "70"), "jpegsof3"),
    **dict.fromkeys(("80", "81"), "jpegls"),
    **dict.fromkeys(("90", "91", "201", "202", "203"), "jpeg2k"),
}
"""DICOM's transfer syntaxes that pydicom decodes with GPL packages alone, by what follows 1.2.840.10008.1.2.4."""


def canonical(array: Array, axes: str, **as_: str) -> Array:
    """Return an array as T, C, Z, Y, X, and S where there are samples.

    Parameters
    ----------
    array
        Of any axes.
    axes
        One letter each. Letters outside T, C, Z, Y, X, S become channels after C, unless ``as_`` says otherwise.
    as_
        What other letters stand for, such as ``I="Z"``.
    """
    roles = [as_.get(axis, axis) for axis in axes]
    roles = [role if role in CANONICAL else "C" for role in roles]
    order = sorted(range(len(axes)), key=lambda i: (CANONICAL.index(roles[i]), axes[i] != roles[i]))
    lengths = [int(np.prod([array.shape[i] for i in order if roles[i] == role])) for role in CANONICAL]
    out = array.transpose(order).reshape(lengths)
    out = out if out.dtype.isnative else out.astype(out.dtype.newbyteorder("="))
    return out if lengths[5] > 1 else out[..., 0]


def nameless(axes: str, letters: str = "IQR") -> Mapping[str, str]:
    """Return what nameless sequences of pages stand for: Z if there is no Z, else T, else C."""
    free = next((axis for axis in "ZT" if axis not in axes), "C")
    return dict.fromkeys(letters, free)


def by_tifffile(path: Path) -> Sequence[Levels]:
    """Return every series of a TIFF, each with its pyramid."""
    import tifffile

    with tifffile.TiffFile(path) as tif:
        return [
            [canonical(level.asarray(), level.axes, **nameless(level.axes)) for level in series.levels]
            for series in tif.series
        ]


def by_tifffile_as_channels(path: Path) -> Sequence[Levels]:
    """Return the pages of a MIBItiff as channels."""
    import tifffile

    return [[canonical(tifffile.imread(path), "CYX")]]


def by_tifffile_companion(path: Path) -> Sequence[Levels]:
    """Return what the OME-XML of a companion file describes, from the first TIFF beside it that names the set."""
    import tifffile

    files = sorted(path.parent.glob("*.ome.tif*"))
    return [[canonical(np.stack([tifffile.imread(file, is_ome=False) for file in files]).squeeze(), "ZYX")]]


def by_czifile(path: Path) -> Sequence[Levels]:
    """Return every scene of a CZI, each with its pyramid."""
    import czifile

    with czifile.CziFile(path) as czi:
        return [
            [canonical(level.asarray(), "".join(level.dims)) for level in scene.levels] for scene in czi.scenes.values()
        ]


def by_pylibCZIrw(path: Path) -> Sequence[Levels]:  # noqa: N802  # the name of the library
    """Return every scene of a CZI: one plane for every T, C, Z; other dimensions only where they have one place."""
    from pylibCZIrw import czi

    images = []
    with czi.open_czi(str(path)) as document:
        extent = document.total_bounding_box
        counts = [extent.get(axis, (0, 1))[1] for axis in "TCZ"]
        scenes: Mapping[int | None, Any] = document.scenes_bounding_rectangle or {
            None: document.total_bounding_rectangle
        }
        for scene, box in scenes.items():
            planes = [
                document.read(plane=dict(zip("TCZ", place, strict=True)), scene=scene, roi=tuple(box))
                for place in np.ndindex(*counts)
            ]
            stack = np.stack(planes).reshape(*counts, *planes[0].shape)
            images.append([stack[..., ::-1] if stack.shape[-1] == 3 else stack[..., 0]])  # blue comes first there
    return images


def by_nd2(path: Path) -> Sequence[Levels]:
    """Return every position of an ND2."""
    import nd2

    with nd2.ND2File(path) as file:
        axes = "".join(file.sizes)
        array = file.asarray()
    if "P" not in axes:
        return [[canonical(array, axes)]]
    place = axes.index("P")
    return [[canonical(position, axes.replace("P", ""))] for position in np.moveaxis(array, place, 0)]


def by_liffile(path: Path) -> Sequence[Levels]:
    """Return every image of a LIF; the tiles of a mosaic are images."""
    import liffile

    images: list[Levels] = []
    with liffile.LifFile(path) as lif:
        for image in lif.images:
            axes, array = "".join(image.dims), image.asarray()
            tiles = np.moveaxis(array, axes.index("M"), 0) if "M" in axes else [array]
            images += [[canonical(tile, axes.replace("M", ""))] for tile in tiles]
    return images


def by_exported_tiffs(path: Path) -> Sequence[Levels]:
    """Return liffile's images, with the planes of the first one that were exported as TIFFs put in their place."""
    import tifffile

    images = [list(levels) for levels in by_liffile(path)]
    for file in sorted((path.parent / "expected" / path.stem / "expected-outputs").glob("c*.tif")):
        c, t = (int(number) for number in re.findall("[0-9]+", file.stem))
        images[0][0][t, c, :, 0] = tifffile.imread(file)
    return images


def by_oiffile(path: Path) -> Sequence[Levels]:
    """Return the image of an OIB or OIF."""
    import oiffile

    with oiffile.OifFile(path) as oif:
        return [[canonical(oif.asarray(), oif.axes)]]


def by_mrcfile(path: Path) -> Sequence[Levels]:
    """Return the image of an MRC file: its sections as Z, those of a stack of images as T; nothing is turned."""
    import mrcfile

    with mrcfile.open(path, permissive=True) as mrc:
        array = np.array(mrc.data)
        is_stack = array.ndim > 2 and ((mrc.is_image_stack() and int(mrc.header.mz) == 1) or ".mrcs" in path.suffixes)
    array = array if array.ndim > 2 else array[None]
    return [[canonical(array, "TYX" if is_stack else "ZYX")]]


def by_pydicom(path: Path) -> Sequence[Levels]:
    """Return the frames of a DICOM file as T where a frame time is stated, else as Z; colours as R, G, B."""
    import imagecodecs
    import pydicom
    from pydicom.encaps import generate_frames
    from pydicom.pixels.processing import convert_color_space
    from pydicom.pixels.utils import pixel_dtype

    dataset = pydicom.dcmread(path, force=True)
    dataset.file_meta.TransferSyntaxUID = dataset.file_meta.get("TransferSyntaxUID", pydicom.uid.ImplicitVRLittleEndian)
    codec = CODECS.get(str(dataset.file_meta.TransferSyntaxUID).removeprefix("1.2.840.10008.1.2.4."))
    if codec is None:
        array = dataset.pixel_array
    else:
        frame = next(generate_frames(dataset.PixelData, number_of_frames=1))
        array = getattr(imagecodecs, f"{codec}_decode")(frame).astype(pixel_dtype(dataset))
    if str(dataset.PhotometricInterpretation) in {"YBR_FULL", "YBR_FULL_422"}:
        array = convert_color_space(array, str(dataset.PhotometricInterpretation), "RGB")
    axes = ("T" if "FrameTime" in dataset else "Z") * (int(dataset.get("NumberOfFrames") or 1) > 1)
    return [[canonical(array, f"{axes}YX{'S' * (int(dataset.SamplesPerPixel) > 1)}")]]


def by_pydicom_series(path: Path) -> Sequence[Levels]:
    """Return the files of a series, sorted by position, as Z."""
    import pydicom

    folder = path if path.is_dir() else path.parent
    slices = [pydicom.dcmread(file) for file in folder.glob("*.dcm")]
    slices.sort(key=lambda dataset: int(dataset.InstanceNumber))
    return [[canonical(np.stack([dataset.pixel_array for dataset in slices]), "ZYX")]]


def by_mrc(path: Path) -> Sequence[Levels]:
    """Return the image of a DeltaVision file by the package ``mrc``."""
    import mrc

    with mrc.DVFile(path) as file:
        axes = "".join(axis for axis, length in file.sizes.items() if length > 1)
        return [[canonical(file.asarray(squeeze=True), axes)]]


def by_nibabel(path: Path) -> Sequence[Levels]:
    """Return the image of a NIfTI file as stored, x fastest: T, Z, Y, X."""
    import nibabel

    image: Any = nibabel.load(path)
    stored = np.asarray(image.dataobj.get_unscaled())
    return [[canonical(stored.transpose(), "TZYX"[-stored.ndim :])]]


def by_av(path: Path) -> Sequence[Levels]:
    """Return every frame of a video as R, G, B, or as its grey values."""
    import av

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        grey = {"gray": "gray", "gray16le": "gray16le", "gray16be": "gray16le"}.get(stream.codec_context.pix_fmt or "")
        frames = [frame.to_ndarray(format=grey or "rgb24") for frame in container.decode(stream)]
    return [[canonical(np.stack(frames), "TYX" if grey else "TYXS")]]


def by_opencv(path: Path) -> Sequence[Levels]:
    """Return the picture of a PNG or JPEG as it is stored, red first."""
    import cv2

    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    if picture is None:
        raise ValueError(f"{path}: OpenCV does not read it")
    if picture.ndim == 3:
        picture = picture[..., [2, 1, 0, 3][: picture.shape[2]]]
    return [[canonical(picture, "YXS"[: picture.ndim])]]
