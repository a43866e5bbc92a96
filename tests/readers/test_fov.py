import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile

from coverslip.errors import ReadError, UnsupportedFormatError
from coverslip.model import Region
from coverslip.readers import open_image, recognise, whole_of
from coverslip.readers.fov.labels import numbered
from coverslip.readers.listing import natural
from tests.readers.generate_fov import (
    NAMES,
    SHAPE,
    in_natural_order,
    pixels,
    write_field,
    write_mask,
    write_table,
)

COLUMNS = ("fov", "label", "centroid-0", "centroid-1", "CD4", "cell_type")


def make(base: Path, *fields: str, inner: str = "TIFs") -> list[Path]:
    return [write_field(base / name / inner, pixels(4, seed=n)).parent for n, name in enumerate(fields)]


def names_of(path: Path) -> list[str]:
    with open_image(path) as file:
        return [channel.name for channel in file.images[0].metadata.channels]


def test_channels_are_named_and_sorted_as_people_do(tmp_path: Path) -> None:
    (field,) = make(tmp_path, "FOV1")
    with open_image(field) as file:
        (image,) = file.images
        assert file.reader == "fov"
        assert [channel.name for channel in image.metadata.channels] == ["CD4", "CD20", "HLA_Class_1", "Vimentin"]
        assert (image.metadata.name, image.metadata.format_variant) == ("FOV1", "FOV folder")
        assert image.metadata.get_voxel_size_micrometers() == (None, None, None)
        assert np.array_equal(image.to_numpy(), in_natural_order(pixels(4)))


def test_a_pixel_size_that_the_tiffs_state_is_kept(tmp_path: Path) -> None:
    write_field(tmp_path / "a" / "TIFs", pixels(4), resolution=(25_400, 25_400), resolutionunit="CENTIMETER")
    with open_image(tmp_path / "a") as file:
        assert file.images[0].metadata.get_voxel_size_micrometers()[0] == pytest.approx(1e4 / 25_400)


def test_rescaled_wins_over_plain_and_tifs(tmp_path: Path) -> None:
    write_field(tmp_path / "FOV1", pixels(4, seed=1))
    write_field(tmp_path / "FOV1" / "TIFs", pixels(4, seed=2))
    write_field(tmp_path / "FOV1" / "rescaled", pixels(4, seed=3))
    with open_image(tmp_path / "FOV1") as file:
        assert np.array_equal(file.images[0].to_numpy(), in_natural_order(pixels(4, seed=3)))
        assert "rescaled" in (file.images[0].metadata.note or "")


@pytest.mark.parametrize("inner", ["TIFs", "rescaled"])
def test_a_walk_knows_a_field_by_its_subfolder(tmp_path: Path, inner: str) -> None:
    (field,) = make(tmp_path, "FOV1", inner=inner)
    assert recognise(field) is not None
    assert recognise(tmp_path) is None


def test_a_walk_knows_plain_fields_by_the_channels_that_they_share(tmp_path: Path) -> None:
    write_field(tmp_path / "A", pixels(4))
    assert recognise(tmp_path / "A") is None
    write_field(tmp_path / "notes", pixels(4), names=("one", "two", "three", "CD4"))
    assert recognise(tmp_path / "A") is None
    write_field(tmp_path / "B", pixels(3), names=NAMES[:3])
    assert recognise(tmp_path / "A") is not None
    assert recognise(tmp_path / "B") is not None
    assert recognise(tmp_path / "notes") is None


@pytest.mark.parametrize("spoil", ["size", "type", "pages", "colour", "ome"])
def test_unrelated_tiffs_in_a_folder_called_tifs_are_not_one_image(tmp_path: Path, spoil: str) -> None:
    planes = pixels(4)
    inner = write_field(tmp_path / "A" / "TIFs", planes)
    odd = {
        "size": (pixels(1, shape=(30, 40))[0], {}),
        "type": (planes[0].astype("uint8"), {}),
        "pages": (planes[:2], {"photometric": "minisblack"}),
        "colour": (np.zeros((*SHAPE, 3), "uint16"), {"photometric": "rgb"}),
        "ome": (planes[0], {"ome": True}),
    }[spoil]
    tifffile.imwrite(inner / f"{NAMES[0]}.tif", odd[0], **odd[1])  # type: ignore[arg-type]
    assert recognise(tmp_path / "A") is None
    with pytest.raises(UnsupportedFormatError, match="this folder is not an image"):
        open_image(tmp_path / "A")


