"""Fixtures every test may use."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = Path(os.environ.get("COVERSLIP_SAMPLES", ROOT.parent / "shared" / "samples"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer the long forms of the heavy tests."""
    parser.addoption("--long", action="store_true", help="run the long forms of kill and property tests")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests proved, in numbers: whatever they recorded as ``proof``, also of tests in other processes."""
    reports = [report for outcome in ("passed", "failed") for report in terminalreporter.stats.get(outcome, [])]
    lines = [
        f"{report.nodeid.rpartition('::')[2]}: {text}"
        for report in reports
        for key, text in report.user_properties
        if key == "proof"
    ]
    if lines:
        terminalreporter.section("proofs")
        for line in lines:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def samples() -> Path:
    """Return the folder of real sample files, where there is one."""
    if not SAMPLES.is_dir():
        pytest.skip("no folder of real sample files (set COVERSLIP_SAMPLES)")
    return SAMPLES


@pytest.fixture
def no_open_handles(tmp_path: Path) -> Iterator[None]:
    """Fail when the test leaves a file below its temporary folder open."""
    yield
    gc.collect()
    left = [item.path for item in psutil.Process().open_files() if item.path.startswith(str(tmp_path))]
    assert left == []
