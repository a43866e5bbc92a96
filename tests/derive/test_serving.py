"""What is gone from the storage or damaged there is noticed and built again."""

import shutil

import pytest

from coverslip.derive import current
from coverslip.errors import StorageError
from tests.derive.lab import KIND, Lab, Recipe


@pytest.fixture
def image(lab: Lab) -> str:
    image = lab.add()
    lab.builder().ensure(KIND, image, 20)
    return image


def test_what_is_published_is_read(lab: Lab, image: str) -> None:
    record, data = current(lab.catalog, lab.storage, KIND, image)
    assert data == b"cells.tif revision 1"
    assert record == lab.artifact(image)
    assert lab.builder(recipe := Recipe()).read_artifact(KIND, image, 0) == (record, data)
    assert recipe.builds == 0


def test_what_is_stale_is_not_read(lab: Lab, image: str) -> None:
    lab.add(mtime_ns=2)
    record, data = current(lab.catalog, lab.storage, KIND, image)
    assert (data, record.wanted - record.built) == (None, 1)
    assert lab.builder().read_artifact(KIND, image, 20)[1] == b"cells.tif revision 2"


def test_a_removed_file_is_healed(lab: Lab, image: str) -> None:
    lab.place_of(image).unlink()
    record, data = current(lab.catalog, lab.storage, KIND, image)
    assert data is None
    assert not record.is_fresh(1)
    assert lab.builder(recipe := Recipe()).read_artifact(KIND, image, 20)[1] == b"cells.tif revision 1"
    assert recipe.builds == 1
    assert lab.place_of(image).exists()
    assert lab.is_fresh(image)


def test_a_removed_folder_is_healed(lab: Lab, image: str) -> None:
    shutil.rmtree(lab.storage.url)
    assert lab.builder().read_artifact(KIND, image, 20)[1] == b"cells.tif revision 1"
    assert current(lab.catalog, lab.storage, KIND, image)[1] == b"cells.tif revision 1"


@pytest.mark.parametrize("damaged", [b"", b"cells.tif rev", b"cells.tif revision 2"])
def test_a_damaged_file_is_healed(lab: Lab, image: str, damaged: bytes) -> None:
    lab.place_of(image).write_bytes(damaged)
    assert lab.builder().read_artifact(KIND, image, 20)[1] == b"cells.tif revision 1"
    assert lab.place_of(image).read_bytes() == b"cells.tif revision 1"


def test_a_storage_that_cannot_be_read_is_unknown_and_nothing_is_marked(lab: Lab, image: str) -> None:
    place = lab.place_of(image)
    place.unlink()
    place.symlink_to(place)  # reading it fails for everybody, root included
    before = lab.artifact(image)
    with pytest.raises(StorageError, match="cannot read"):
        current(lab.catalog, lab.storage, KIND, image)
    assert lab.artifact(image) == before
