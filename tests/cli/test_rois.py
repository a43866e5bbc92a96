"""``coverslip rois`` as a person runs it."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
import roifile
from PIL import Image

from tests.cli.test_commands import Shell
from tests.export.making import roi, write_fields, write_rois


@pytest.fixture
def run(tmp_path: Path) -> Shell:
    return Shell(tmp_path / "home")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return write_fields(tmp_path / "data")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_regions_are_added_listed_tagged_and_removed(run: Shell, tmp_path: Path) -> None:
    table = tmp_path / "regions.csv"
    run("rois", "add", table, "--fov", "A", "--rectangle", "1,2,11,22", "--name", "R", "--tag", "x,y", "--comment", "c")
    run("rois", "add", table, "--fov", "A", "--polygon", "1,1 9.5,1 4,7", "--name", "P", "--marker-set", "Two")
    run("rois", "add", table, "--fov", "B", "--line", "10,10 30,10", "--name", "L")
    first, second, third = rows(table)
    assert [first[name] for name in ("x_min", "y_min", "x_max", "y_max", "x", "width")] == [
        *("1.0", "2.0", "11.0", "22.0", "6.0", "10.0")
    ]
    assert (first["tags"], first["comment"], second["marker_set"], third["roi_kind"]) == ("x,y", "c", "Two", "line")
    assert json.loads(second["geometry"])["points"] == [[1, 1], [9.5, 1], [4, 7]]
    assert [float(second[name]) for name in ("x_min", "y_min", "x_max", "y_max")] == [1, 1, 9.5, 7]

    text = run("rois", "edit", table, "R", "P", "--tag", "z", "--untag", "x", "--dry-run")
    assert "is there and would be replaced, with 3 regions: changed 2 regions" in text
    assert rows(table)[0] == first
    run("rois", "edit", table, "R", first["roi_id"], "--tag", "z", "--untag", "x", "--rectangle", "0,0,5,5")
    edited = rows(table)[0]
    assert (edited["tags"], edited["x_max"], edited["name"]) == ("y,z", "5.0", "R")
    assert "R  rectangle 0,0,5,5 [y, z]" in run("rois", "list", table, "--tags", "z")
    assert [one["name"] for one in json.loads(run("rois", "list", table, "--fov", "A", "--json"))] == ["R", "P"]

    run("rois", "remove", table, "P", "--tags", "!z")
    run("rois", "remove", table, "--fov", "B")
    assert rows(table) == [edited]
    assert not list(tmp_path.glob(".tmp-*"))


def test_the_data_are_only_read(run: Shell, images: Path, tmp_path: Path) -> None:
    path = write_rois(images, [roi("r", "A", (1, 9, 2, 8))])
    before = path.read_bytes()
    assert "data are only read" in run("rois", "remove", images, "r", code=2)
    text = run("rois", "add", images, "--fov", "B", "--rectangle", "0,0,9,9", "--out", tmp_path / "mine.csv")
    assert "it has 2 regions." in text
    assert path.read_bytes() == before
    assert "is there already" in run("rois", "remove", images, "r", "--out", tmp_path / "mine.csv", code=4)
    assert len(rows(tmp_path / "mine.csv")) == 2
    run("rois", "remove", images, "r", "--out", tmp_path / "mine.csv", "--force")
    assert rows(tmp_path / "mine.csv") == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_keeps_its_table(run: Shell, tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    table = tmp_path / "media" / "regions.csv"
    run("rois", "add", table, "--fov", "A", "--rectangle", "0,0,9,9", "--name", "r")
    before = table.read_bytes()
    (tmp_path / "media").chmod(0o500)
    run("rois", "remove", table, "r", code=5)
    (tmp_path / "media").chmod(0o700)
    assert table.read_bytes() == before


def test_regions_of_imagej_and_qupath_come_in_and_go_out(run: Shell, tmp_path: Path) -> None:
    corners = np.array([[1.0, 1.0], [9.5, 1.0], [9.5, 9.5], [3.0, 7.0]])
    theirs = roifile.ImagejRoi.frompoints(corners)
    theirs.name = "fiji"
    (tmp_path / "one.roi").write_bytes(theirs.tobytes())
    ring = [[20, 20], [30, 20], [30, 25], [20, 20]]
    feature = {"type": "Feature", "id": "q", "geometry": {"type": "Polygon", "coordinates": [ring]}}
    feature["properties"] = {"name": "path", "classification": {"name": "Tumor"}}
    (tmp_path / "q.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    table = tmp_path / "regions.csv"
    assert "name no field of view" in run("rois", "import", table, tmp_path / "one.roi", code=2)
    words = ("rois", "import", table, tmp_path / "one.roi", tmp_path / "q.geojson", "--fov", "A", "--tag", "new")
    assert "would be written, with 2 regions: added 2 regions" in run(*words, "--dry-run")
    assert not table.exists()
    run(*words)
    assert "added 0 regions" in run(*words)
    fiji, path = rows(table)
    assert [float(fiji[name]) for name in ("x_min", "y_min", "x_max", "y_max")] == [1, 1, 9.5, 9.5]
    assert (path["name"], path["tags"], path["fov"], path["x_max"]) == ("path", "Tumor,new", "A", "30.0")

    run("rois", "export", table, tmp_path / "all.zip")
    back = roifile.roiread(tmp_path / "all.zip")
    assert isinstance(back, list)
    np.testing.assert_allclose(back[0].coordinates()[:4], corners)
    run("rois", "export", table, tmp_path / "out.geojson", "--tags", "Tumor")
    (found,) = json.loads((tmp_path / "out.geojson").read_text())["features"]
    assert found["geometry"]["coordinates"] == [ring]
    run("rois", "export", table, tmp_path / "one-again.roi", "fiji")
    assert roifile.ImagejRoi.frombytes((tmp_path / "one-again.roi").read_bytes()).name == "fiji"
    assert "holds one region, not 2" in run("rois", "export", table, tmp_path / "two.roi", code=2)
    assert "is there already" in run("rois", "export", table, tmp_path / "all.zip", code=4)


@pytest.mark.parametrize("ending", ["roi", "zip", "geojson", "csv"])
def test_pictures_are_made_of_the_regions_of_any_file(run: Shell, images: Path, tmp_path: Path, ending: str) -> None:
    run("rois", "add", tmp_path / "t.csv", "--fov", "A", "--polygon", "1,1 9.5,1 9.5,9.5 3,7", "--name", "P")
    run("rois", "export", tmp_path / "t.csv", tmp_path / f"new.{ending}")
    words = ("export", "rois", images, "-m", "Two", "--fovs", "A", "--table", tmp_path / f"new.{ending}")
    run(*words, "-o", tmp_path / "out")
    with Image.open(tmp_path / "out" / "A_roi_P.png") as picture:
        assert picture.size == (9, 9)  # 1 to 9.5 touches the pixels 1 to 9


def test_words_that_make_no_sense_change_nothing(run: Shell, tmp_path: Path) -> None:
    table = tmp_path / "regions.csv"
    for name in ("R", "R", "S"):
        run("rois", "add", table, "--fov", "A", "--rectangle", "0,0,9,9", "--name", name)
    before = table.read_bytes()
    add = ("rois", "add", table, "--fov", "A")
    assert "say where the region is" in run(*add, code=2)
    assert "one of them" in run(*add, "--line", "1,1 2,2", "--rectangle", "0,0,1,1", code=2)
    assert "is no region" in run(*add, "--rectangle", "5,5,1,1", code=2)
    assert "is no region" in run(*add, "--polygon", "1,1 2", code=2)
    assert "is no region" in run(*add, "--polygon", "1,1 nan,2 3,4", code=2)
    assert "2 regions are called 'R'" in run("rois", "remove", table, "R", code=2)
    assert "there is no region 'T'" in run("rois", "edit", table, "T", "--name", "U", code=3)
    assert "say which regions" in run("rois", "remove", table, code=2)
    assert "are CSV" in run("rois", "remove", tmp_path / "x.zip", "R", code=2)
    assert table.read_bytes() == before
