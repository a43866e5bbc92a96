"""The thumbnail of real files."""

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from coverslip.catalog import Catalog
from coverslip.derive import KINDS, VERSIONS, Builder
from coverslip.derive.drawn import THUMBNAIL
from coverslip.derive.sources import open_source
from coverslip.errors import BuildError, ReadError
from coverslip.model import RenderSpec
from coverslip.model.records import ImageRecord, SeenFile, SyncItem
from coverslip.model.render import FOUNDING
from coverslip.readers import open_image
from coverslip.render import draw
from tests.derive.lab import KIND, LEASE, Lab


def write_cells(path: Path, seed: int = 0) -> None:
    """Write two channels, three slices and three time points of blobs, with names and sizes."""
    rng = np.random.default_rng(seed)
    stack = rng.normal(200, 10, (3, 2, 3, 300, 400)).astype(np.uint16)
    for t, c, z, y, x in rng.integers(0, [3, 2, 3, 260, 360], (60, 5)):
        stack[t, c, z, y : y + 40, x : x + 40] += np.uint16(3000)
    metadata = {"axes": "TCZYX", "Channel": {"Name": ["DAPI", "GFP"]}, "PhysicalSizeX": 0.2, "PhysicalSizeY": 0.2}
    tifffile.imwrite(path, stack, ome=True, metadata=metadata)


def decode(data: bytes) -> NDArray[np.generic]:
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    return pixels[..., ::-1]


def catalog_file(catalog: Catalog, path: Path) -> ImageRecord:
    with open_image(path) as file:
        images = tuple(image.metadata for image in file.images)
    status = path.stat()
    seen = SeenFile(path=str(path), size=status.st_size, mtime_ns=status.st_mtime_ns)
    catalog.sync_files([SyncItem(seen, "ok", None, images)], read_by="test")
    return next(image for image in catalog.list_images().images if image.path == str(path))


@pytest.fixture
def cells(lab: Lab) -> ImageRecord:
    path = lab.folder / "cells.ome.tif"
    write_cells(path)
    return catalog_file(lab.catalog, path)


def test_the_recipe_of_version_1_is_what_it_was() -> None:
    assert VERSIONS[KIND] == 1
    assert THUMBNAIL.digest == "5e23373a2308029a"
    size, shown = {"width": 256, "height": 256}, {"t": None, "z": None, "projection": "auto", "channels": None}
    assert THUMBNAIL.model_dump(include=set(FOUNDING)) == {**size, **shown, "low": 1.0, "high": 99.0}
    assert RenderSpec() == THUMBNAIL, "a request without parameters is answered with the thumbnail"
    assert (KINDS[KIND].media_type, KINDS[KIND].suffix) == ("image/png", ".png")


def test_it_is_the_picture_that_render_draws(lab: Lab, cells: ImageRecord) -> None:
    record, data = Builder(lab.catalog, lab.storage, lease_seconds=LEASE).read_artifact(KIND, cells.id, 20)
    picture = decode(data)
    with open_image(cells.path) as file:
        expected = draw(file.images[0], RenderSpec(width=256, height=256, t=1))
    assert picture.shape == (192, 256, 3)
    assert np.array_equal(picture, expected)
    assert record.etag == hashlib.sha256(data).hexdigest()[:32]
    assert data.startswith(b"\x89PNG")


def test_equal_pixels_give_equal_bytes(lab: Lab, cells: ImageRecord) -> None:
    builder = Builder(lab.catalog, lab.storage, lease_seconds=LEASE)
    first = builder.ensure(KIND, cells.id, 20)
    copy = lab.folder / "copy.ome.tif"
    write_cells(copy)
    assert builder.ensure(KIND, catalog_file(lab.catalog, copy).id, 20).key == first.key
    assert len(list(lab.storage.list())) == 1


def test_a_changed_file_gets_another_picture(lab: Lab, cells: ImageRecord) -> None:
    builder = Builder(lab.catalog, lab.storage, lease_seconds=LEASE)
    first = builder.ensure(KIND, cells.id, 20)
    write_cells(Path(cells.path), seed=1)
    changed = catalog_file(lab.catalog, Path(cells.path))
    assert changed.id == cells.id
    again = builder.ensure(KIND, cells.id, 20)
    assert again.etag != first.etag
    assert again.is_fresh(1)


def test_the_file_is_closed_afterwards(lab: Lab, cells: ImageRecord, no_open_handles: None) -> None:
    Builder(lab.catalog, lab.storage, lease_seconds=LEASE).ensure(KIND, cells.id, 20)
    lab.catalog.close()


def test_a_damaged_file_fails_with_a_reason_that_names_it(lab: Lab, cells: ImageRecord) -> None:
    path = Path(cells.path)
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(BuildError, match=r"cells\.ome\.tif: ") as caught:
        Builder(lab.catalog, lab.storage, lease_seconds=LEASE).ensure(KIND, cells.id, 20)
    assert not caught.value.retryable
    assert isinstance(caught.value.__cause__, ReadError)


def test_an_image_that_left_its_file_is_said_so(lab: Lab, cells: ImageRecord) -> None:
    path = lab.folder / "two.tif"
    with tifffile.TiffWriter(path, ome=True) as writer:
        for _ in range(2):
            writer.write(np.zeros((8, 8), np.uint8))
    catalog_file(lab.catalog, path)
    second = next(image for image in lab.catalog.list_images().images if (image.path, image.index) == (str(path), 1))
    tifffile.imwrite(path, np.zeros((8, 8), np.uint8))
    with pytest.raises(ReadError, match=r"two\.tif: image 2 of the file is gone; it holds 1 now"):
        open_source(second, lambda: False).__enter__()
