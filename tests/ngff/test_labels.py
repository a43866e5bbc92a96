"""Label images as OME-Zarr: the group that lists them, their documents, and levels that never invent a label."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from ome_zarr_models.v04.image_label import ImageLabel as ImageLabel04
from ome_zarr_models.v05.image_label import ImageLabel as ImageLabel05

from coverslip.ngff import Version, VirtualStore, to_store, write
from coverslip.ngff.means import nearest
from tests.ngff.images import Array, ArrayImage, array_of, some

CELLS = np.kron(np.arange(1, 1 + 30 * 40).reshape(30, 40), np.ones((21, 17), int)).astype("int32")


class Labelled(ArrayImage):
    """An image with label images."""

    def __init__(self, pixels: Array, **labels: Array) -> None:
        super().__init__(pixels)
        self.labels = [ArrayImage(label[None, None, None], name=name) for name, label in labels.items()]


def make() -> Labelled:
    return Labelled(some((1, 2, 1, *CELLS.shape)), whole_cell=CELLS, nuclear=CELLS // 2)


@pytest.mark.parametrize("version", ["0.5", "0.4"])
def test_zarr_python_finds_and_reads_the_labels(version: Version) -> None:
    group = zarr.open_group(to_store(make(), version), mode="r")
    labels = group["labels"]
    assert isinstance(labels, zarr.Group)
    listed: Any = labels.attrs.asdict()
    assert (listed["ome"] if version == "0.5" else listed)["labels"] == ["whole_cell", "nuclear"]
    cells = labels["whole_cell"]
    assert isinstance(cells, zarr.Group)
    (ImageLabel05 if version == "0.5" else ImageLabel04).from_zarr(cells)
    np.testing.assert_array_equal(array_of(cells, "0")[0, 0, 0], CELLS)
    for level in (1, 2):
        side = 1 << level
        rows = np.minimum(np.arange(side // 2, CELLS.shape[0] + side // 2, side), CELLS.shape[0] - 1)
        columns = np.minimum(np.arange(side // 2, CELLS.shape[1] + side // 2, side), CELLS.shape[1] - 1)
        np.testing.assert_array_equal(array_of(cells, str(level))[0, 0, 0], CELLS[np.ix_(rows, columns)])


@pytest.mark.parametrize("version", ["0.5", "0.4"])
def test_keys_are_exactly_those_that_can_be_had(version: Version) -> None:
    store = VirtualStore(make(), version)
    keys = list(store.keys())
    assert len(keys) == len(set(keys))
    assert set(store.documents()) <= set(keys)
    for key in keys:
        data = store.get(key)
        assert data is not None
        assert (key in store, store.size(key)) == (True, len(data))
    for key in ("labels/", "labels/cells/zarr.json", "labels/whole_cell", "labels/whole_cell/", "labels/whole_cell/9"):
        assert (key in store, store.get(key), store.size(key)) == (False, None, None)


def test_an_image_without_labels_has_no_group_of_them() -> None:
    store = VirtualStore(ArrayImage(some((1, 1, 1, 9, 9))))
    assert store.get("labels/zarr.json") is None
    assert not any(key.startswith("labels") for key in store.keys())  # noqa: SIM118  # a store is no mapping


def test_a_name_with_a_slash_is_one_name() -> None:
    store = VirtualStore(Labelled(some((1, 1, 1, *CELLS.shape)), **{"a/b": CELLS, "..": CELLS}))
    assert {"labels/a_b/zarr.json", "labels/__/zarr.json"} <= set(store.documents())


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("shape", [(1, 1), (7, 9), (8, 16), (13, 5)])
def test_every_reduced_label_is_one_of_its_block(steps: int, shape: tuple[int, int]) -> None:
    labels = np.arange(shape[0] * shape[1]).reshape(shape)
    small, side = nearest(labels, steps), 1 << steps
    assert small.shape == (-(-shape[0] // side), -(-shape[1] // side))
    for y, x in np.ndindex(small.shape):
        assert small[y, x] in labels[y * side : (y + 1) * side, x * side : (x + 1) * side]


@pytest.mark.parametrize("version", ["0.5", "0.4"])
def test_labels_are_written_along(tmp_path: Path, version: Version) -> None:
    """Every level of every label image is what is served, also those that are made along with a finer one."""
    image, out = make(), tmp_path / "out.zarr"
    assert write(image, out, source="s", version=version)
    shown, group = zarr.open_group(to_store(image, version), mode="r"), zarr.open_group(out, mode="r")
    for name in ("whole_cell", "nuclear"):
        served, written = shown[f"labels/{name}"], group[f"labels/{name}"]
        assert isinstance(served, zarr.Group)
        assert isinstance(written, zarr.Group)
        (ImageLabel05 if version == "0.5" else ImageLabel04).from_zarr(written)
        levels = sorted(served.array_keys())
        assert sorted(written.array_keys()) == levels == ["0", "1", "2"]
        for level in levels:
            np.testing.assert_array_equal(array_of(written, level), array_of(served, level))
    assert shown["labels"].attrs.asdict() == group["labels"].attrs.asdict()


def test_a_stopped_conversion_goes_on_with_the_labels(tmp_path: Path) -> None:
    image, out, asked = make(), tmp_path / "out.zarr", []

    def should_stop() -> bool:
        asked.append(1)
        return len(asked) > 2

    assert not write(image, out, source="s", workers=1, should_stop=should_stop)
    assert not out.exists()
    totals = set()
    assert write(image, out, source="s", on_progress=lambda _done, total: totals.add(total))
    assert len(totals) == 1
    written = zarr.open_group(out, mode="r")["labels/nuclear/0"]
    assert isinstance(written, zarr.Array)
    np.testing.assert_array_equal(np.asarray(written[...])[0, 0, 0], CELLS // 2)
