from pathlib import Path

import numpy as np
import pytest
import tifffile

from coverslip.errors import ReadError
from coverslip.model import Region
from coverslip.readers import open_image
from tests.readers.generate_micromanager import write_mmstack, write_ndtiff

PIXELS = np.random.default_rng(4).integers(0, 4000, (3, 2, 2, 4, 20, 30)).astype("<u2")
"""P, T, C, Z, Y, X."""
STAGE = {"StagePositions": [{"Label": "left"}, {"Label": "middle"}, {"Label": ""}]}


def test_the_positions_of_a_stack_are_images(tmp_path: Path) -> None:
    path = write_mmstack(tmp_path / "run_MMStack.ome.tif", PIXELS, STAGE)
    with tifffile.TiffFile(path) as tif:  # an independent reader agrees on the file
        assert tif.series[0].kind == "mmstack"
        assert np.array_equal(tif.series[0].asarray(), PIXELS.transpose(0, 1, 3, 2, 4, 5))
    with open_image(path) as file:
        assert [image.metadata.name for image in file.images] == ["left", "middle", "Position 2"]
        for image, array in zip(file.images, PIXELS, strict=True):
            assert image.metadata.shape == (2, 2, 4, 20, 30)
            assert np.array_equal(image.to_numpy(), array)
            assert np.array_equal(
                image.read(0, Region(t=(1, 2), c=(0, 1), z=(2, 4), y=(3, 9), x=(7, 30))), array[1:2, :1, 2:4, 3:9, 7:]
            )
        meta = file.images[1].metadata
        assert (meta.format_variant, meta.source_axes) == ("Micro-Manager", "TZCYX")
        assert [channel.name for channel in meta.channels] == ["dye 0", "dye 1"]
        assert meta.get_voxel_size_micrometers() == (0.25, 0.25, 0.5)
        assert meta.time_increment_s == 2.0


def test_a_stack_over_several_files_is_whole_from_any_of_them(tmp_path: Path) -> None:
    places = list(np.ndindex(PIXELS.shape[:4]))
    paths = [
        write_mmstack(tmp_path / "run_MMStack.ome.tif", PIXELS, STAGE, planes=places[:20]),
        write_mmstack(tmp_path / "run_MMStack_1.ome.tif", PIXELS, STAGE, planes=places[20:]),
    ]
    for path in paths:
        with open_image(path) as file:
            assert sorted(file.files) == sorted(paths)
            assert len(file.images) == 3
            for image, array in zip(file.images, PIXELS, strict=True):
                assert np.array_equal(image.to_numpy(), array)


def test_planes_that_were_never_taken_are_errors(tmp_path: Path) -> None:
    places = list(np.ndindex(PIXELS.shape[:4]))
    write_mmstack(tmp_path / "run_MMStack.ome.tif", PIXELS, STAGE, planes=places[:20])
    path = write_mmstack(tmp_path / "run_MMStack_1.ome.tif", PIXELS, STAGE, planes=places[20:40])
    with open_image(path) as file:
        assert np.array_equal(file.images[1].to_numpy(), PIXELS[1])
        with pytest.raises(ReadError, match="no file of the set holds it"):
            file.images[2].plane(t=1, c=1, z=3)


@pytest.mark.parametrize("files", [1, 3])
def test_the_positions_of_an_ndtiff_dataset_are_images(tmp_path: Path, files: int) -> None:
    paths = write_ndtiff(tmp_path, PIXELS, files=files, names=("DAPI", "GFP"))
    with tifffile.TiffFile(paths[0]) as tif:
        assert tif.series[0].kind == "ndtiff"
        assert np.array_equal(tif.series[0].asarray(), PIXELS)
    for path in paths:
        with open_image(path) as file:
            assert set(file.files) == set(paths)
            for image, array in zip(file.images, PIXELS, strict=True):
                assert np.array_equal(image.to_numpy(), array)
                assert [channel.name for channel in image.metadata.channels] == ["DAPI", "GFP"]
            assert file.images[0].metadata.get_voxel_size_micrometers() == (0.25, 0.25, 0.5)
            assert file.images[2].metadata.name == "Position 2"


@pytest.mark.parametrize("name", ["../secret/NDTiffStack.tif", "/etc/passwd", "..\\x.tif"])
def test_an_index_does_not_lead_out_of_its_folder(tmp_path: Path, name: str) -> None:
    write_ndtiff(tmp_path / "secret", PIXELS)
    paths = write_ndtiff(tmp_path / "set", PIXELS, index_name=name)
    with pytest.raises(ReadError, match="outside of its folder"):
        open_image(paths[0])


def test_one_position_is_one_image(tmp_path: Path) -> None:
    with open_image(write_mmstack(tmp_path / "a_MMStack.ome.tif", PIXELS[:1], {})) as file:
        (image,) = file.images
        assert np.array_equal(image.to_numpy(), PIXELS[0])