@pytest.mark.parametrize(
    ("names", "is_field"),
    [
        (("CD4", "CD20", "CD45"), True),
        (("CD3", "CD4", "CD8", "CD20", "CD45", "CD68"), True),
        (("img1", "img2", "img3"), False),
        (("t000", "t010", "t020", "t030"), False),
        (("t1_p1", "t1_p2", "t2_p1", "t2_p2"), False),
        (("t1", "t2", "t3", "t4", "t5", "CD4", "CD20"), False),
    ],
)
def test_names_with_numbers_are_a_count_only_in_equal_steps(
    tmp_path: Path, names: tuple[str, ...], is_field: bool
) -> None:
    for field in ("A", "B"):
        write_field(tmp_path / field, pixels(len(names)), names)
    assert (recognise(tmp_path / "A") is not None) == is_field
    assert names_of(tmp_path / "A") == sorted(names, key=natural)  # whoever opens the folder as an image means it
    write_field(tmp_path / "C" / "TIFs", pixels(len(names)), names)
    assert recognise(tmp_path / "C") is not None


def test_somebody_may_open_any_folder_of_equal_planes(tmp_path: Path) -> None:
    write_field(tmp_path / "A", pixels(4))
    assert names_of(tmp_path / "A") == ["CD4", "CD20", "HLA_Class_1", "Vimentin"]


def test_masks_are_labels(tmp_path: Path) -> None:
    (field,) = make(tmp_path / "images", "FOV1")
    cells, nuclei = pixels(1, "uint16", 5)[0], pixels(1, "int32", 6)[0]
    write_mask(tmp_path / "masks" / "FOV1_whole_cell.tif", cells[None])
    write_mask(tmp_path / "masks" / "FOV1_nuclear.tiff", nuclei)
    with open_image(field) as file:
        (image,) = file.images
        assert [(info.name, info.dtype) for info in image.metadata.labels] == [
            ("nuclear", "int32"),
            ("whole_cell", "uint16"),
        ]
        assert [label.metadata.name for label in image.labels] == ["nuclear", "whole_cell"]
        assert np.array_equal(image.labels[0].plane(), nuclei)
        part = Region(y=(3, 40), x=(11, 12))
        assert np.array_equal(image.labels[1].read(0, part)[0, 0, 0], cells[3:40, 11:12])
        assert set(file.files) >= {tmp_path / "masks" / "FOV1_whole_cell.tif", field / "TIFs" / "CD4.tif"}
        lazy = image.labels[1].to_dask()
    assert np.array_equal(lazy[0, 0, 0, :5].compute(), cells[:5])


def test_a_mask_belongs_to_the_field_with_the_longest_name(tmp_path: Path) -> None:
    a, longer = make(tmp_path, "A", "A_B")
    cells = pixels(1, "uint16", 5)[0]
    ours = write_mask(tmp_path / "masks" / "A_cell.tif", cells)
    theirs = write_mask(tmp_path / "masks" / "A_B_cell.tif", cells)
    named = {}
    for field in (a, longer):
        with open_image(field) as file:
            named[field.name] = [(info.name, info.path) for info in file.images[0].metadata.labels]
    assert named == {"A": [("cell", str(ours))], "A_B": [("cell", str(theirs))]}
    assert whole_of(theirs) == longer
    assert whole_of(a / "TIFs" / "CD4.tif") is None
    shutil.rmtree(longer)
    with open_image(a) as file:
        assert [info.name for info in file.images[0].metadata.labels] == ["B_cell", "cell"]


def test_masks_of_true_and_false_are_labelled_and_said_so(tmp_path: Path) -> None:
    (field,) = make(tmp_path, "FOV1")
    mask = np.zeros(SHAPE, bool)
    mask[50:60, 2:5] = mask[1:4, 30:40] = mask[4:6, 40:43] = mask[20:30, 60:61] = True
    write_mask(tmp_path / "masks" / "FOV1_cells.tif", mask)
    expected = np.zeros(SHAPE, np.int32)
    expected[1:4, 30:40] = expected[4:6, 40:43] = 1  # they touch at a corner
    expected[20:30, 60:61] = 2
    expected[50:60, 2:5] = 3
    with open_image(field) as file:
        (label,) = file.images[0].labels
        assert label.metadata.dtype == "int32"
        assert np.array_equal(label.plane(), expected)
        assert np.array_equal(label.read(0, Region(y=(2, 55), x=(4, 62)))[0, 0, 0], expected[2:55, 4:62])
        assert "true and false" in (file.images[0].metadata.labels[0].note or "")


