"""What a job that goes on may take for its own, and what it finds that is not as it was."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from coverslip.catalog import Catalog
from coverslip.export import Job
from tests.export.making import pixels_of
from tests.export.test_jobs import digests

COLOURS = {
    "mask": "whole_cell",
    "column": "cluster",
    "classes": [{"value": "immune", "color": "#FF0000"}, {"value": "tumour", "color": "#00FF00"}],
}
"""Cells in colours of their own."""


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(f"sqlite:///{tmp_path / 'catalog.sqlite'}", versions={}) as opened:
        yield opened


def swap_clusters(images: Path) -> None:
    """Edit the cell table: the other colour for every cell."""
    table = images.parent / "cell_table.csv"
    text = table.read_text().replace("immune", "x").replace("tumour", "immune").replace("x", "tumour")
    table.write_text(text)
    os.utime(table, ns=(1, 1))


# ---- cell tables ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["start", "resume", "manifest"])
def test_colours_of_cells_are_not_taken_from_a_table_that_has_changed(
    images: Path, tmp_path: Path, catalog: Catalog, how: str
) -> None:
    first = tmp_path / "first"
    job = Job("fov", images, "Two", first, overrides={"cells": COLOURS, "workers": 1}, catalog=catalog)
    job.dry_run()
    if how == "start":
        swap_clusters(images)
        job.start()
    elif how == "resume":
        assert job.start().state == "completed"
        (first / "A.png").unlink()
        swap_clusters(images)
        job = Job.kept(job.id, catalog)
        job.resume()
    else:
        job.start()
        swap_clusters(images)
        (manifest,) = first.glob("manifest-*.json")
        job = Job.from_manifest(manifest, tmp_path / "second")
        job.start()
    failed = [result for result in job.results() if not result.ok]
    assert {result.error_type for result in failed} == {"SourceChangedError"}
    assert all("cell_table.csv has changed since the export was planned" in (one.message or "") for one in failed)
    assert len(failed) == (1 if how == "resume" else 2)


def test_a_table_that_colours_nothing_may_change_and_one_that_does_may_be_used_as_it_is(
    images: Path, tmp_path: Path
) -> None:
    plain = Job("cells", {"data": images, "size": 16}, "Two", tmp_path / "plain")
    bold: dict[str, Any] = {"cells": COLOURS, "changed": "use"}
    coloured = Job("fov", images, "Two", tmp_path / "coloured", overrides=bold)
    plain.dry_run()
    coloured.dry_run()
    swap_clusters(images)
    assert plain.start().state == "completed"
    assert coloured.start().state == "completed"
    np.testing.assert_array_equal(pixels_of(tmp_path / "coloured" / "A.png")[5, 4], (0, 255, 0))
    assert set(digests(tmp_path / "coloured")) == {"A.png", "B.png"}
