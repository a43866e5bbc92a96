"""What every parser leans on: limits, letters, and packages that may be missing."""

import subprocess
import sys
from pathlib import Path

import pytest

from coverslip.cryoet import FORMATS, files, read_mdoc, read_mesh, read_mesh_group, read_points, to_glb
from coverslip.cryoet.meshes import FORMATS as MESHES
from coverslip.cryoet.star import read_star
from coverslip.errors import MissingDependencyError, ReadError
from tests.conftest import ROOT
from tests.cryoet.test_meshes import OBJ, hff
from tests.cryoet.written import put

CTF = ("CTFFIND", "Gctf")


def test_a_file_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path, "a.txt", "1,2,3\n" * 100)
    with pytest.raises(ReadError, match="larger than 100 bytes"):
        files.read_text(path, 100)
    monkeypatch.setattr(files, "MOST_LINES", 100)
    with pytest.raises(ReadError, match="more than 100 lines"):
        files.read_text(path)


def test_too_many_points_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coverslip.cryoet.pointset.MOST_POINTS", 1)
    with pytest.raises(ReadError, match="2 points are too many; 1 may be"):
        read_points(put(tmp_path, "a.csv", "1,2,3\n4,5,6\n"), "Point", "csv")


def test_a_path_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ReadError):
        read_mdoc(tmp_path / "a\0b")


@pytest.mark.parametrize("package", ["trimesh", "h5py"])
def test_a_missing_package_is_named_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    path = put(tmp_path, "a", OBJ if package == "trimesh" else hff({}))
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingDependencyError, match=r'pip install "coverslip\[cryoet\]"') as caught:
        read_mesh(path, "obj") if package == "trimesh" else read_mesh_group(path)
    assert caught.value.package == package


def test_packages_are_loaded_when_a_mesh_is(tmp_path: Path) -> None:
    ask = "import sys, coverslip.cryoet; print([name for name in ('h5py', 'pandas', 'trimesh') if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_values_of_star_files(tmp_path: Path) -> None:
    text = (
        "# a comment\ndata_general\n_name 'two words' # why\n_other \"it's\"\n_third O'Neill#3\n_empty ''\n"
        "\ndata_\nloop_\n_a #1\n_b\n\n1\t'x y'  # comment\n\n2 data\n\n# end\n"
    )
    star = read_star(put(tmp_path, "a.star", text))
    assert star.blocks["general"].pairs == {"name": "two words", "other": "it's", "third": "O'Neill#3", "empty": ""}
    table = star.table_with("a")
    assert table.words("b") == ["x y", "data"]
    assert table.numbers(["a"]).tolist() == [[1.0], [2.0]]
    assert table.rows == (13, 15)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("data_\n_a 1\n_a 2\n", "a.star:3: expected a new name"),
        ("data_\n_a 1 2\n", "a.star:2: expected a new name"),
        ("data_\n_a 'b\n", "a.star:2: a quote does not end"),
        ("data_\n;\ntext\n;\n", "a.star:2: text fields over several lines are not read"),
        ("data_\nloop_\n_a\n1\nloop_\n_b\n2\n", "a.star:5: the data block data_ has two tables"),
        ("data_x\n_a 1\ndata_x\n", "a.star:3: the data block data_x is there twice"),
        ("data_\nloop_\n" + "".join(f"_c{n}\n" for n in range(1001)), "a.star:1003: the column"),
    ],
)
def test_star_files_that_nobody_can_understand(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(ReadError, match=why):
        read_star(put(tmp_path, "a.star", text))


@pytest.mark.parametrize("name", [*FORMATS, *MESHES, "hff", *CTF, "IMOD", "ARETOMO3", "saber"])
def test_every_format_is_documented(name: str) -> None:
    assert f"`{name}`" in (ROOT / "docs" / "cryoet-formats.md").read_text(encoding="utf-8")


def test_an_empty_glb_is_not_written() -> None:
    with pytest.raises(ValueError, match="of no mesh"):
        to_glb(())
