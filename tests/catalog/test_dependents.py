"""What depends on records that a cleanup would remove, by name; and that purges change nothing that is built."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from coverslip.catalog import Catalog
from coverslip.catalog.dependents import SHOWN
from coverslip.catalog.planning import plan_removals
from coverslip.errors import NotFoundError
from coverslip.model.entities import EntityKinds, EntitySeen
from coverslip.model.removal import Candidate, CleanupPlan, Named, Removal, Scope
from tests.catalog.making import VERSIONS, Clock, item
from tests.catalog.test_entities import (
    COARSE,
    FINE,
    KINDS,
    LAYOUT,
    OTHER,
    RUN,
    annotation,
    build_all,
    entity,
    fill,
    image_of,
    number_of,
    tomogram,
)
from tests.catalog.test_removals import Answered, merging, planned, removal, same_document_twice


@pytest.fixture
def catalog(url: str, clock: Clock) -> Iterator[Catalog]:
    with Catalog.open(url, versions=VERSIONS, entity_kinds=KINDS, clock=clock) as opened:
        yield opened


def removal_of(catalog: Catalog, seen: EntitySeen) -> Removal:
    (row,) = catalog.entities(identities=[seen.identity])
    return removal(row)


def depending(catalog: Catalog, seen: EntitySeen) -> list[str]:
    (found,) = catalog.with_dependents([removal_of(catalog, seen)])
    return [str(one) for one in found.depending]


def test_views_and_states_that_show_an_annotation_are_named(catalog: Catalog, clock: Clock) -> None:
    one, other = annotation("a", "Point"), annotation("b", "Point")
    image_id = fill(catalog, one, other)
    assert depending(catalog, one) == []
    build_all(catalog)
    number = number_of(catalog, one.identity)
    layers = [{"name": "a", "source": f"precomputed://coverslip:///api/entities/{number}/precomputed/point"}]
    following = catalog.keep_view(image_id, name="all of it", state={})
    clock.advance(1)
    frozen = catalog.keep_view(image_id, is_frozen=True, state={"layers": layers})
    catalog.keep_view(image_id, is_frozen=True, state={"layers": []})
    state = f"state {image_id} (cells)"
    assert depending(catalog, one) == [f"view {following.id} (all of it)", f"view {frozen.id}", state]
    assert depending(catalog, other) == [f"view {following.id} (all of it)", state]
    assert depending(catalog, annotation("a", spacing=FINE)) == depending(catalog, one)


def test_what_is_not_shown_with_anything_has_no_dependents(catalog: Catalog) -> None:
    far, gain = annotation("far", "Point", alignment=OTHER), entity("gain", f"{RUN}/gains/1", RUN)
    fill(catalog, far, gain)
    build_all(catalog)
    assert (depending(catalog, far), depending(catalog, gain)) == ([], [])


def test_no_dependents_where_views_do_not_follow_annotations(url: str, clock: Clock) -> None:
    kinds = EntityKinds(of_tomograms=("state",), follow_entities=("state",), unfollowed_datasets=frozenset({"1"}))
    with Catalog.open(url, versions=VERSIONS, entity_kinds=kinds, clock=clock) as catalog:
        fill(catalog, annotation("a"))
        build_all(catalog)
        assert depending(catalog, annotation("a")) == []


def test_a_tomogram_names_its_own_view_and_the_exports_of_its_image(catalog: Catalog) -> None:
    image_id = fill(catalog)
    build_all(catalog)
    path = f"{LAYOUT}/{tomogram().image_key}"
    export = catalog.add_export("fov", "/out", {"sources": [{"path": path}, {"path": "/other"}]}, [])
    assert depending(catalog, tomogram()) == [f"export {export.id} (/out)", f"state {image_id} (cells)"]


def test_many_dependents_are_counted(catalog: Catalog, clock: Clock) -> None:
    image_id = fill(catalog, annotation("a"))
    for number in range(SHOWN + 5):
        catalog.keep_view(image_id, name=str(number), state={})
        clock.advance(1)
    (found,) = catalog.with_dependents([removal_of(catalog, annotation("a"))])
    assert ([one.name for one in found.depending], found.more_depending) == ([str(n) for n in range(SHOWN)], 5)
    plan = CleanupPlan("kept", Scope("annotation"), catalog.now(), "ada", removals=(found,))
    catalog.keep_plan(plan)
    assert catalog.plan("kept") == plan


def test_dependents_that_belong_to_hidden_records_are_not_named(catalog: Catalog) -> None:
    shown, coarse = fill(catalog, annotation("a")), tomogram(101, COARSE)
    catalog.sync_entities(LAYOUT, [coarse], files=[item(f"{LAYOUT}/{coarse.image_key}")], read_by="test")
    build_all(catalog)

    def permitted(_actor: str, row: Named) -> bool:
        return row.identity != coarse.identity

    (found,) = catalog.with_dependents([removal_of(catalog, annotation("a"))], actor="ada", permitted=permitted)
    assert [one.id for one in found.depending] == [shown]
    (every,) = catalog.with_dependents([removal_of(catalog, annotation("a"))])
    assert {one.id for one in every.depending} == {shown, image_of(catalog, coarse)}


def test_what_contains_a_row_that_is_not_told_of_stays_and_says_nothing_of_it() -> None:
    parent = Candidate("tiltseries", 1, "parent", LAYOUT, "1/TS_1/TiltSeries/1/tiltseries_metadata.json")
    child = Candidate("frame", 2, "secret", LAYOUT, "1/TS_1/Frames/frames_metadata.json", parent_id=1)
    answers = Answered({"1/TS_1/run_metadata.json"}, {parent.key, child.key})
    assert [one.id for one in plan_removals([parent], answers, beside=[child]).removals] == [2, 1]
    hidden = plan_removals([parent], answers, hidden=[child])
    assert (hidden.removals, [one.why for one in hidden.unknown]) == (
        (),
        ["it is not there, but what lies in it may be"],
    )


def everything_shown(catalog: Catalog) -> list[object]:
    """Return all that builders read of the catalog, and how stale each artifact is."""
    images = [image_of(catalog), image_of(catalog, tomogram(101, COARSE))]
    around = [catalog.surroundings(image_id) for image_id in images]
    kinds = {"thumbnail": 1, "state": 1, "points": 1}
    shown = catalog.images_showing([one.id for one in catalog.entities()])
    return [around, catalog.artifacts(kinds).artifacts, shown]


@pytest.mark.parametrize("gone", ["annotation", "tomogram", "alignment"])
def test_a_purge_changes_nothing_that_is_built(catalog: Catalog, clock: Clock, gone: str) -> None:
    """Whatever showed a row was marked when it was removed; nothing that a builder reads changes when it is purged."""
    coarse, third = tomogram(101, COARSE), tomogram(102)
    alignment = entity("alignment", f"{RUN}/alignments/100", RUN, alignment=annotation("a").alignment)
    fill(catalog, annotation("a", "Point"), annotation("b", "Point"), alignment)
    files = [item(f"{LAYOUT}/{one.image_key}") for one in (coarse, third)]
    catalog.sync_entities(LAYOUT, [coarse, third], files=files, read_by="test")
    build_all(catalog)
    seen = {"annotation": annotation("a"), "tomogram": third, "alignment": alignment}[gone]
    before = everything_shown(catalog)
    planned(catalog, seen)
    catalog.apply_plan("plan", actor="ada")
    removed = everything_shown(catalog)
    assert removed != before
    clock.advance(3600)
    assert len(catalog.purge_tombstones(clock.now).ids) == 1
    assert everything_shown(catalog) == removed
    assert ("state", None) in build_all(catalog)
    assert build_all(catalog) == []


def test_a_plan_of_which_some_rows_are_left_can_still_be_undone(catalog: Catalog, clock: Clock) -> None:
    fill(catalog, annotation("mine"), annotation("theirs"))
    planned(catalog, annotation("mine"), annotation("theirs"))
    theirs = number_of(catalog, annotation("theirs").identity)
    catalog.apply_plan("plan", actor="root")
    clock.advance(3600)

    def permitted(_actor: str, row: Named) -> bool:
        return row.identity.endswith("mine")

    assert [one.identity for one in catalog.tombstones(clock.now, permitted=permitted)] == [annotation("mine").identity]
    purged = catalog.purge_tombstones(clock.now, actor="ada", permitted=permitted)
    assert (len(purged.ids), purged.plans, catalog.plan("plan").state) == (1, (), "applied")
    assert catalog.undo_plan("plan", actor="root").restored == (theirs,)
    assert catalog.purge_tombstones(clock.now + timedelta(days=1)).ids == ()


def test_a_merge_is_undone_by_who_may_remove_all_of_its_rows(catalog: Catalog) -> None:
    oldest, newest = same_document_twice(catalog)
    merging(catalog)

    def not_oldest(_actor: str, row: Named) -> bool:
        return row.id != oldest

    with pytest.raises(NotFoundError, match="there is no plan 'merge'"):
        catalog.apply_plan("merge", actor="ada", permitted=not_oldest)
    catalog.apply_plan("merge", actor="ada")
    assert catalog.entity(newest).id == oldest
    with pytest.raises(NotFoundError, match="there is no plan 'merge'"):
        catalog.undo_plan("merge", actor="ada", permitted=not_oldest)
    assert catalog.undo_plan("merge", actor="ada").restored == (newest,)
    assert catalog.entity(newest).id == newest


def test_numbers_of_merged_records_lead_on_after_other_merges_and_after_a_purge(catalog: Catalog, clock: Clock) -> None:
    oldest, newest = same_document_twice(catalog)
    merging(catalog)
    catalog.apply_plan("merge", actor="ada")
    older = replace(annotation("older"), key="1/TS_1/101.json")
    catalog.sync_entities(LAYOUT, [older])
    number = number_of(catalog, older.identity)
    rows = {one.id: removal(one) for one in catalog.entities(type="annotation")}
    second = replace(rows[oldest], reason="duplicate", merged_into=number)
    catalog.keep_plan(CleanupPlan("again", Scope("annotation"), catalog.now(), "", removals=(second,)))
    catalog.apply_plan("again", actor="ada")
    assert catalog.survivors([oldest, newest, number]) == {oldest: number, newest: number}
    assert catalog.entity(newest).id == number
    catalog.undo_plan("again", actor="ada")
    assert catalog.survivors([oldest, newest]) == {newest: oldest}
    clock.advance(3600)
    catalog.purge_tombstones(clock.now)
    assert catalog.entity(newest).id == oldest
    with pytest.raises(NotFoundError):
        catalog.entity(newest + 1000)
