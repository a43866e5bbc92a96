"""The notebooks of examples/, executed by a real kernel without a page."""

import os
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.conftest import ROOT
from tests.export.making import pixels_of

NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
SECONDS = 120


def executed(path: Path, folder: Path) -> Any:
    """Return a notebook after all of its cells ran in a folder, with settings and catalogs below it."""
    environment = {
        **os.environ,
        "COVERSLIP_HOME": str(folder / "home"),
        "IPYTHONDIR": str(folder / "ipython"),
        "PYTHONPATH": os.pathsep.join(one for one in sys.path if one),
    }
    notebook: Any = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    client = NotebookClient(notebook, timeout=SECONDS, resources={"metadata": {"path": str(folder)}})
    client.execute(env=environment)
    return notebook


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_an_example_is_kept_without_results(path: Path) -> None:
    notebook: Any = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    for cell in notebook.cells:
        assert cell.cell_type != "code" or (cell.outputs == [] and cell.execution_count is None)


def test_the_example_of_exports_runs_and_its_files_are_there(tmp_path: Path) -> None:
    notebook = executed(ROOT / "examples" / "batch-export.ipynb", tmp_path)
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert [output for output in outputs if output.output_type == "error"] == []
    widgets = [output for output in outputs if "application/vnd.jupyter.widget-view+json" in output.get("data", {})]
    assert len(widgets) == 2
    said = "".join(output.text for output in outputs if output.output_type == "stream")
    assert said.splitlines()[:2] == ["6 files, 0 that cannot be made", "completed 6"]
    written = sorted(path.name for path in (tmp_path / "regions").glob("*.png"))
    assert len(written) == 6
    assert all(name in said for name in written)
    assert {pixels_of(tmp_path / "regions" / name).shape for name in written} == {(128, 128, 3)}
    assert not (tmp_path / "figures").exists()  # nobody has clicked Start