def test_numbering_follows_the_rows() -> None:
    mask = np.random.default_rng(3).random((60, 80)) < 0.3
    labels = numbered(mask)
    assert np.array_equal(labels > 0, mask)
    seen = [int(label) for label in labels.ravel() if label]
    assert list(dict.fromkeys(seen)) == list(range(1, labels.max() + 1))
    for y, x in zip(*np.nonzero(mask), strict=True):
        around = labels[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2]
        assert set(around[around > 0].tolist()) == {int(labels[y, x])}


def test_masks_of_floats_are_whole_numbers_or_refused(tmp_path: Path) -> None:
    (field,) = make(tmp_path, "FOV1")
    cells = pixels(1, "uint16", 5)[0].astype(np.float32)
    path = write_mask(tmp_path / "masks" / "FOV1_cells.tif", cells)
    with open_image(field) as file:
        label = file.images[0].labels[0].plane()
        assert (label.dtype, np.array_equal(label, cells)) == (np.dtype(np.int32), True)
    write_mask(path, cells + np.float32(0.5))
    with open_image(field) as file, pytest.raises(ReadError, match="not whole"):
        file.images[0].labels[0].plane()


def test_a_mask_that_does_not_fit_is_noted_and_left_out(tmp_path: Path) -> None:
    (field,) = make(tmp_path, "FOV1")
    write_mask(tmp_path / "masks" / "FOV1_small.tif", np.zeros((20, 20), "uint16"))
    (tmp_path / "masks" / "FOV1_bad.tif").write_bytes(b"II*\0 not a TIFF after all")
    with open_image(field) as file:
        meta = file.images[0].metadata
        assert meta.labels == ()
        assert "FOV1_small.tif is no mask of it" in (meta.note or "")
        assert "the mask FOV1_bad.tif cannot be read" in (meta.note or "")


@pytest.mark.parametrize("place", ["cell_table.csv", "segmentation/cell_table/cell_table_size_normalized.csv"])
def test_the_cell_table_has_the_rows_of_each_field(tmp_path: Path, place: str) -> None:
    fields = make(tmp_path / "images", "FOV1", "FOV10")
    rows = [("FOV1", 1, 10.5, 20, 0.25, "T cell"), ("FOV10", 1, 3, 4, 5, ""), ("FOV1", 2, 11, 21, "", "B, other")]
    write_table(tmp_path / place, COLUMNS, rows)
    with open_image(fields[0]) as file:
        (image,) = file.images
        table = image.metadata.table
        assert table is not None
        assert (table.path, table.columns, table.row_count) == (str(tmp_path / place), COLUMNS, 2)
        assert image.rows() == [
            dict(zip(COLUMNS, ("FOV1", 1, 10.5, 20, 0.25, "T cell"), strict=True)),
            dict(zip(COLUMNS, ("FOV1", 2, 11, 21, None, "B, other"), strict=True)),
        ]
        assert image.labels == ()
    with open_image(fields[1]) as file:
        assert [row["cell_type"] for row in file.images[0].rows()] == [None]


def test_a_csv_that_is_no_cell_table_is_noted(tmp_path: Path) -> None:
    (field,) = make(tmp_path, "FOV1")
    write_table(tmp_path / "cell_table.csv", ("id", "x"), [(1, 2)])
    with open_image(field) as file:
        assert file.images[0].metadata.table is None
        assert "cell_table.csv is not its cell table: it has no column 'fov'" in (file.images[0].metadata.note or "")
        assert file.images[0].rows() == []


def test_a_damaged_channel_is_an_error_and_the_folder_stays_one_image(tmp_path: Path) -> None:
    (field,) = make(tmp_path, "FOV1")
    path = field / "TIFs" / "CD20.tif"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert recognise(field) is not None
    with open_image(field) as file:
        with pytest.raises(ReadError, match=r"CD20\.tif"):
            file.images[0].plane(c=1)
        assert file.images[0].plane(c=0).shape == SHAPE
    path.write_bytes(content[:10])
    assert recognise(field) is not None
    with pytest.raises(ReadError, match=r"CD20\.tif"):
        open_image(field)


