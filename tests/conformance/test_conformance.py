"""The short form of the conformance table, and that it notices what is wrong."""

import importlib.util
import logging
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from conformance.__main__ import main
from conformance.compare import compare, refuse
from conformance.references import by_pylibCZIrw
from conformance.report import listing, summary, table
from conformance.row import Array, Row, Written
from conformance.rows import ROWS
from conformance.run import run_rows, run_samples
from conformance.samples import RULES, rule_of
from conformance.writers import noise, tiff
from coverslip.errors import ReadError, UnsupportedFormatError

pytestmark = pytest.mark.filterwarnings("ignore")  # the reference libraries warn of damaged samples
SEED = 20

HAS_LIBCZI = importlib.util.find_spec("pylibCZIrw") is not None  # it has no wheel for Python 3.14

GOOD = tiff("good.tif", noise(5, 40, 50), photometric="minisblack")


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Keep the libraries from saying at length what is wrong with damaged samples."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def is_for_here(row: Row) -> bool:
    """Return whether the libraries of a row exist for this Python."""
    needs_libczi = row.reference is by_pylibCZIrw or "pylibCZIrw" in row.origin
    return HAS_LIBCZI or not needs_libczi


def by_truth(path: Path) -> list[list[Array]]:
    """Return what the file holds."""
    return [[noise(5, 40, 50)[None, None]]]


def by_liar(path: Path) -> list[list[Array]]:
    """Return other pixels."""
    return [[noise(5, 40, 50)[None, None] + np.uint16(1)]]


def by_miser(path: Path) -> list[list[Array]]:
    """Return no image."""
    return []


def by_nobody(path: Path) -> list[list[Array]]:
    """Fail."""
    raise KeyError("no such thing")


def test_every_written_file_is_right(tmp_path: Path) -> None:
    rows = [row for row in ROWS if isinstance(row.source, Written) and is_for_here(row)]
    lines = list(run_rows(rows, tmp_path, SEED))
    assert len(lines) > 50
    assert [line for line in lines if line.outcome.status not in {"right", "experimental"}] == []
    assert sum(line.outcome.status == "right" and line.outcome.pixels > 0 for line in lines) > 50


@pytest.mark.samples
def test_every_sample_of_a_row_is_right(samples: Path) -> None:
    rows = [row for row in ROWS if not isinstance(row.source, Written) and is_for_here(row)]
    lines = list(run_rows(rows, samples, SEED))
    assert [line for line in lines if line.outcome.is_failure] == []


@pytest.mark.samples
def test_every_bad_sample_is_refused_or_right(samples: Path) -> None:
    names = sorted(path.name for path in (samples / "bad").iterdir())
    lines = list(run_samples(samples / "bad", SEED, top=samples))
    assert {line.origin.split("/")[1] for line in lines} == set(names)
    assert [line for line in lines if line.outcome.is_failure] == []
    assert sum(line.outcome.status == "refused" for line in lines) > 15


def test_other_pixels_are_noticed(tmp_path: Path) -> None:
    path = GOOD.make(tmp_path)
    assert compare(path, by_truth, random.Random(1)).status == "right"
    for reference, words in ((by_liar, "differ"), (by_miser, "1 images"), (by_nobody, "the reference does not read")):
        outcome = compare(path, reference, random.Random(1))
        assert outcome.is_failure
        assert words in outcome.detail


def test_the_documented_error_has_to_come(tmp_path: Path) -> None:
    path = GOOD.make(tmp_path)
    assert "it opens" in refuse(path, ReadError).detail
    (tmp_path / "a.txt").write_text("nothing")
    assert refuse(tmp_path / "a.txt", UnsupportedFormatError).status == "refused"
    assert "instead of ReadError" in refuse(tmp_path / "a.txt", ReadError).detail


def test_what_is_experimental_fails_nothing_and_is_said(tmp_path: Path) -> None:
    rows = [
        Row("TIFF", "lies", GOOD, by_liar, experimental="not supported yet"),
        Row("TIFF", "nothing", "", None, experimental="no file"),
        Row("TIFF", "truth", GOOD, by_truth, experimental="no file"),
        Row("TIFF", "empty", "missing/*.tif", by_truth),
    ]
    lines = list(run_rows(rows, tmp_path, SEED))
    assert [line.outcome.status for line in lines] == ["experimental", "experimental", "right", "no file"]
    assert [line.outcome.is_failure for line in lines] == [False, False, False, True]
    assert "take the word away" in table(lines)
    assert lines[0].outcome.detail.startswith("not supported yet. image 0")
    assert "no file: TIFF empty (missing/*.tif)" in table(lines)
    assert summary("features", lines) == "features: 2 experimental, 1 no file, 1 right"


def test_a_file_that_no_rule_fits_is_a_failure(tmp_path: Path) -> None:
    GOOD.make(tmp_path)
    (tmp_path / "what.is.this").write_bytes(b"?")
    lines = list(run_samples(tmp_path, SEED))
    assert [(line.origin, line.outcome.status) for line in lines] == [("good.tif", "right"), ("what.is.this", "wrong")]
    assert "no rule" in listing(lines)


def test_the_same_seed_draws_the_same_places(tmp_path: Path) -> None:
    path = GOOD.make(tmp_path)
    first, again, other = (compare(path, by_truth, random.Random(seed)).pixels for seed in (1, 1, 2))
    assert first == again != other


def test_every_row_says_what_it_compares_with() -> None:
    for row in ROWS:
        assert row.reference or row.refused or row.experimental, row
    assert len({(row.format, row.feature) for row in ROWS}) == len(ROWS)
    assert all(rule.reference or (rule.refused and rule.because) for rule in RULES)
    assert rule_of("bad/lfs/a.czi") is not rule_of("czi/a.czi")


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--format", "png", "--seed", "7", "--samples", str(tmp_path)]) == 1  # one row needs a sample
    printed = capsys.readouterr().out
    assert printed.startswith("seed 7\n")
    assert "written by OpenCV in the run" in printed
    assert main(["--format", "nifti", "--samples", str(tmp_path)]) == 0
