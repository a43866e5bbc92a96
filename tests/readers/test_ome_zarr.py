import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import ome_zarr_models.v05
import pytest
import zarr
from zarr.storage import LocalStore

from coverslip.errors import ReadError, UnsupportedFormatError
from coverslip.model import ImageMetadata, PhysicalSize, Region
from coverslip.readers import open_image
from coverslip.readers.ome_zarr.metadata import parse_axes, parse_channels, parse_scale
from coverslip.readers.units import length, seconds
from coverslip.readers.vendor_metadata import MAX_DOCUMENT
from tests.readers.generate_ome_zarr import ZarrFormat, bare, canonical, counted, edit, make_ome_zarr, write_image


def metadata(path: Path) -> ImageMetadata:
    with open_image(path) as file:
        return file.images[0].metadata


def test_what_we_generate_is_valid_by_an_independent_model(tmp_path: Path) -> None:
    made = [path for path in make_ome_zarr(tmp_path) if path.name.endswith("_v05.ome.zarr")]
    for path in made:
        ome_zarr_models.v05.Image.from_zarr(zarr.open_group(LocalStore(path, read_only=True), mode="r"))
    assert len(made) == 3


def test_metadata_of_both_versions(tmp_path: Path) -> None:
    versions: list[tuple[ZarrFormat, str]] = [(2, "0.4"), (3, "0.5")]
    for zarr_format, version in versions:
        path = write_image(tmp_path / f"{version}.zarr", counted(2, 3, 4, 16, 16), "tczyx", zarr_format)
        meta = metadata(path)
        assert (meta.file_format, meta.format_variant, meta.source_axes) == ("OME-Zarr", version, "TCZYX")
        assert meta.get_voxel_size_micrometers() == (0.5, 0.5, 2.0)
        assert meta.time_increment_s == 2.0
        assert [(channel.name, channel.color) for channel in meta.channels] == [
            (f"dye {c}", "#00ff7f") for c in range(3)
        ]
        assert [(level.size_z, level.size_y, level.size_x) for level in meta.levels] == [(4, 16, 16), (4, 8, 8)]
        assert "multiscales" in meta.vendor["attributes"].get("ome", meta.vendor["attributes"])
        assert meta.note is None


