"""Volumes and masks: read back by zarr and mrcfile, pixels by numpy."""

import json
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import zarr

from coverslip.errors import StorageError
from coverslip.storage import FolderStorage
from tests.ingest.deposition.recipes.bench import FOLDER, Bench
from tests.readers import generate_dm, generate_mrc

pytestmark = pytest.mark.filterwarnings("ignore:Setting the dtype")  # mrcfile does

DICE = np.random.default_rng(3)


def levels(path: Path) -> list[np.ndarray]:
    group = zarr.open_group(path, mode="r")
    return [np.asarray(group[str(number)]) for number in range(3)]


def test_a_tomogram_becomes_ome_zarr_and_mrc(bench: Bench) -> None:
    voxels = DICE.normal(size=(6, 7, 9)).astype("f4")
    generate_mrc.write(bench.source / "a.mrc", voxels, voxel_size=10)
    facts = bench.do("volume", ["a.mrc"], ["TS_1.zarr", "TS_1.mrc"], spacing=12.5, is_stack=False)
    assert facts == {
        "size": {"z": 6, "y": 7, "x": 9},
        "scales": [{"z": 6, "y": 7, "x": 9}, {"z": 3, "y": 4, "x": 5}, {"z": 2, "y": 2, "x": 3}],
        "spacing": 12.5,
        "zarr": f"{FOLDER}/TS_1.zarr",
        "mrc": f"{FOLDER}/TS_1.mrc",
    }
    first, second, _ = levels(bench.path("TS_1.zarr"))
    np.testing.assert_array_equal(first, voxels)
    assert second[0, 0, 0] == pytest.approx(voxels[:2, :2, :2].mean(dtype="f8"), rel=1e-6)
    assert second[2, 3, 4] == pytest.approx(voxels[4:, 6, 8].mean(dtype="f8"), rel=1e-6)
    with mrcfile.open(bench.path("TS_1.mrc")) as file:
        np.testing.assert_array_equal(file.data, voxels)
        assert file.voxel_size.x == pytest.approx(12.5)


def test_the_sections_of_a_tilt_series_are_not_averaged(bench: Bench) -> None:
    voxels = DICE.normal(size=(3, 8, 8)).astype("f4")
    generate_mrc.write(bench.source / "a.st", voxels, stack=True)
    facts = bench.do("volume", ["a.st"], ["TS_1.zarr", "TS_1.mrc"], spacing=5, is_stack=True)
    assert facts["scales"] == [{"z": 3, "y": 8, "x": 8}, {"z": 3, "y": 4, "x": 4}, {"z": 3, "y": 2, "x": 2}]
    with mrcfile.open(bench.path("TS_1.mrc")) as file:
        np.testing.assert_array_equal(file.data, voxels)
        assert file.is_image_stack()


def test_where_the_config_says_no_spacing_that_of_the_file_counts(bench: Bench) -> None:
    generate_mrc.write(bench.source / "a.mrc", np.zeros((2, 3, 4), "f4"), voxel_size=7.84)
    facts = bench.do("volume", ["a.mrc"], ["a.zarr"], spacing=None, is_stack=False)
    assert facts["spacing"] == pytest.approx(7.84)
    assert facts["mrc"] is None


@pytest.mark.parametrize(("version", "document"), [("0.4", ".zattrs"), ("0.5", "zarr.json")])
def test_either_version_of_ome_zarr_is_written(bench: Bench, version: str, document: str) -> None:
    voxels = np.arange(24, dtype="f4").reshape(2, 3, 4)
    generate_mrc.write(bench.source / "a.mrc", voxels)
    bench.do("volume", ["a.mrc"], ["a.zarr"], spacing=10, is_stack=False, zarr_version=version)
    assert document in {path.name for path in bench.path("a.zarr").iterdir()}
    np.testing.assert_array_equal(levels(bench.path("a.zarr"))[0], voxels)


def test_a_smaller_volume_leaves_nothing_of_the_larger_one(bench: Bench) -> None:
    generate_mrc.write(bench.source / "a.mrc", np.ones((2, 300, 300), "f4"))
    bench.do("volume", ["a.mrc"], ["a.zarr", "a.mrc"], spacing=10, is_stack=False)
    assert len(list(bench.path("a.zarr").glob("0/0/*/*"))) == 4
    generate_mrc.write(bench.source / "a.mrc", np.ones((2, 100, 100), "f4"))
    (outcome,) = bench.apply().values()
    assert outcome.outcome == "updated"
    assert len(list(bench.path("a.zarr").glob("0/0/*/*"))) == 1
    assert levels(bench.path("a.zarr"))[0].shape == (2, 100, 100)


def test_a_chunk_that_somebody_removed_brings_the_whole_volume_back(bench: Bench) -> None:
    generate_mrc.write(bench.source / "a.mrc", DICE.normal(size=(2, 300, 300)).astype("f4"))
    bench.do("volume", ["a.mrc"], ["a.zarr", "a.mrc"], spacing=10, is_stack=False)
    before = {path: path.read_bytes() for path in bench.destination.root.rglob("*") if path.is_file()}
    next(iter(bench.path("a.zarr").glob("0/0/*/*"))).unlink()
    (outcome,) = bench.apply().values()
    assert outcome.outcome == "updated"
    assert {path: path.read_bytes() for path in bench.destination.root.rglob("*") if path.is_file()} == before
    (outcome,) = bench.apply().values()
    assert outcome.outcome == "unchanged"


