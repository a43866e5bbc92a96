"""Axes that dialects hide or order in their own way: Modulo annotations, ScanImage volumes, ImageJ beyond 4 GiB."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from coverslip.model import ImageMetadata, Region
from coverslip.readers import open_image


def noise(*shape: int) -> np.ndarray[Any, np.dtype[np.uint16]]:
    return np.random.default_rng(7).integers(0, 4000, shape).astype(np.uint16)


def metadata(path: Path) -> ImageMetadata:
    with open_image(path) as file:
        return file.images[0].metadata


def test_modulo_axes_become_channels_with_their_own_names(tmp_path: Path) -> None:
    array = noise(2, 3, 2, 4, 20, 30)  # T, lifetime, Z, lambda, Y, X
    path = tmp_path / "flim.ome.tif"
    tifffile.imwrite(path, array, ome=True, photometric="minisblack", metadata={"axes": "THZEYX"})
    with tifffile.TiffFile(path) as tif:
        assert tif.series[0].axes == "THZEYX"
    with open_image(path) as file:
        (image,) = file.images
        meta = image.metadata
        assert meta.shape == (2, 12, 2, 20, 30)
        for h, e in np.ndindex(3, 4):
            wanted = {f"lifetime {h}", f"lambda {e}"}
            c = next(n for n, channel in enumerate(meta.channels) if all(part in channel.name for part in wanted))
            assert np.array_equal(image.read(0, Region(c=(c, c + 1)))[:, 0], array[:, h, :, e])
        assert "axis H (lifetime, 3 long) is read as C" in (meta.note or "")
        assert "axis E (lambda, 4 long) is read as C" in (meta.note or "")


@pytest.mark.parametrize(
    ("places", "named"),
    [
        ("><Label>0</Label><Label>90</Label></ModuloAlongZ>", ("0", "90")),
        (' Start="0" End="90" Step="90"/>', ("0 degree", "90 degree")),
    ],
)
def test_what_modulo_says_of_its_places_are_the_names(tmp_path: Path, places: str, named: tuple[str, str]) -> None:
    schema = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
    xml = (
        f'<?xml version="1.0"?><OME xmlns="{schema}"><Image ID="Image:0" Name="spim"><Pixels ID="Pixels:0" '
        'DimensionOrder="XYZTC" Type="uint16" SizeX="30" SizeY="20" SizeZ="4" SizeC="2" SizeT="1">'
        '<Channel ID="Channel:0:0" Name="GFP"/><Channel ID="Channel:0:1" Name="RFP"/><TiffData/></Pixels>'
        '<AnnotationRef ID="Annotation:3"/></Image><StructuredAnnotations><XMLAnnotation ID="Annotation:3" '
        'Namespace="openmicroscopy.org/omero/dimension/modulo"><Value><Modulo '
        'namespace="http://www.openmicroscopy.org/Schemas/Additions/2011-09"><ModuloAlongZ Type="angle" '
        f'Unit="degree"{places}</Modulo></Value></XMLAnnotation>'
        "</StructuredAnnotations></OME>"
    )
    array = noise(2, 2, 2, 20, 30)  # C, Z, angle, Y, X
    path = tmp_path / "spim.ome.tif"
    tifffile.imwrite(path, array.reshape(8, 20, 30), description=xml, metadata=None, photometric="minisblack")
    with tifffile.TiffFile(path) as tif:
        theirs = tif.series[0]
        wanted = theirs.asarray().transpose([theirs.axes.index(axis) for axis in "CAZYX"])
    with open_image(path) as file:
        (image,) = file.images
        names = [channel.name for channel in image.metadata.channels]
        assert names == [f"{dye} angle {name}" for dye in ("GFP", "RFP") for name in named]
        assert np.array_equal(image.to_numpy()[0], wanted.reshape(4, 2, 20, 30))


def write_scanimage(path: Path, pages: np.ndarray[Any, np.dtype[np.uint16]], **settings: str) -> Path:
    """Write pages as ScanImage does, with the settings in the Software tag."""
    known = {
        "VERSION_MAJOR": "2023",
        "hChannels.channelSave": "[1;3]",
        "hChannels.channelName": "{'green';'red';'far red';'none'}",
        "hStackManager.framesPerSlice": "1",
        "hStackManager.actualNumSlices": "3",
        "hStackManager.actualStackZStepSize": "-2.5",
        "hRoiManager.scanFramePeriod": "0.0332",
        "hRoiManager.scanVolumeRate": "10",
        "hRoiManager.imagingFovUm": "[-150 -100;150 -100;150 100;-150 100]",
    }
    text = "\n".join(f"SI.{key} = {value}" for key, value in (known | settings).items())
    with tifffile.TiffWriter(path, bigtiff=True) as tif:
        for number, page in enumerate(pages):
            described = f"frameNumbers = {number + 1}\nepoch = [2023 5 6 7 8 9.5]\n"
            tif.write(page, software=text, description=described, metadata=None, contiguous=False)
    return path


def test_scanimage_volumes_are_time_points(tmp_path: Path) -> None:
    array = noise(4, 3, 2, 20, 30)  # volume, slice, channel
    path = write_scanimage(tmp_path / "si.tif", array.reshape(-1, 20, 30))
    with open_image(path) as file:
        (image,) = file.images
        assert np.array_equal(image.to_numpy(), array.transpose(0, 2, 1, 3, 4))
        meta = image.metadata
        assert meta.format_variant == "ScanImage"
        assert [channel.name for channel in meta.channels] == ["green", "far red"]
        assert meta.get_voxel_size_micrometers() == (10.0, 10.0, 2.5)
        assert meta.time_increment_s == pytest.approx(0.1)
        assert meta.vendor["ScanImage"]["SI.VERSION_MAJOR"] == 2023


def test_scanimage_frames_of_a_slice_follow_one_another(tmp_path: Path) -> None:
    array = noise(2, 3, 5, 2, 20, 30)  # volume, slice, frame, channel
    settings = {"hStackManager.framesPerSlice": "5"}
    path = write_scanimage(tmp_path / "si.tif", array.reshape(-1, 20, 30), **settings)
    with open_image(path) as file:
        wanted = array.transpose(0, 2, 3, 1, 4, 5).reshape(10, 2, 3, 20, 30)
        assert np.array_equal(file.images[0].to_numpy(), wanted)
        assert file.images[0].metadata.time_increment_s is None


def test_scanimage_movies_of_one_plane_are_time_series(tmp_path: Path) -> None:
    array = noise(7, 20, 30)
    settings = {"hStackManager.actualNumSlices": "1", "hChannels.channelSave": "1"}
    path = write_scanimage(tmp_path / "si.tif", array, **settings)
    with open_image(path) as file:
        assert np.array_equal(file.images[0].to_numpy()[:, 0, 0], array)
        assert file.images[0].metadata.time_increment_s == pytest.approx(0.0332)
        assert [channel.name for channel in file.images[0].metadata.channels] == ["green"]


def test_an_imagej_stack_beyond_4_gib(tmp_path: Path) -> None:
    """A sparse file: ImageJ writes one directory and then all planes, wherever they end."""
    path, side, planes = tmp_path / "large.tif", 4096, 132
    first = noise(side, side)
    described = f"ImageJ=1.53t\nimages={planes}\nslices=33\nframes=4\nhyperstack=true\nspacing=0.5\nunit=micron\n"
    tifffile.imwrite(path, first, description=described, metadata=None, resolution=(2, 2), resolutionunit="NONE")
    with tifffile.TiffFile(path) as tif:
        start = tif.pages.first.dataoffsets[0]
    last = first[::-1].copy()
    with path.open("r+b") as stream:
        for number, plane in ((planes - 1, last), (70, first.T.copy())):
            stream.seek(start + number * first.nbytes)
            stream.write(plane.tobytes())
    assert path.stat().st_size > 4 << 30
    with open_image(path) as file:
        (image,) = file.images
        assert image.metadata.shape == (4, 1, 33, side, side)
        part = Region(t=(3, 4), z=(32, 33), y=(100, 164), x=(7, 4000))
        assert np.array_equal(image.read(0, part)[0, 0, 0], last[100:164, 7:4000])
        part = Region(t=(2, 3), z=(4, 5), y=(4000, 4096), x=(0, 33))
        assert np.array_equal(image.read(0, part)[0, 0, 0], first.T[4000:, :33])
        assert image.metadata.get_voxel_size_micrometers() == (0.5, 0.5, 0.5)