def test_reading_metadata_does_not_load_zarr(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.zarr", counted(8, 8), "yx")
    code = f"""
import sys
from coverslip.readers.ome_zarr import reader
print(reader.open(__import__('pathlib').Path({str(path)!r})).images[0].metadata.size_x, 'zarr' in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["8", "False"]


@pytest.mark.parametrize(
    ("shape", "document", "variant", "axes"),
    [
        ((2, 1, 2, 9, 8), {}, "0.2", "TCZYX"),
        ((2, 1, 2, 9, 8), {"version": "0.1"}, "0.1", "TCZYX"),
        ((3, 9, 8), {"version": "0.3", "axes": ["c", "y", "x"]}, "0.3", "CYX"),
        ((3, 9, 8), {"axes": ["t", "y", "x"]}, "0.3", "TYX"),
        ((3, 9, 8), {"axes": [{"name": "z"}, {"name": "y"}, {"name": "x"}]}, "0.4", "ZYX"),
    ],
)
def test_older_versions(tmp_path: Path, shape: tuple[int, ...], document: Any, variant: str, axes: str) -> None:
    stored = counted(*shape)
    path = bare(tmp_path / "a.zarr", {"0": stored}, {"multiscales": [{**document, "datasets": [{"path": "0"}]}]})
    with open_image(path) as file:
        meta = file.images[0].metadata
        assert (meta.format_variant, meta.source_axes) == (variant, axes)
        assert np.array_equal(file.images[0].to_numpy(), canonical(stored, axes.lower()))
        assert meta.get_voxel_size_micrometers() == (None, None, None)


def test_other_axes_become_channels(tmp_path: Path) -> None:
    stored = counted(2, 4, 3, 6, 5)
    axes = [{"name": "angle"}, {"name": "c", "type": "channel"}, {"name": "lambda"}, {"name": "y"}, {"name": "x"}]
    path = bare(tmp_path / "a.zarr", {"0": stored}, {"multiscales": [{"axes": axes, "datasets": [{"path": "0"}]}]})
    expected = stored.transpose(1, 0, 2, 3, 4).reshape(1, 24, 1, 6, 5)
    with open_image(path) as file:
        image = file.images[0]
        assert image.metadata.source_axes == "(angle)C(lambda)YX"
        assert "angle, lambda are counted as channels" in (image.metadata.note or "")
        assert np.array_equal(image.to_numpy(), expected)
        assert np.array_equal(image.read(0, Region(c=(5, 14), y=(1, 4))), expected[:, 5:14, :, 1:4])


@pytest.mark.parametrize(
    ("names", "types", "roles"),
    [
        ("tczyx", "", ("t", "c", "z", "y", "x")),
        ("XYZ", "", ("x", "y", "z")),
        (("time", "dye", "y", "x"), ("time", "channel", "space", "space"), ("t", "c", "y", "x")),
        (("plane", "row", "column"), ("space", "space", "space"), ("z", "y", "x")),
        (("c", "stain", "y", "x"), ("channel", "channel", "space", "space"), ("c", "+", "y", "x")),
    ],
)
def test_roles_of_axes(names: Any, types: Any, roles: tuple[str, ...]) -> None:
    axes = [{"name": name, "type": types[index] if types else ""} for index, name in enumerate(names)]
    assert parse_axes({"axes": axes}, len(names)).roles == roles


@pytest.mark.parametrize(
    ("axes", "ndim", "reason"),
    [
        (["z", "y", "x"], 2, "names 3 axes, the array has 2"),
        (["y", "y", "x"], 3, "y is named more than once"),
        (["t", "c"], 2, "no y-x plane"),
        ("zyx", 3, "names no axes, the array has 3"),
    ],
)
def test_axes_that_make_no_sense(axes: Any, ndim: int, reason: str) -> None:
    with pytest.raises(ReadError, match=reason):
        parse_axes({"axes": axes}, ndim)


def test_units() -> None:
    assert length(2.0, "micrometer") == PhysicalSize(value=2.0, unit="um")
    assert length(2.0, "Nanometres") == PhysicalSize(value=2.0, unit="nm")
    assert length(2.0, "angstrom") == PhysicalSize(value=2.0, unit="angstrom")
    assert length(2.0, "inch") == PhysicalSize(value=2.0, unit="in")
    assert length(2.0, "decimeter") == PhysicalSize(value=20.0, unit="cm")
    assert length(2.0, "mm") == PhysicalSize(value=2.0, unit="mm")
    for unit in (None, "pixel", "", "second"):
        assert length(2.0, unit) is None
    assert length(0.0, "micrometer") is None
    assert [seconds(3.0, unit) for unit in ("second", "millisecond", "minute", "s", "hours")] == [
        3.0,
        pytest.approx(0.003),
        180.0,
        3.0,
        10800.0,
    ]
    assert [seconds(value, unit) for value, unit in ((1.0, None), (0.0, "second"), (1.0, "meter"))] == [None] * 3


def test_scales_are_multiplied_and_nonsense_is_unknown() -> None:
    own = {
        "coordinateTransformations": [
            {"type": "translation", "translation": [1, 1]},
            {"type": "scale", "scale": [2, 3]},
        ]
    }
    common = {"coordinateTransformations": [{"type": "scale", "scale": [10, 0.5]}]}
    assert parse_scale(common, own, 2) == (20.0, 1.5)
    assert parse_scale({}, own, 2) == (2.0, 3.0)
    assert parse_scale(common, {}, 2) == (10.0, 0.5)
    assert parse_scale({}, own, 3) is None
    assert parse_scale({"coordinateTransformations": [{"type": "identity"}, "?"]}, {}, 2) is None


def test_channels() -> None:
    stated = [{"label": 0, "color": "FF0000"}, {"label": " ", "color": "#00ff00AA"}, {"color": "red"}, "?"]
    channels, notes = parse_channels({"omero": {"channels": stated}}, 3)
    assert [(c.name, c.color) for c in channels] == [("0", "#ff0000"), ("Channel 1", "#00ff00"), ("Channel 2", None)]
    assert notes == ()
    channels, notes = parse_channels({"omero": {"channels": [{"label": "a"}]}}, 2)
    assert [channel.name for channel in channels] == ["a", "Channel 1"]
    assert notes == ("the metadata describes 1 channels, the image has 2",)
    assert parse_channels({"omero": None}, 1)[1] == ()


def test_levels_that_cannot_be_used_are_left_out_and_said(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.zarr", counted(2, 4, 16, 16), "czyx", levels=3)
    shutil.rmtree(path / "1")
    assert [level.size_x for level in metadata(path).levels] == [16, 4]
    assert metadata(path).note == "level '1' is listed but missing"
    arrays = {
        "0": counted(2, 8, 8),
        "fewer": counted(1, 4, 4),
        "larger": counted(2, 9, 4),
        "type": counted(2, 4, 4, dtype="u1"),
    }
    arrays |= {"flat": counted(4, 4), "same": counted(2, 8, 8), "half": counted(2, 4, 4)}
    listed = [{"path": name} for name in arrays]
    other = bare(tmp_path / "b.zarr", arrays, {"multiscales": [{"axes": ["c", "y", "x"], "datasets": listed}]})
    with open_image(other) as file:
        meta = file.images[0].metadata
        assert [level.size_y for level in meta.levels] == [8, 8, 4]
        assert np.array_equal(file.images[0].to_numpy(2)[0, :, 0], arrays["half"])
        assert all(f"level {name!r} is left out" in (meta.note or "") for name in ("fewer", "larger", "type", "flat"))


def test_a_plate_and_a_well(tmp_path: Path) -> None:
    plate = tmp_path / "plate.ome.zarr"
    fields = next(arrays for path, arrays in make_ome_zarr(tmp_path).items() if path == plate)
    with open_image(plate) as file:
        assert [image.metadata.name for image in file.images] == ["A/1/0", "A/1/1", "B/2/0"]
        assert np.array_equal(file.images[2].to_numpy(), fields[2])
    with open_image(plate / "A" / "1") as file:
        assert [image.metadata.name for image in file.images] == ["0", "1"]
    shutil.rmtree(plate / "B")
    with open_image(plate) as file:
        assert len(file.images) == 2
        assert file.images[0].metadata.note == "listed but missing: B/2"
    shutil.rmtree(plate / "A")
    with pytest.raises(ReadError, match="nothing of what the metadata lists is there: A/1, B/2"):
        open_image(plate)


def test_bioformats2raw_series_without_a_listing_go_by_number(tmp_path: Path) -> None:
    path = tmp_path / "series.zarr"
    make_ome_zarr(tmp_path)
    shutil.rmtree(path / "OME")
    for number in range(2, 11):
        shutil.copytree(path / "0", path / str(number))
    (path / "7" / ".zattrs").unlink()
    with open_image(path) as file:
        assert len(file.images) == 10
        assert [image.metadata.size_c for image in file.images[:3]] == [1, 2, 1]


def test_several_multiscales_in_one_group_are_several_images(tmp_path: Path) -> None:
    arrays = {"raw": counted(8, 9), "clean": counted(4, 6), "more": counted(3, 5)}
    scales = [
        {"axes": ["y", "x"], "name": name, "datasets": [{"path": path}]}
        for name, path in (("a", "raw"), ("b", "clean"))
    ]
    scales.append({"axes": ["y", "x"], "datasets": [{"path": "more"}]})
    with open_image(bare(tmp_path / "two.zarr", arrays, {"multiscales": scales})) as file:
        assert [image.metadata.name for image in file.images] == ["a", "b", "two.zarr 2"]
        assert np.array_equal(file.images[1].plane(), arrays["clean"])


def test_zarr_without_ome_metadata_is_unsupported(tmp_path: Path) -> None:
    image = write_image(tmp_path / "image.zarr", counted(8, 8), "yx")
    labels = bare(tmp_path / "labels", {}, {"labels": ["cells"]})
    for path, reason in (
        (image / "0", "plain Zarr array"),
        (bare(tmp_path / "group.zarr", {"0": counted(4, 4)}, {"by": "somebody"}), "without OME-Zarr metadata"),
        (bare(tmp_path / "group3.zarr", {"0": counted(4, 4)}, {}, 3), "without OME-Zarr metadata"),
        (labels, "label images"),
    ):
        with pytest.raises(UnsupportedFormatError, match=reason) as caught:
            open_image(path)
        assert str(path) in str(caught.value)


def test_long_tables_in_attributes_are_cut(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.zarr", counted(8, 8), "yx")
    edit(path / ".zattrs", table=list(range(5000)), limit=float("nan"))
    attributes = metadata(path).vendor["attributes"]
    assert attributes["table"] == [*range(1000), "(left out: 4000 more)"]
    assert attributes["limit"] is None


@pytest.mark.samples
def test_real_plates_and_broken_ones(samples: Path) -> None:
    with open_image(samples / "ome-zarr" / "v04" / "single-plane-hcs.zarr") as file:
        assert [image.metadata.name for image in file.images] == ["E/08/0", "E/07/0"]
        assert file.images[1].plane(c=2).any()
    with pytest.raises(ReadError, match=r"C/3: the metadata should list 'images'"):
        open_image(samples / "bad" / "broken_v05.ome.zarr")
    with pytest.raises(UnsupportedFormatError):
        open_image(samples / "ome-zarr" / "plain-v3" / "data.zarr")


def test_attributes_of_any_size_become_a_bounded_document(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.zarr", counted(8, 8), "yx")
    edit(path / ".zattrs", text="x" * 1_000_000, wide={f"key {i}": i for i in range(20_000)}, kept="small")
    vendor = metadata(path).vendor
    assert len(json.dumps(vendor)) <= MAX_DOCUMENT
    assert vendor["attributes"]["kept"] == "small"
    assert vendor["array"]["shape"] == [8, 8]
