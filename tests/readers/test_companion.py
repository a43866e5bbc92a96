from pathlib import Path

import numpy as np
import pytest
import tifffile

from coverslip.catalog import Catalog
from coverslip.derive import open_catalog
from coverslip.errors import ImageLoadError, ReadError
from coverslip.ingest import add
from coverslip.readers import open_image
from tests.readers.generate_companion import write_companion

PIXELS = np.random.default_rng(2).integers(0, 4000, (2, 2, 3, 20, 30)).astype("uint16")


def catalog_of(tmp_path: Path) -> Catalog:
    return open_catalog(f"sqlite:///{tmp_path / 'catalog.db'}")


def test_any_file_of_the_set_opens_the_whole(tmp_path: Path) -> None:
    paths = write_companion(tmp_path, PIXELS)
    for path in paths:
        with open_image(path) as file:
            assert file.reader == "ome-companion"
            assert file.files[0] == path
            assert sorted(file.files) == sorted(paths)
            (image,) = file.images
            assert np.array_equal(image.to_numpy(), PIXELS)
            assert image.metadata.name == "the set"
            assert [channel.name for channel in image.metadata.channels] == ["dye 0", "dye 1"]
            assert image.metadata.get_voxel_size_micrometers() == (0.25, 0.25, None)


def test_the_catalog_has_one_image(tmp_path: Path) -> None:
    write_companion(tmp_path / "set", PIXELS)
    with catalog_of(tmp_path) as catalog:
        assert add([tmp_path / "set"], catalog=catalog).outcomes == {"added": 1, "part": 4}
        (image,) = catalog.list_images().images
        assert image.metadata.shape == PIXELS.shape


def test_a_missing_tiff_is_an_error_where_it_is_read(tmp_path: Path) -> None:
    paths = write_companion(tmp_path, PIXELS)
    paths[2].unlink()
    with open_image(paths[0]) as file:
        (image,) = file.images
        assert np.array_equal(image.plane(t=1, c=1, z=2), PIXELS[1, 1, 2])
        assert "part1.ome.tiff" in (image.metadata.note or "")
        with pytest.raises(ReadError, match="no file of the set holds it"):
            image.plane(t=0, c=1)


@pytest.mark.parametrize("absolute", [False, True])
def test_names_do_not_leave_the_folder(tmp_path: Path, absolute: bool) -> None:
    write_companion(tmp_path / "secret", PIXELS[:1, :1])
    outside = tmp_path / "secret" / "part0.ome.tiff"
    name = str(outside) if absolute else "../secret/part0.ome.tiff"
    inside = write_companion(tmp_path / "set", PIXELS[:1], names=["part0.ome.tiff", name])
    with open_image(inside[0]) as file:  # the file of that name in its own folder, never the one outside
        assert outside not in file.files
    for path in inside[1:]:
        path.unlink()
    with pytest.raises(ReadError, match="none of the TIFFs that it names is beside it"):
        open_image(inside[0])


def test_a_companion_elsewhere_is_not_read(tmp_path: Path) -> None:
    write_companion(tmp_path / "secret", PIXELS)
    paths = write_companion(tmp_path / "set", PIXELS[:1, :1], metadata_file="../secret/set.companion.ome")
    paths[0].unlink()
    with open_image(paths[1]) as file:
        assert (file.reader, file.files) == ("tiff", (paths[1],))


@pytest.mark.parametrize(
    "content", ['<?xml version="1.0"?><OME>', '<!DOCTYPE x [<!ENTITY a "b">]><OME>&a;</OME>', "<OME/>"]
)
def test_a_damaged_companion_is_refused(tmp_path: Path, content: str) -> None:
    paths = write_companion(tmp_path, PIXELS)
    paths[0].write_text(content)
    with pytest.raises(ImageLoadError):
        open_image(paths[0])


@pytest.mark.samples
def test_a_real_set_as_tifffile_reads_its_files(samples: Path) -> None:
    folder = samples / "ome-tiff" / "companion"
    wanted = np.stack([tifffile.imread(folder / f"multifile-Z{z}.ome.tiff") for z in range(1, 6)])
    for path in folder.iterdir():
        with open_image(path) as file:
            assert np.array_equal(file.images[0].to_numpy()[0, 0], wanted)
