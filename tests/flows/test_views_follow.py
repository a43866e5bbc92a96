"""Viewer states and key photos follow every change of a deposition: rebuilt once, and nothing else."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from coverslip.derive.kinds import ENTITY_KINDS
from coverslip.derive.viewing import KEY_PHOTOS
from coverslip.derive.viewing.refreshing import VIEWS, ViewsReport, refresh_views
from coverslip.model.entities import EntityKinds
from tests.derive.portal import COARSE, FINE, OTHER, RUN, SIZE, Portal

STATE, PHOTO = "neuroglancer_state", "key-photo-original"
SMALL = tuple(kind.name for kind in KEY_PHOTOS[1:])
NEW = (21.0, 17.0, 25.0)


@pytest.fixture
def open_portal(tmp_path: Path) -> Iterator[Callable[[EntityKinds], Portal]]:
    opened: list[Portal] = []

    def opening(kinds: EntityKinds = ENTITY_KINDS) -> Portal:
        opened.append(Portal.open(tmp_path / f"portal{len(opened)}", kinds))
        return opened[-1]

    yield opening
    for portal in opened:
        portal.catalog.close()


@pytest.fixture
def portal(open_portal: Callable[[EntityKinds], Portal]) -> Portal:
    """Return a run with one tomogram and one annotation, everything built."""
    portal = open_portal(ENTITY_KINDS)
    portal.tomogram()
    portal.annotation("ribosome")
    portal.sync()
    portal.build()
    return portal


def tomogram_of(portal: Portal) -> str:
    return next(one.identity for one in portal.seen.values() if one.type == "tomogram")


def refresh(portal: Portal, **more: object) -> ViewsReport:
    return refresh_views(portal.builder, portal.layout, **more)  # type: ignore[arg-type]


def kinds_of(report: ViewsReport) -> list[str]:
    return [one.kind for one in report.built]


def test_a_tomogram_that_arrives_gets_its_views(open_portal: Callable[[EntityKinds], Portal]) -> None:
    portal = open_portal(ENTITY_KINDS)
    tomogram = portal.tomogram()
    portal.sync()
    assert portal.build() == Counter([*VIEWS, "contrast-limits", "tomogram-middle", "thumbnail"])
    assert [one["type"] for one in portal.state(tomogram)["layers"]] == ["image"]


def test_an_annotation_that_arrives_before_the_tomogram_is_shown_by_it(
    open_portal: Callable[[EntityKinds], Portal],
) -> None:
    portal = open_portal(ENTITY_KINDS)
    portal.annotation("early")
    portal.sync()
    assert portal.build() == Counter()
    assert refresh(portal).document()["skipped"]["no tomogram shares the alignment"] == [
        f"{RUN}/spacings/{FINE}/annotations/7/early"
    ]
    tomogram = portal.tomogram()
    portal.sync(tomogram)
    portal.build()
    (layer,) = portal.layers(tomogram)
    assert layer.endswith("early point")


def test_an_annotation_that_arrives_rebuilds_one_precompute_and_the_views_once(portal: Portal) -> None:
    name = portal.annotation("membrane", {"Point": [NEW]}, number=101)
    portal.sync(name)
    assert portal.build() == Counter(["precomputed-point", STATE, PHOTO, *SMALL])
    assert portal.layers(tomogram_of(portal)) == [
        f"{portal.number_of(f'{RUN}/spacings/{FINE}/annotations/7/ribosome')} ribosome point",
        f"{portal.number_of(name)} membrane point",
    ]
    assert portal.build() == Counter()


def test_small_photos_are_left_alone_where_the_large_one_comes_out_the_same(portal: Portal) -> None:
    portal.sync(portal.annotation("below", {"Point": [(20, 20, 1)]}, number=101))
    assert portal.build() == Counter(["precomputed-point", STATE, PHOTO])


def test_many_annotations_of_one_change_rebuild_each_view_once(portal: Portal) -> None:
    names = [portal.annotation(f"a{n}", {"Point": [(2 * n, 20, 25)]}, number=101 + n) for n in range(7)]
    portal.sync(*names)
    assert portal.build() == Counter({"precomputed-point": 7, STATE: 1, PHOTO: 1} | dict.fromkeys(SMALL, 1))
    assert len(portal.layers(tomogram_of(portal))) == 8


def test_many_changes_before_a_build_are_built_once_and_counted(portal: Portal) -> None:
    for n in range(5):
        portal.sync(portal.annotation(f"a{n}", {"Point": [(5 * n, 20, 25)]}, number=101 + n))
    report = refresh(portal)
    assert Counter(kinds_of(report)) == Counter({"precomputed-point": 5, STATE: 1, PHOTO: 1} | dict.fromkeys(SMALL, 1))
    state = next(one for one in report.built if one.kind == STATE)
    number = portal.number_of(f"{RUN}/spacings/{FINE}/annotations/7/a4")
    assert (state.identity, state.number) == (tomogram_of(portal), portal.number_of(tomogram_of(portal)))
    assert (state.changes, state.cause) == (5, f"ingested: annotation {number} added")
    # the photo too: small ones have one change each, the large one
    assert report.document()["coalesced"] == 8
    again = refresh(portal)
    assert again.built == again.failed == ()
    assert again.fresh == {"precomputed-point": 6} | dict.fromkeys(VIEWS, 1)


def test_a_deposition_of_annotations_alone_makes_its_layers_appear(portal: Portal) -> None:
    mask = np.zeros(SIZE, np.int8)
    mask[20:30, 10:14, 10:14] = 1
    made = [
        portal.annotation("points", {"Point": [NEW], "OrientedPoint": [NEW]}, number=101),
        portal.annotation("mask", {"SegmentationMask": mask}, number=102),
        portal.annotation("coarse", {"Point": [(3, 3, 3)]}, number=100, spacing=COARSE),
    ]
    before = {path: path.stat().st_mtime_ns for path in (portal.top / "1/TS_1").rglob("Tomograms/**/*")}
    portal.sync(*made)
    report = refresh(portal, runs=[RUN], changed=made)
    assert Counter(kinds_of(report))[STATE] == 1
    points, mask_number, coarse = (portal.number_of(one) for one in made)
    assert portal.layers(tomogram_of(portal))[1:] == [
        f"{points} points point",
        f"{points} points orientedpoint",
        f"{mask_number} mask segmentation",
        f"{coarse} coarse point",
    ]
    scales = [
        one["source"]["transform"]["inputDimensions"]["x"][0] for one in portal.state(tomogram_of(portal))["layers"]
    ]
    assert scales == [1e-9, 1e-9, 1e-9, 1e-9, 1e-9, 2e-9]
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_another_alignment_changes_nothing_and_is_said(portal: Portal) -> None:
    name = portal.annotation("elsewhere", number=101, alignment=OTHER)
    portal.sync(name)
    report = refresh(portal, changed=[name])
    assert (report.built, report.unshown) == ((), (name,))
    assert len(portal.layers(tomogram_of(portal))) == 1


def test_every_tomogram_with_the_alignment_is_rebuilt_once(portal: Portal) -> None:
    more = [portal.tomogram(101), portal.tomogram(100, COARSE)]
    other = portal.tomogram(102, alignment=OTHER)
    portal.sync(*more, other)
    portal.build()
    portal.sync(portal.annotation("new", {"Point": [NEW]}, number=101))
    report = refresh(portal)
    assert [one.identity for one in report.built if one.kind == STATE] == [tomogram_of(portal), *more]
    assert Counter(kinds_of(report))["precomputed-point"] == 1
    assert [len(portal.layers(one)) for one in (tomogram_of(portal), *more, other)] == [2, 2, 2, 0]


def test_an_annotation_at_two_voxel_spacings_is_two(portal: Portal) -> None:
    portal.sync(portal.annotation("ribosome", {"Point": [(5, 5, 12)]}, spacing=COARSE))
    portal.build()
    first, second = portal.layers(tomogram_of(portal))
    assert first != second


def test_an_annotation_that_moves_to_another_alignment_leaves_one_state_and_enters_the_other(portal: Portal) -> None:
    other = portal.tomogram(101, alignment=OTHER)
    portal.sync(other)
    portal.build()
    portal.sync(portal.annotation("ribosome", alignment=OTHER))
    report = refresh(portal)
    assert {one.identity for one in report.built if one.kind == STATE} == {tomogram_of(portal), other}
    assert [len(portal.layers(one)) for one in (tomogram_of(portal), other)] == [0, 1]


@pytest.mark.parametrize(
    "kinds",
    [replace(ENTITY_KINDS, are_annotations_followed=False), replace(ENTITY_KINDS, unfollowed_datasets=frozenset("1"))],
)
def test_a_setting_keeps_annotations_from_changing_views_and_the_report_says_so(
    open_portal: Callable[[EntityKinds], Portal], kinds: EntityKinds
) -> None:
    portal = open_portal(kinds)
    tomogram = portal.tomogram()
    portal.sync()
    portal.build()
    name = portal.annotation("new")
    portal.sync(name)
    report = refresh(portal, changed=[name], follows=kinds.follows)
    assert (kinds_of(report), report.unfollowed) == (["precomputed-point"], (tomogram,))
    assert portal.layers(tomogram) == []
    portal.catalog.rebuild(kind=STATE, image_ids=portal.catalog.images_of_run(RUN))
    assert kinds_of(refresh(portal)) == [STATE]
    assert len(portal.layers(tomogram)) == 1


def test_a_precompute_that_cannot_be_made_is_said_and_stops_nothing(portal: Portal) -> None:
    bad = portal.annotation("bad", {"Point": [NEW]}, number=101)
    (portal.top / portal.seen[bad].files[0].key).write_text("{")
    portal.sync(bad, portal.annotation("good", {"Point": [NEW]}, number=102))
    report = refresh(portal)
    (failed,) = report.failed
    assert (failed.kind, failed.identity) == ("precomputed-point", bad)
    assert "bad-1.0_point.ndjson" in str(failed.error)
    assert Counter(kinds_of(report)) == Counter(["precomputed-point", STATE, PHOTO, *SMALL])
    assert json.loads(json.dumps(report.document()))["failed"][0]["identity"] == bad


def test_a_precompute_that_is_missing_is_built_before_the_state(portal: Portal) -> None:
    portal.sync(portal.annotation("new", {"Point": [NEW]}, number=101))
    portal.state(tomogram_of(portal))  # asked for alone
    records = portal.catalog.artifacts_of_entities([portal.number_of(f"{RUN}/spacings/{FINE}/annotations/7/new")])
    assert [one.is_fresh(1) for one in records] == [True]


def test_a_tomogram_whose_image_is_unknown_is_said(portal: Portal) -> None:
    lost = portal.tomogram(105)
    portal.catalog.sync_entities(portal.layout, [portal.seen[lost]])
    assert refresh(portal).imageless == (lost,)


def test_what_is_not_wanted_any_more_stays_stale(portal: Portal) -> None:
    portal.sync(portal.annotation("new", {"Point": [NEW]}, number=101))
    report = refresh(portal, should_stop=lambda: True)
    assert (report.built, report.is_stopped) == ((), True)
    assert kinds_of(refresh(portal))[:2] == ["precomputed-point", STATE]


def test_views_of_other_runs_are_left_to_others(portal: Portal) -> None:
    portal.sync(portal.annotation("new", {"Point": [NEW]}, number=101))
    assert refresh(portal, runs=["datasets/1/runs/TS_2"]).built == ()
    assert portal.build()[STATE] == 1
