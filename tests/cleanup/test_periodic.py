"""Looks for stale records that nobody asked for: they leave a plan, and remove nothing."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from coverslip.catalog import Catalog
from coverslip.cleanup import asking, check_for_stale, make_plan
from coverslip.cleanup.planning import excluding_others
from coverslip.errors import ConflictError
from coverslip.ingest import add
from coverslip.ingest.importing import import_layout, open_layout
from coverslip.model.removal import Scope
from coverslip.settings import Settings
from coverslip.sources import RemoteRules
from tests.files import write_tiff
from tests.ingest.importing.layouts import ANNOTATION, write_layout

LOOK = asking(RemoteRules.of(Settings.load()))


class Time:
    now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def catalog(tmp_path: Path, time: Time) -> Iterator[Catalog]:
    with Catalog.open(f"sqlite:///{tmp_path / 'c.sqlite'}", versions={}, clock=time) as opened:
        yield opened


@pytest.fixture
def top(tmp_path: Path, catalog: Catalog) -> Path:
    """Return an imported layout of which an annotation is gone."""
    root = write_layout(tmp_path / "portal")
    import_layout(open_layout(root), catalog)
    shutil.rmtree((root / ANNOTATION).parent)
    return root


@pytest.mark.usefixtures("top")
def test_a_look_leaves_a_plan_and_removes_nothing_until_it_is_time_again(catalog: Catalog, time: Time) -> None:
    plan = check_for_stale(catalog, LOOK, every_hours=24)
    assert plan is not None
    assert [(one.type, one.key) for one in plan.removals] == [("annotation", ANNOTATION)]
    assert catalog.plan(plan.id).state == "open"
    assert len(catalog.entities(type="annotation")) == 1
    assert check_for_stale(catalog, LOOK, every_hours=24) is None
    time.now += timedelta(hours=25)
    assert check_for_stale(catalog, LOOK, every_hours=24) is not None


def test_without_records_or_when_switched_off_nobody_looks(catalog: Catalog) -> None:
    assert check_for_stale(catalog, LOOK, every_hours=24) is None
    assert catalog.plans() == []


def test_images_whose_files_are_gone_are_looked_for_too(catalog: Catalog, tmp_path: Path) -> None:
    assert check_for_stale(catalog, LOOK, every_hours=24, of="image") is None
    files = [write_tiff(tmp_path / "library" / f"{number}.tif") for number in range(3)]
    add(files, catalog=catalog)
    files[1].unlink()
    plan = check_for_stale(catalog, LOOK, every_hours=24, of="image")
    assert plan is not None
    assert [one.key for one in plan.removals] == ["1.tif"]
    assert (catalog.plan(plan.id).state, catalog.list_images().total) == ("open", 3)
    assert check_for_stale(catalog, LOOK, every_hours=24, of="image") is None


@pytest.mark.usefixtures("top")
def test_never_is_never(catalog: Catalog) -> None:
    assert check_for_stale(catalog, LOOK, every_hours=0) is None


def test_two_cleanups_of_a_layout_exclude_each_other(catalog: Catalog, top: Path) -> None:
    scope = Scope("annotation", everything=True)
    with (
        excluding_others(catalog, [str(top)]),
        pytest.raises(ConflictError, match="another cleanup of it is under way"),
    ):
        make_plan(catalog, scope, LOOK, actor="ada")
    assert make_plan(catalog, scope, LOOK, actor="ada").counts["found"] == 1
