"""``coverslip gc`` as a person runs it."""

from pathlib import Path

import pytest

from tests.cli.test_commands import Shell
from tests.files import write_folder, write_tiff


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    shell = Shell(tmp_path / "home")
    shell.environment["COVERSLIP_GC_GRACE_SECONDS"] = "0"
    return shell


def thumbnails(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "home" / "artifacts" / "thumbnail").rglob("*.png"))


def test_a_dry_run_says_what_would_go_and_removes_nothing(shell: Shell, tmp_path: Path) -> None:
    write_folder(tmp_path / "images", 3)
    shell("add", tmp_path / "images")
    shell("worker", "--until-done")
    before = thumbnails(tmp_path)
    size = sum(path.stat().st_size for path in before)
    text = shell("gc", "--dry-run", "--limit", 1)
    assert f"({size:,} bytes) would be removed" in text
    assert "over the limit: 3 artifacts" in text
    assert thumbnails(tmp_path) == before
    assert "0 artifacts removed" in shell("gc")
    assert thumbnails(tmp_path) == before


def test_superseded_ones_go_and_the_limit_is_kept(shell: Shell, tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "images" / "a.tif", 1)
    write_tiff(tmp_path / "images" / "b.tif", 2)
    shell("add", tmp_path / "images")
    shell("worker", "--until-done")
    write_tiff(path, 3)
    shell("add", tmp_path / "images")
    shell("worker", "--until-done")
    assert len(thumbnails(tmp_path)) == 3
    assert "superseded: 1 artifact," in shell("gc")
    left = thumbnails(tmp_path)
    assert len(left) == 2
    limit = max(item.stat().st_size for item in left)
    shell.environment["COVERSLIP_STORAGE_LIMIT_BYTES"] = str(limit)
    assert "1 artifact removed" in shell("gc")
    assert sum(item.stat().st_size for item in thumbnails(tmp_path)) <= limit
    assert "2 fresh, 0 stale" in shell("status"), "nobody builds it again before somebody asks"


def test_within_the_grace_period_it_says_how_far_over_the_limit(shell: Shell, tmp_path: Path) -> None:
    del shell.environment["COVERSLIP_GC_GRACE_SECONDS"]
    write_folder(tmp_path / "images", 2)
    shell("add", tmp_path / "images")
    shell("worker", "--until-done")
    text = shell("gc", "--limit", 1)
    assert "over the limit: made or used within the grace period" in text
    assert len(thumbnails(tmp_path)) == 2
