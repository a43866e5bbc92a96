import builtins
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from coverslip.errors import InvalidRequestError, MissingDependencyError, ReadError, UnreadableFileError
from coverslip.export.cells import read_table


def test_a_csv_has_numbers_text_and_gaps(tmp_path: Path) -> None:
    path = tmp_path / "cells.csv"
    path.write_text("\ufefffov,label,area,cluster\nA,1,2.5,immune\nA,2,,\n", encoding="utf-8")
    table = read_table(path)
    assert table.columns["label"].dtype == np.int64
    assert table.columns["area"].tolist()[0] == 2.5
    assert table.row(1) == {"fov": "A", "label": 2, "area": None, "cluster": None}


def test_a_parquet_is_read(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "cells.parquet"
    parquet.write_table(arrow.table({"fov": ["A", "B"], "label": [1, 2], "area": [1.5, None]}), path)
    table = read_table(path)
    assert table.columns["label"].tolist() == [1, 2]
    assert table.row(1) == {"fov": "B", "label": 2, "area": None}


@pytest.mark.parametrize("is_sparse", [False, True])
def test_an_h5ad_is_read_as_anndata_writes_it(tmp_path: Path, is_sparse: bool) -> None:
    path = tmp_path / "cells.h5ad"
    with h5py.File(path, "w") as file:
        obs = file.create_group("obs")
        obs.attrs["_index"] = "_index"
        obs.attrs["column-order"] = np.array(["label", "cluster"], dtype=h5py.string_dtype())
        obs["_index"] = np.array(["c1", "c2", "c3"], dtype=h5py.string_dtype())
        obs["label"] = np.array([4, 5, 6])
        cluster = obs.create_group("cluster")
        cluster["codes"] = np.array([1, -1, 0], np.int8)
        cluster["categories"] = np.array(["immune", "tumour"], dtype=h5py.string_dtype())
        var = file.create_group("var")
        var.attrs["_index"] = "_index"
        var["_index"] = np.array(["CD3", "CD8"], dtype=h5py.string_dtype())
        if is_sparse:
            x = file.create_group("X")
            x.attrs["encoding-type"], x.attrs["shape"] = "csr_matrix", (3, 2)
            x["data"], x["indices"], x["indptr"] = [1.0, 2.0, 3.0], [0, 1, 1], [0, 1, 2, 3]
        else:
            file["X"] = np.array([[1.0, 0], [0, 2], [0, 3]])
    table = read_table(path)
    assert table.columns["obs_names"].tolist() == ["c1", "c2", "c3"]
    assert table.columns["cluster"].tolist() == ["tumour", None, "immune"]
    assert table.columns["CD8"].tolist() == [0, 2, 3]


@pytest.mark.parametrize(
    ("name", "content", "error", "words"),
    [
        ("cells.csv", b"a,b\n1\n", ReadError, "row 2 has 1 values, the first has 2"),
        ("cells.csv", b"a,a\n1,2\n", ReadError, "each once"),
        ("cells.csv", b"\xff\xfe\x00", ReadError, "no CSV"),
        ("cells.parquet", b"PAR1 nothing", ReadError, "no Parquet file"),
        ("cells.h5ad", b"nothing at all", ReadError, "no AnnData file"),
        ("cells.xlsx", b"", InvalidRequestError, r"\*\.csv, \*\.parquet, \*\.h5ad"),
    ],
)
def test_a_damaged_table_is_a_typed_error(
    tmp_path: Path, name: str, content: bytes, error: type[Exception], words: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(error, match=words):
        read_table(tmp_path / name)


def test_a_table_that_is_not_there_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="No such file"):
        read_table(tmp_path / "cells.csv")


@pytest.mark.parametrize(("name", "package"), [("cells.parquet", "pyarrow"), ("cells.h5ad", "h5py")])
def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, package: str) -> None:
    usual = builtins.__import__

    def without(module: str, *rest: Any, **more: Any) -> Any:
        if module.split(".", maxsplit=1)[0] == package:
            raise ModuleNotFoundError(f"No module named {module!r}", name=module)
        return usual(module, *rest, **more)

    (tmp_path / name).touch()
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingDependencyError, match=package) as caught:
        read_table(tmp_path / name)
    assert caught.value.package == package