LABELS = np.array([[[0, 1, 1], [2, 2, 0]], [[3, 0, 0], [0, 0, 200]]], "i2")


@pytest.mark.parametrize(
    ("shape", "options", "expected", "count"),
    [
        ("SegmentationMask", {}, LABELS == 1, 1),
        ("SemanticSegmentationMask", {"mask_label": 2}, LABELS == 2, 1),
        ("SemanticSegmentationMask", {"threshold": 2}, LABELS >= 2, 1),
        ("SemanticSegmentationMask", {"mask_label": 9}, LABELS == 9, 0),
        ("InstanceSegmentationMask", {}, LABELS, 4),
    ],
)
def test_masks_are_made_of_labels(
    bench: Bench, shape: str, options: dict[str, float], expected: np.ndarray, count: int
) -> None:
    generate_mrc.write(bench.source / "a.mrc", LABELS)
    facts = bench.do("mask", ["a.mrc"], ["m.zarr", "m.mrc"], shape=shape, file_format="mrc", spacing=10, **options)
    assert (facts["object_count"], facts["is_empty"]) == (count, count == 0)
    first = levels(bench.path("m.zarr"))[0]
    np.testing.assert_array_equal(first, expected)
    assert first.dtype == ("uint16" if shape == "InstanceSegmentationMask" else "int8")
    with mrcfile.open(bench.path("m.mrc")) as file:
        np.testing.assert_array_equal(file.data, expected)


def test_a_mask_is_scaled_to_the_volume_of_its_run(bench: Bench) -> None:
    generate_mrc.write(bench.source / "t.mrc", np.zeros((4, 6, 8), "f4"))
    generate_mrc.write(bench.source / "m.mrc", np.ones((2, 3, 4), "i1"))
    volume = bench.step("volume", ["t.mrc"], ["t.zarr"], spacing=10, is_stack=False)
    mask = bench.step(
        "mask", ["m.mrc"], ["m.zarr"], [volume], shape="SegmentationMask", file_format="mrc", spacing=5, rescale=True
    )
    bench.apply()
    assert bench.facts(mask)["size"] == {"z": 8, "y": 12, "x": 16}
    assert levels(bench.path("m.zarr"))[0].all()


def test_a_file_that_is_no_volume_fails(bench: Bench) -> None:
    bench.put("a.mrc", b"x" * 2000)
    assert "a.mrc" in bench.fails("volume", ["a.mrc"], ["a.zarr", "a.mrc"], spacing=10, is_stack=False)


def test_a_truncated_volume_fails_and_is_not_half_published(bench: Bench) -> None:
    path = generate_mrc.write(bench.source / "a.mrc", np.ones((4, 40, 40), "f4"))
    path.write_bytes(path.read_bytes()[:-4000])
    assert "a.mrc" in bench.fails("volume", ["a.mrc"], ["a.zarr", "a.mrc"], spacing=10, is_stack=False)


def test_a_gain_reference_of_gatan_becomes_mrc(bench: Bench) -> None:
    pixels = DICE.normal(size=(5, 7)).astype("f4")
    generate_dm.write(bench.source / "gain.dm4", pixels, calibrations=((1, 0, "nm"), (1, 0, "nm")))
    assert bench.do("gain", ["gain.dm4"], ["gain.mrc"]) == {"path": f"{FOLDER}/gain.mrc"}
    with mrcfile.open(bench.path("gain.mrc")) as file:
        np.testing.assert_array_equal(np.squeeze(file.data), pixels)


def test_other_gain_references_are_copied(bench: Bench) -> None:
    bench.put("gain.gain", b"\x00\x01")
    bench.do("gain", ["gain.gain"], ["gain.gain"])
    assert bench.read("gain.gain") == b"\x00\x01"


def test_a_volume_is_no_ome_zarr_while_it_is_written_again(bench: Bench) -> None:
    class Full(FolderStorage):
        def put(self, key: str, data: bytes) -> None:
            if key.endswith("2/0/0/0"):
                raise StorageError("the disk is full")
            super().put(key, data)

    generate_mrc.write(bench.source / "a.mrc", np.ones((2, 30, 30), "f4"))
    step = bench.step("volume", ["a.mrc"], ["a.zarr", "a.mrc"], spacing=10, is_stack=False)
    bench.apply()
    mrc = bench.read("a.mrc")
    generate_mrc.write(bench.source / "a.mrc", np.full((2, 30, 30), 2, "f4"))
    usual, bench.destination = bench.destination, Full(bench.destination.root)
    assert (bench.apply()[step.name].outcome, bench.apply()[step.name].reason) == ("failed", "the disk is full")
    assert not bench.path("a.zarr/.zgroup").exists()
    assert bench.read("a.mrc") == mrc
    bench.destination = usual
    assert bench.apply()[step.name].outcome == "updated"
    assert json.loads(bench.path("a.zarr/.zgroup").read_text()) == {"zarr_format": 2}
    assert (levels(bench.path("a.zarr"))[0] == 2).all()