@pytest.mark.samples
def test_a_real_field_as_tifffile_reads_its_channels(samples: Path) -> None:
    folder = samples / "mibi" / "fov8"
    paths = {path.stem: path for path in (folder / "TIFs").iterdir()}
    assert recognise(folder) is not None
    dice = np.random.default_rng(1)
    with open_image(folder) as file:
        (image,) = file.images
        assert {channel.name for channel in image.metadata.channels} == set(paths)
        for c, channel in enumerate(image.metadata.channels):
            whole = tifffile.imread(paths[channel.name])
            y, x = (sorted(int(n) for n in dice.integers(0, 1024, 2)) for _ in "yx")
            part = image.read(0, Region(c=(c, c + 1), y=(y[0], y[1] + 1), x=(x[0], x[1] + 1)))
            assert np.array_equal(part[0, 0, 0], whole[y[0] : y[1] + 1, x[0] : x[1] + 1])
            assert np.array_equal(image.plane(c=c), whole)


def test_links_that_lead_out_of_the_folder_are_left_out_and_said(tmp_path: Path) -> None:
    away, base = tmp_path / "away", tmp_path / "work" / "base"
    (field,) = make(base / "images", "FOV1")
    write_field(away, pixels(1, seed=9), names=("secret",))
    write_mask(away / "FOV1_stolen.tif", pixels(1)[0])
    write_table(away / "cell_table.csv", COLUMNS, [("FOV1", 1, 2, 3, 4, "T")])
    write_mask(base / "real" / "FOV1_kept.tif", pixels(1)[0])
    (base / "masks").mkdir()
    (field / "TIFs" / "CD99.tif").symlink_to(away / "secret.tif")
    (field / "TIFs" / "CD1.tif").symlink_to("CD4.tif")
    (base / "masks" / "FOV1_stolen.tif").symlink_to(away / "FOV1_stolen.tif")
    (base / "masks" / "FOV1_kept.tif").symlink_to("../real/FOV1_kept.tif")
    (base / "cell_table.csv").symlink_to(away / "cell_table.csv")
    with open_image(field) as file:
        meta = file.images[0].metadata
        assert [channel.name for channel in meta.channels][:2] == ["CD1", "CD4"]
        assert len(meta.channels) == 5
        assert [one.name for one in meta.labels] == ["kept"]
        assert meta.table is None
        assert not any("away" in str(path.resolve()) for path in file.files)
    assert "3 links that lead to another folder left out: CD99.tif, FOV1_stolen.tif, cell_table.csv" in meta.note  # type: ignore[operator]


@pytest.mark.parametrize("place", ["masks", "segmentation"])
def test_folders_of_masks_and_channels_that_lead_away_are_left_out(tmp_path: Path, place: str) -> None:
    away, base = tmp_path / "away", tmp_path / "work" / "base"
    field = write_field(base / "FOV1", pixels(4, seed=1))
    write_field(away / "channels", pixels(4, seed=2))
    write_mask(away / "found" / "FOV1_cell.tif", pixels(1)[0])
    (field / "rescaled").symlink_to(away / "channels")
    (base / place).symlink_to(away / "found")
    with open_image(field) as file:
        assert np.array_equal(file.images[0].to_numpy(), in_natural_order(pixels(4, seed=1)))
        assert file.images[0].labels == ()
        note = file.images[0].metadata.note
    assert note == f"2 links that lead to another folder left out: rescaled, {place}"


def test_a_field_that_is_opened_by_a_link_is_whole(tmp_path: Path) -> None:
    (field,) = make(tmp_path / "far", "FOV1")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "FOV1").symlink_to(field)
    write_mask(tmp_path / "here" / "masks" / "FOV1_cell.tif", pixels(1)[0])
    with open_image(tmp_path / "here" / "FOV1") as file:
        assert file.images[0].metadata.size_c == 4
        assert [one.name for one in file.images[0].metadata.labels] == ["cell"]
        assert file.images[0].metadata.note == "channels are the TIFFs in TIFs"
