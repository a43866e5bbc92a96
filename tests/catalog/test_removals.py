import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from coverslip.catalog import Catalog
from coverslip.catalog.audit import BEGINNING, digest
from coverslip.catalog.planning import plan_removals
from coverslip.errors import ConflictError, InvalidRequestError, NotFoundError
from coverslip.model.entities import EntityRecord, EntitySeen
from coverslip.model.removal import (
    BrakeStop,
    CleanupPlan,
    Group,
    Kept,
    Named,
    Removal,
    Scope,
)
from coverslip.model.removed import Applied
from coverslip.model.speaking import Who, speaking
from tests.catalog.making import VERSIONS, Clock
from tests.catalog.test_entities import (
    COARSE,
    FINE,
    KINDS,
    LAYOUT,
    OURS,
    RUN,
    annotation,
    build_all,
    entity,
    fill,
    image_of,
    number_of,
    tomogram,
)


@pytest.fixture
def catalog(url: str, clock: Clock) -> Iterator[Catalog]:
    with Catalog.open(url, versions=VERSIONS, entity_kinds=KINDS, clock=clock) as opened:
        yield opened


def removal(one: EntityRecord) -> Removal:
    return Removal(one.type, one.id, one.identity, one.layout, one.key, one.revision)


def planned(catalog: Catalog, *seen: EntitySeen, name: str = "plan") -> CleanupPlan:
    """Keep a plan that removes some entities."""
    rows = catalog.entities(identities=[one.identity for one in seen])
    removals = tuple(map(removal, rows))
    plan = CleanupPlan(name, Scope("annotation", layout=LAYOUT), catalog.now(), "ada", removals=removals)
    catalog.keep_plan(plan)
    return plan


def everything(catalog: Catalog) -> dict[str, list[object]]:
    """Return all rows of entities and artifacts, but what counts changes of views."""
    with catalog._database.reading() as connection:
        entities = connection.execute(text("SELECT * FROM entity ORDER BY id")).all()
        artifacts = connection.execute(
            text("SELECT id, kind, image_id, entity_id, built, key FROM artifact ORDER BY id")
        ).all()
    return {"entity": list(map(str, entities)), "artifact": list(map(str, artifacts))}


def state_of(catalog: Catalog) -> tuple[int, str]:
    """Return how many changes the view of the tomogram has not seen, and the last of them in words."""
    state = catalog.artifact("state", image_of(catalog))
    return state.wanted - state.built, state.cause


def test_a_plan_is_kept_as_it_was_made(catalog: Catalog) -> None:
    fill(catalog, annotation("a", "Point"))
    plan = planned(catalog, annotation("a"))
    assert catalog.plan("plan") == plan
    assert [one.id for one in catalog.plans()] == ["plan"]
    assert catalog.plans()[0].removals == ()
    with pytest.raises(NotFoundError, match="no plan 'other'"):
        catalog.plan("other")


def test_what_was_removed_is_seen_nowhere(catalog: Catalog) -> None:
    gone, stays = annotation("gone", "Point"), annotation("stays", "Point")
    image_id = fill(catalog, gone, stays)
    build_all(catalog)
    number = number_of(catalog, gone.identity)
    planned(catalog, gone)
    assert catalog.apply_plan("plan", actor="ada") == Applied("plan", removed=(number,))
    around = catalog.surroundings(image_id)
    assert around is not None
    assert [one.name for one in around.annotations] == ["stays"]
    assert catalog.entities(identities=[gone.identity]) == []
    assert catalog.entities_by_id([number]) == {}
    assert catalog.images_showing([number]) == {}
    assert catalog.artifacts_of_entities([number]) == []
    assert catalog.count_entities()["annotation"] == 1
    with pytest.raises(NotFoundError):
        catalog.entity(number)
    with pytest.raises(NotFoundError):
        catalog.artifact("points", image_id, entity_id=number)
    with pytest.raises(NotFoundError):
        catalog.want("points", image_id, entity_id=number)
    (tombstone,) = catalog.entities(deleted=True)
    assert (tombstone.id, tombstone.deleted_at) == (number, catalog.now())


def test_a_removal_marks_the_views_that_showed_it_once_and_builds_nothing_of_it(catalog: Catalog) -> None:
    fill(catalog, annotation("a", "Point"), annotation("b", "Point"))
    build_all(catalog)
    numbers = [number_of(catalog, annotation(name).identity) for name in "ab"]
    planned(catalog, annotation("a"), annotation("b"))
    catalog.apply_plan("plan", actor="ada")
    assert state_of(catalog) == (2, f"cleaned up: annotation {numbers[1]} removed and 1 more")
    assert build_all(catalog) == [("state", None)]


def test_an_artifact_that_was_stale_is_not_built_for_a_tombstone(catalog: Catalog) -> None:
    fill(catalog, annotation("a", "Point"))
    planned(catalog, annotation("a"))
    catalog.apply_plan("plan", actor="ada")
    assert [kind for kind, _ in build_all(catalog)] == ["state", "thumbnail"]
    assert catalog.stale_by_kind({"points": 1})["points"].count == 0


def test_undo_brings_the_same_rows_back_with_their_numbers_and_artifacts(catalog: Catalog) -> None:
    one = annotation("a", "Point", "OrientedPoint")
    fill(catalog, one, annotation("b"))
    build_all(catalog)
    before = everything(catalog)
    number = number_of(catalog, one.identity)
    planned(catalog, one)
    catalog.apply_plan("plan", actor="ada")
    build_all(catalog)
    assert catalog.undo_plan("plan", actor="bob") == Applied("plan", restored=(number,))
    assert state_of(catalog) == (1, f"brought back: annotation {number} added")
    assert build_all(catalog) == [("state", None)]
    after = everything(catalog)
    assert after["entity"] == before["entity"]
    kinds = [(one.kind, one.entity_id) for one in catalog.artifacts_of_entities([number])]
    assert kinds == [("arrows", number), ("points", number)]
    assert catalog.plan("plan").state == "undone"


def test_a_plan_is_applied_once_and_undone_once(catalog: Catalog) -> None:
    fill(catalog, annotation("a"))
    planned(catalog, annotation("a"))
    with pytest.raises(ConflictError, match="is open"):
        catalog.undo_plan("plan", actor="ada")
    catalog.apply_plan("plan", actor="ada")
    with pytest.raises(ConflictError, match="is applied"):
        catalog.apply_plan("plan", actor="ada")
    catalog.undo_plan("plan", actor="ada")
    with pytest.raises(ConflictError, match="is undone"):
        catalog.undo_plan("plan", actor="ada")


@pytest.mark.parametrize("change", ["changed", "removed by another plan"])
def test_a_plan_of_which_a_row_changed_removes_nothing(catalog: Catalog, change: str) -> None:
    fill(catalog, annotation("a"), annotation("b"))
    planned(catalog, annotation("a"), annotation("b"))
    if change == "changed":
        catalog.sync_entities(LAYOUT, [replace(annotation("b"), document={"says": "more"})])
    else:
        planned(catalog, annotation("b"), name="other")
        catalog.apply_plan("other", actor="bob")
    before = everything(catalog)
    with pytest.raises(ConflictError, match=r"changed since it was made\. Nothing was removed"):
        catalog.apply_plan("plan", actor="ada")
    assert everything(catalog) == before
    assert catalog.plan("plan").state == "open"


def test_what_is_seen_again_comes_back_by_itself_and_an_undo_leaves_it(catalog: Catalog) -> None:
    one, other = annotation("a", "Point"), annotation("b", "Point")
    fill(catalog, one, other)
    build_all(catalog)
    numbers = [number_of(catalog, annotation(name).identity) for name in "ab"]
    planned(catalog, one, other)
    catalog.apply_plan("plan", actor="ada")
    build_all(catalog)
    changes = catalog.sync_entities(LAYOUT, [replace(one, document={"says": "new"})])
    assert (changes.changed, number_of(catalog, one.identity)) == ((one.identity,), numbers[0])
    assert build_all(catalog) == [("state", None)]
    assert catalog.undo_plan("plan", actor="ada").restored == (numbers[1],)
    (back,) = catalog.entities(identities=[one.identity])
    assert back.document == {"says": "new"}
    assert [(line.action, line.reason) for line in catalog.audit()][2:] == [
        ("restore", "seen again"),
        ("restore", "undone"),
    ]


def test_a_removal_with_an_import_is_one_transaction_and_spares_what_is_seen(catalog: Catalog) -> None:
    gone, stays = annotation("gone"), annotation("stays")
    fill(catalog, gone, stays)
    rows = catalog.entities(type="annotation")
    plan = CleanupPlan(
        "import", Scope("annotation", layout=LAYOUT), catalog.now(), "", removals=tuple(map(removal, rows))
    )
    changes = catalog.sync_entities(LAYOUT, [stays, annotation("new")], removing=plan)
    assert (changes.removed, changes.added) == ((gone.identity,), (annotation("new").identity,))
    assert [one.name for one in catalog.entities(type="annotation")] == ["stays", "new"]
    assert catalog.undo_plan("import", actor="ada").restored == (rows[0].id,)
    with pytest.raises(NotFoundError):
        catalog.sync_entities(LAYOUT, [entity("annotation", "lost", "nowhere")], removing=replace(plan, id="again"))
    assert len(catalog.entities(type="annotation")) == 3


def test_the_tomogram_that_goes_marks_its_own_view_and_is_around_nothing(catalog: Catalog) -> None:
    image_id = fill(catalog, annotation("a", "Point"))
    build_all(catalog)
    planned(catalog, tomogram())
    catalog.apply_plan("plan", actor="ada")
    assert catalog.artifact("state", image_id).cause.startswith("cleaned up: tomogram")
    assert catalog.surroundings(image_id) is None
    assert catalog.images_showing([number_of(catalog, annotation("a").identity)]) == {}


def test_rows_that_an_actor_may_not_remove_stay_and_are_not_told(catalog: Catalog) -> None:
    fill(catalog, annotation("mine"), annotation("theirs"))
    planned(catalog, annotation("mine"), annotation("theirs"))

    def permitted(actor: str, row: Named) -> bool:
        return actor == "ada" and row.identity.endswith("mine")

    mine = number_of(catalog, annotation("mine").identity)
    assert catalog.apply_plan("plan", actor="ada", permitted=permitted).removed == (mine,)
    assert [one.name for one in catalog.entities(type="annotation")] == ["theirs"]
    with pytest.raises(NotFoundError, match="there is no plan 'plan'"):
        catalog.undo_plan("plan", actor="bob", permitted=permitted)
    assert catalog.undo_plan("plan", actor="ada", permitted=permitted).restored == (mine,)


def test_purging_is_final_and_takes_what_was_made_of_a_row(catalog: Catalog, clock: Clock) -> None:
    one, two = annotation("a", "Point"), annotation("b", "Point")
    fill(catalog, one, two)
    build_all(catalog)
    number = number_of(catalog, one.identity)
    planned(catalog, one)
    catalog.apply_plan("plan", actor="ada")
    build_all(catalog)
    keys = catalog.artifact_keys()
    assert catalog.tombstones(clock.now - timedelta(days=1)) == []
    assert catalog.purge_tombstones(clock.now - timedelta(days=1)).ids == ()
    clock.advance(3600)
    assert [one.id for one in catalog.tombstones(clock.now)] == [number]
    purged = catalog.purge_tombstones(clock.now, actor="ada")
    assert (purged.ids, purged.plans) == ((number,), ("plan",))
    assert catalog.entities(deleted=True) == []
    assert catalog.artifact_keys() <= keys
    assert build_all(catalog) == []
    with pytest.raises(ConflictError, match="is purged"):
        catalog.undo_plan("plan", actor="ada")
    catalog.sync_entities(LAYOUT, [one])
    assert number_of(catalog, one.identity) > number


def test_what_contains_something_is_not_purged(catalog: Catalog, clock: Clock) -> None:
    series = entity("tiltseries", f"{RUN}/tiltseries/7", RUN)
    fill(catalog, series, entity("rawtilt", f"{series.identity}/rawtilt", series.identity))
    planned(catalog, series)
    catalog.apply_plan("plan", actor="ada")
    clock.advance(10)
    assert catalog.purge_tombstones(clock.now).ids == ()
    assert len(catalog.entities(type="rawtilt")) == 1


def test_children_come_back_after_what_contains_them(catalog: Catalog) -> None:
    series = entity("tiltseries", f"{RUN}/tiltseries/7", RUN)
    raw = entity("rawtilt", f"{series.identity}/rawtilt", series.identity)
    fill(catalog, series, raw)
    number = number_of(catalog, series.identity)
    planned(catalog, raw, name="first")
    planned(catalog, series, name="second")
    catalog.apply_plan("first", actor="ada")
    catalog.apply_plan("second", actor="ada")
    with pytest.raises(ConflictError, match=f"before tiltseries {number} is brought back"):
        catalog.undo_plan("first", actor="ada")
    with pytest.raises(NotFoundError, match="its parent"):
        catalog.sync_entities(LAYOUT, [raw])
    catalog.undo_plan("second", actor="ada")
    catalog.undo_plan("first", actor="ada")


class Answered:
    """What a test says is there."""

    def __init__(self, present: set[str], absent: set[str], unknown: dict[str, str] | None = None) -> None:
        self.present, self.absent, self.unknown, self.orphans = present, absent, unknown or {}, frozenset[str]()


def test_a_row_without_its_files_is_marked_as_incomplete_and_stays(catalog: Catalog) -> None:
    one = replace(annotation("a", "Point"), key="1/TS_1/a.json")
    fill(catalog, one)
    (file,) = (file.key for file in one.files)
    chosen, beside = catalog.candidates(Scope("annotation", everything=True))
    found = plan_removals(chosen, Answered({one.key}, {file}), beside=beside)
    assert found.removals == ()
    assert [row.why for row in found.incomplete] == ["a_point.ndjson: not there"]
    plan = CleanupPlan("plan", Scope("annotation", everything=True), catalog.now(), "", incomplete=found.incomplete)
    catalog.keep_plan(plan)
    catalog.apply_plan("plan", actor="ada")
    (row,) = catalog.entities(type="annotation")
    assert row.incomplete_since == catalog.now()
    chosen, beside = catalog.candidates(Scope("annotation", everything=True))
    assert plan_removals(chosen, Answered({one.key, file}, set()), beside=beside).complete == (row.id,)
    catalog.undo_plan("plan", actor="ada")
    assert catalog.entities(type="annotation")[0].incomplete_since is None


def test_what_an_import_says_is_missing_makes_a_row_incomplete_until_it_is_there(catalog: Catalog) -> None:
    one = replace(annotation("a", "Point"), missing=("a_mask.zarr",))
    fill(catalog, one)
    (row,) = catalog.entities(type="annotation")
    assert (row.missing, row.incomplete_since) == (("a_mask.zarr",), catalog.now())
    assert catalog.sync_entities(LAYOUT, [one]).unchanged == (one.identity,)
    ((candidate,), _) = catalog.candidates(Scope("annotation", everything=True))
    assert candidate.files == ("a_point.ndjson", "a_mask.zarr")
    catalog.sync_entities(LAYOUT, [replace(one, missing=())])
    assert catalog.entities(type="annotation")[0].incomplete_since is None


def test_a_plan_that_the_brake_holds_as_a_whole_stays_open_until_a_number_lets_it_through(catalog: Catalog) -> None:
    fill(catalog, annotation("a", "Point"), annotation("b", "Point"))
    rows = catalog.entities(type="annotation")
    stop = BrakeStop(Group("1", "TS_1", "5.000"), "empty", 1, 1)
    removals = (replace(removal(rows[0]), group=stop.group),)
    marked = Kept("annotation", rows[1].id, rows[1].identity, LAYOUT, rows[1].key, "a file is not there")
    scope = Scope("annotation", everything=True)
    catalog.keep_plan(
        CleanupPlan("plan", scope, catalog.now(), "", removals=removals, incomplete=(marked,), stops=(stop,))
    )
    for allow in (0, 2):
        assert catalog.apply_plan("plan", actor="ada", allow=allow) == Applied("plan", stopped=(stop,))
        assert catalog.plan("plan").state == "open"
        assert [one.incomplete_since for one in catalog.entities(type="annotation")] == [None, None]
    assert catalog.apply_plan("plan", actor="ada", allow=1) == Applied("plan", removed=(rows[0].id,))


def test_an_undo_leaves_the_marks_of_rows_that_were_written_since(catalog: Catalog, clock: Clock) -> None:
    lost, found = replace(annotation("lost", "Point"), key="1/TS_1/lost.json"), annotation("found", "Point")
    fill(catalog, lost, replace(found, missing=("found_mask.zarr",)))
    rows = {one.name: one for one in catalog.entities(type="annotation")}
    marked = Kept("annotation", rows["lost"].id, lost.identity, LAYOUT, lost.key, "a file is not there")
    scope, since = Scope("annotation", everything=True), catalog.now()
    catalog.keep_plan(CleanupPlan("plan", scope, since, "", incomplete=(marked,), complete=(rows["found"].id,)))
    clock.advance(60)
    catalog.apply_plan("plan", actor="ada")
    assert {one.name: one.incomplete_since for one in catalog.entities(type="annotation")} == {
        "lost": catalog.now(),
        "found": None,
    }
    catalog.sync_entities(LAYOUT, [replace(lost, files=(), missing=("lost_point.ndjson",)), found])
    catalog.undo_plan("plan", actor="ada")
    assert {one.name: one.incomplete_since for one in catalog.entities(type="annotation")} == {
        "lost": catalog.now(),
        "found": None,
    }


@pytest.mark.parametrize(
    ("scope", "names"),
    [
        (lambda ids: Scope("annotation", everything=True), ["fine", "coarse", "both", "both", "loose", "else"]),
        (lambda ids: Scope("annotation", dataset_id=ids["datasets/1"]), ["fine", "coarse", "both", "both", "loose"]),
        (lambda ids: Scope("annotation", run_id=ids[RUN]), ["fine", "coarse", "both", "both", "loose"]),
        (lambda ids: Scope("annotation", voxel_spacing_id=ids[FINE]), ["fine", "both"]),
        (lambda ids: Scope("annotation", layout="/other"), ["else"]),
        (lambda ids: Scope("tomogram", run_id=ids[RUN]), ["100"]),
    ],
)
def test_a_scope_holds_exactly_its_records(
    catalog: Catalog, scope: Callable[[dict[str, int]], Scope], names: list[str]
) -> None:
    shared = [annotation("both"), annotation("both", spacing=COARSE)]
    loose = entity("annotation", f"{RUN}/annotations/old", RUN, name="loose")
    fill(catalog, annotation("fine"), annotation("coarse", spacing=COARSE), *shared, loose)
    elsewhere = [
        entity("dataset", "datasets/1", None),
        entity("run", RUN, "datasets/1"),
        entity("annotation", f"{RUN}/annotations/1", RUN, name="else"),
    ]
    catalog.sync_entities("/other", elsewhere)
    ids = {one.identity: one.id for one in catalog.entities(LAYOUT)}
    chosen, _ = catalog.candidates(scope(ids))
    by_id = catalog.entities_by_id(one.id for one in chosen)
    assert [by_id[one.id].name for one in chosen] == names
    spacings = {by_id[one.id].name: one.group.spacing for one in chosen if one.type == "annotation"}
    assert spacings.get("fine", "5.000") == "5.000"
    assert spacings.get("loose", "") == ""


def test_a_scope_says_what_is_meant(catalog: Catalog) -> None:
    fill(catalog)
    with pytest.raises(InvalidRequestError, match="say that everything is meant"):
        catalog.candidates(Scope("annotation"))
    with pytest.raises(NotFoundError, match="no run 12345"):
        catalog.candidates(Scope("annotation", run_id=12345))


def test_of_records_that_were_purged_in_part_the_rest_comes_back_and_the_others_are_told(
    catalog: Catalog, clock: Clock
) -> None:
    fill(catalog, annotation("a"), annotation("b"))
    plan = planned(catalog, annotation("a"), annotation("b"))
    first, second = catalog.apply_plan("plan", actor="ada").removed
    clock.advance(60)

    def only_first(_actor: str, row: Named) -> bool:
        return row.identity == plan.removals[0].identity

    assert catalog.purge_tombstones(clock.now, actor="ada", permitted=only_first).ids == (first,)
    done = catalog.undo_plan("plan", actor="ada")
    assert (done.restored, done.purged, done.purged_images) == ((second,), (first,), ())


def test_the_log_says_who_removed_what_and_how_it_was(catalog: Catalog) -> None:
    one = annotation("a", "Point")
    fill(catalog, one)
    planned(catalog, one)
    catalog.apply_plan("plan", actor="ada")
    catalog.undo_plan("plan", actor="bob")
    removed, restored = catalog.audit(plan_id="plan")
    assert (removed.seq, removed.actor, removed.action, removed.reason) == (1, "ada", "remove", "absent")
    assert removed.scope == "annotation of layout /data/layout"
    assert (removed.record["identity"], removed.record["document"]) == (one.identity, {"says": one.identity})
    assert (removed.record["files"]["files"][0]["key"], removed.record["deleted_at"]) == ("a_point.ndjson", None)
    assert (restored.seq, restored.actor, restored.action) == (2, "bob", "restore")
    assert catalog.verify_audit() == (2, ())


def test_the_log_says_who_brought_a_record_back_and_by_which_command(url: str, clock: Clock) -> None:
    with (
        speaking(Who("ada", "coverslip import")),
        Catalog.open(url, versions=VERSIONS, entity_kinds=KINDS, clock=clock) as catalog,
    ):
        fill(catalog, annotation("a"))
        planned(catalog, annotation("a"))
        catalog.apply_plan("plan", actor="bob")
        catalog.sync_entities(LAYOUT, [annotation("a")])
        line = catalog.audit()[-1]
    said = (line.actor, line.action, line.command, line.scope, line.reason, line.plan_id)
    assert said == ("ada", "restore", "coverslip import", "record of layout /data/layout", "seen again", "plan")


def test_a_line_that_nobody_signs_is_of_whoever_is_at_this_machine(catalog: Catalog) -> None:
    fill(catalog, annotation("a"))
    planned(catalog, annotation("a"))
    catalog.apply_plan("plan", actor="")
    assert [(line.actor, line.command) for line in catalog.audit()] == [("local", "library")]
    assert catalog.verify_audit() == (1, ())


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("SELECT 1", []),
        ("UPDATE audit SET actor = 'eve' WHERE seq = 3", ["line 3 was changed, or the one before it"]),
        ("UPDATE audit SET record = '{}' WHERE seq = 1", ["line 1 was changed, or the one before it"]),
        ("DELETE FROM audit WHERE seq IN (3, 4)", ["lines 3 to 4 are missing"]),
        ("DELETE FROM audit WHERE seq > 4", ["lines 5 to 6 are missing at the end"]),
        ("DELETE FROM audit WHERE seq = 1", ["lines 1 to 1 are missing"]),
        (
            (
                "UPDATE audit SET seq = 99 WHERE seq = 2; UPDATE audit SET seq = 2 WHERE seq = 3; "
                "UPDATE audit SET seq = 3 WHERE seq = 99"
            ),
            ["line 2 was line 3", "line 3 was line 2"],
        ),
    ],
)
def test_a_log_that_was_tampered_with_says_where(catalog: Catalog, wrong: str, said: list[str]) -> None:
    fill(catalog, *(annotation(f"a{number}é", "Point") for number in range(6)))
    for number in range(3):
        some = [annotation(f"a{one}é") for one in (2 * number, 2 * number + 1)]
        rows = catalog.entities(identities=[one.identity for one in some])
        removals = tuple(map(removal, rows))
        plan = CleanupPlan(
            f"plan{number}", Scope("annotation"), catalog.now(), "", command="a\x00\ud83d", removals=removals
        )
        catalog.keep_plan(plan)
        catalog.apply_plan(plan.id, actor="ada")
    assert catalog.verify_audit() == (6, ())
    with catalog._database.writing() as connection:
        for statement in wrong.split(";"):
            connection.execute(text(statement))
    assert [str(problem) for problem in catalog.verify_audit()[1]] == said


def removed_and_seen_again(catalog: Catalog, times: int = 1) -> None:
    """Write two lines for each time: a plan knows the first, nothing but the head of the log knows the second."""
    fill(catalog, annotation("a"))
    for number in range(times):
        planned(catalog, annotation("a"), name=f"plan{number}")
        catalog.apply_plan(f"plan{number}", actor="ada")
        catalog.sync_entities(LAYOUT, [annotation("a")])
    assert catalog.verify_audit() == (2 * times, ())


def tampered(catalog: Catalog, *statements: str) -> list[str]:
    """Change the log behind the catalog's back; return what it says of that."""
    with catalog._database.writing() as connection:
        for statement in statements:
            connection.execute(text(statement))
    return [str(problem) for problem in catalog.verify_audit()[1]]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("DELETE FROM audit WHERE seq = 4", "lines 4 to 4 are missing at the end"),
        ("DELETE FROM audit WHERE seq >= 3", "lines 3 to 4 are missing at the end"),
        ("DELETE FROM audit", "lines 1 to 4 are missing at the end"),
        ("DELETE FROM audit_head", "the note that line 4 is the newest is missing"),
        ("UPDATE audit_head SET seq = 3", "lines 4 to 4 were added by something else"),
        ("UPDATE audit_head SET hash = 'x'", "line 4 is another one than was noted as the newest"),
    ],
)
def test_the_end_of_the_log_is_noted_whoever_wrote_it(catalog: Catalog, wrong: str, said: str) -> None:
    removed_and_seen_again(catalog, 2)
    assert tampered(catalog, wrong) == [said]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["DELETE FROM audit WHERE seq = 2"], "lines 2 to 2 are missing"),
        (["DELETE FROM audit_head"], "the note that line 4 is the newest is missing"),
        (["UPDATE audit_head SET hash = 'x'"], "line 3 was changed, or the one before it"),
    ],
)
def test_lines_that_come_later_do_not_hide_what_was_done_at_the_end(
    catalog: Catalog, wrong: list[str], said: str
) -> None:
    removed_and_seen_again(catalog)
    assert len(tampered(catalog, *wrong)) == 1
    planned(catalog, annotation("a"), name="later")
    catalog.apply_plan("later", actor="ada")
    catalog.undo_plan("later", actor="ada")
    assert [str(problem) for problem in catalog.verify_audit()[1]] == [said]


def rewrite(catalog: Catalog, seq: int) -> list[tuple[int, str]]:
    """Change a line of the log and make the chain anew from there on; return the new digests."""
    lines = catalog.audit()
    with catalog._database.reading() as connection:
        rows = connection.execute(text("SELECT seq, record, hash FROM audit ORDER BY seq")).all()
    before, made = (rows[seq - 2].hash if seq > 1 else BEGINNING), list[tuple[int, str]]()
    for line, row in zip(lines[seq - 1 :], rows[seq - 1 :], strict=True):
        actor = "eve" if line.seq == seq else line.actor
        words = [actor, line.action, line.plan_id, line.command, line.scope, line.reason]
        before = digest(before, line.seq, line.at, words, row.record)
        made.append((line.seq, before))
    with catalog._database.writing() as connection:
        connection.execute(text("UPDATE audit SET actor = 'eve' WHERE seq = :seq"), {"seq": seq})
        for number, new in made:
            connection.execute(text("UPDATE audit SET hash = :new WHERE seq = :seq"), {"new": new, "seq": number})
    return made


@pytest.mark.parametrize(
    ("also", "said"),
    [
        ("the head", [f"line {seq} is another one than its plan knows" for seq in (3, 5)]),
        ("the plans", ["line 6 is another one than was noted as the newest"]),
        ("neither", [f"line {seq} is another one than its plan knows" for seq in (3, 5)]),
        ("both", []),
    ],
)
def test_a_chain_that_was_made_anew_is_found_by_plans_and_by_the_head(
    catalog: Catalog, also: str, said: list[str]
) -> None:
    removed_and_seen_again(catalog, 3)
    made = rewrite(catalog, 2)
    with catalog._database.writing() as connection:
        for seq, new in made:
            values = {"seq": seq, "new": new}
            if also in {"the plans", "both"}:
                connection.execute(text("UPDATE cleanup_plan SET audit_hash = :new WHERE audit_seq = :seq"), values)
            if also in {"the head", "both"}:
                connection.execute(text("UPDATE audit_head SET hash = :new WHERE seq = :seq"), values)
    found = [str(problem) for problem in catalog.verify_audit()[1]]
    at_the_end = ["line 6 is another one than was noted as the newest"] if also == "neither" else []
    assert found == [*said, *at_the_end]


def test_a_record_in_the_log_is_plain_json(catalog: Catalog) -> None:
    fill(catalog, annotation("a"))
    planned(catalog, annotation("a"))
    catalog.apply_plan("plan", actor="ada")
    with catalog._database.reading() as connection:
        record = connection.execute(text("SELECT record FROM audit")).scalar_one()
    assert json.loads(record)["alignment"] == OURS
    assert record == json.dumps(json.loads(record), sort_keys=True, separators=(",", ":"))


def same_document_twice(catalog: Catalog) -> tuple[int, int]:
    """Write one annotation under two identities, the second with another content and one artifact more."""
    old = replace(annotation("@101", "Point"), key="1/TS_1/101.json", document={"says": "old"})
    new = replace(annotation("ribosome", "Point", "OrientedPoint"), key="1/TS_1/101.json", document={"says": "new"})
    fill(catalog, old)
    catalog.sync_entities(LAYOUT, [new])
    build_all(catalog)
    return number_of(catalog, old.identity), number_of(catalog, new.identity)


def merging(catalog: Catalog) -> CleanupPlan:
    """Keep a plan that merges what is of the same document."""
    scope = Scope("annotation", everything=True)
    chosen, beside = catalog.candidates(scope)
    there = {key for one in (*chosen, *beside) for key in one.keys}
    found = plan_removals(chosen, Answered(there, set()), beside=beside)
    plan = CleanupPlan("merge", scope, catalog.now(), "ada", removals=found.removals, stops=found.stops)
    catalog.keep_plan(plan)
    return plan


def test_rows_of_one_document_become_the_oldest_which_says_what_the_newest_said(catalog: Catalog, clock: Clock) -> None:
    oldest, newest = same_document_twice(catalog)
    before = everything(catalog)
    clock.advance(60)
    plan = merging(catalog)
    assert [(one.id, one.merged_into, one.reason) for one in plan.removals] == [(newest, oldest, "duplicate")]
    catalog.apply_plan("merge", actor="ada")
    (row,) = catalog.entities(type="annotation")
    assert (row.id, row.identity, row.document) == (oldest, annotation("ribosome").identity, {"says": "new"})
    assert {one.kind for one in catalog.artifacts_of_entities([oldest])} == {"points", "arrows"}
    assert [(line.action, line.record["id"], line.reason) for line in catalog.audit()] == [
        ("merge", newest, f"merged into {oldest}"),
        ("merge", oldest, f"kept for {newest}"),
    ]
    built = build_all(catalog)
    assert ("points", oldest) in built
    assert ("state", None) in built
    seen_again = replace(
        annotation("ribosome", "Point", "OrientedPoint"), key="1/TS_1/101.json", document={"says": "new"}
    )
    assert catalog.sync_entities(LAYOUT, [seen_again]).unchanged == (seen_again.identity,)
    assert catalog.undo_plan("merge", actor="ada").restored == (newest,)
    assert everything(catalog)["entity"] == before["entity"]
    assert {one.kind for one in catalog.artifacts_of_entities([newest])} == {"points", "arrows"}


def owners(catalog: Catalog) -> dict[str, tuple[str, int, str]]:
    """Return what the artifacts of annotations are, whose, and under which key their bytes lie, by id."""
    with catalog._database.reading() as connection:
        rows = connection.execute(text("SELECT id, kind, entity_id, key FROM artifact WHERE entity_id IS NOT NULL"))
        return {row.id: (row.kind, row.entity_id, row.key) for row in rows}


def test_a_merge_takes_what_only_the_other_has_with_its_bytes_and_an_undo_gives_it_back(catalog: Catalog) -> None:
    oldest, newest = same_document_twice(catalog)
    before = owners(catalog)
    (arrows,) = (number for number, (kind, _, _) in before.items() if kind == "arrows")
    assert before[arrows][1:] == (newest, before[arrows][2])
    assert before[arrows][2]
    merging(catalog)
    catalog.apply_plan("merge", actor="ada")
    assert owners(catalog) == {**before, arrows: ("arrows", oldest, before[arrows][2])}
    catalog.undo_plan("merge", actor="ada")
    assert owners(catalog) == before


def test_numbers_of_merged_rows_lead_to_the_one_that_stayed_until_an_undo(catalog: Catalog) -> None:
    oldest, newest = same_document_twice(catalog)
    plan = merging(catalog)
    for name in ("merge", "again"):
        catalog.apply_plan(name, actor="ada")
        assert catalog.survivors([oldest, newest]) == {newest: oldest}
        assert catalog.entity(newest).id == oldest
        catalog.undo_plan(name, actor="ada")
        assert catalog.survivors([oldest, newest]) == {}
        assert catalog.entity(newest).id == newest
        if name == "merge":
            catalog.keep_plan(replace(plan, id="again"))


def test_an_undo_of_a_second_merge_leaves_the_first(catalog: Catalog) -> None:
    names = ("@101", "ribosome", "ribosomes")
    fill(catalog, *(replace(annotation(name, "Point"), key="1/TS_1/101.json") for name in names))
    first, second, third = (number_of(catalog, annotation(name).identity) for name in names)
    rows = {one.id: one for one in catalog.entities(type="annotation")}
    scope = Scope("annotation", everything=True)
    for name, gone, into in (("one", third, second), ("two", second, first)):
        row = replace(removal(catalog.entity(gone)), reason="duplicate", merged_into=into)
        catalog.keep_plan(CleanupPlan(name, scope, catalog.now(), "", removals=(row,)))
        catalog.apply_plan(name, actor="ada")
    assert set(rows) == {first, second, third}
    assert catalog.survivors([first, second, third]) == {second: first, third: first}
    catalog.undo_plan("two", actor="ada")
    assert catalog.survivors([first, second, third]) == {third: second}
    catalog.undo_plan("one", actor="ada")
    assert catalog.survivors([first, second, third]) == {}


def test_a_merge_repoints_what_lies_in_the_row_that_goes(catalog: Catalog) -> None:
    first = entity("tiltseries", f"{RUN}/tiltseries/@100", RUN, key="1/TS_1/TiltSeries/100/tiltseries_metadata.json")
    second = replace(first, identity=f"{RUN}/tiltseries/7")
    raw = entity("rawtilt", f"{second.identity}/rawtilt", second.identity)
    fill(catalog, first, second, raw)
    oldest, newest = number_of(catalog, first.identity), number_of(catalog, second.identity)
    chosen, beside = catalog.candidates(Scope("tiltseries", everything=True))
    there = {key for one in (*chosen, *beside) for key in one.keys}
    found = plan_removals(chosen, Answered(there, set()), beside=beside)
    catalog.keep_plan(CleanupPlan("merge", Scope("tiltseries"), catalog.now(), "", removals=found.removals))
    catalog.apply_plan("merge", actor="ada")
    (child,) = catalog.entities(type="rawtilt")
    assert child.parent_id == oldest
    catalog.undo_plan("merge", actor="ada")
    assert catalog.entities(type="rawtilt")[0].parent_id == newest


def test_a_merge_whose_row_changed_since_is_not_undone(catalog: Catalog) -> None:
    same_document_twice(catalog)
    merging(catalog)
    catalog.apply_plan("merge", actor="ada")
    changed = replace(annotation("ribosome", "Point"), key="1/TS_1/101.json", document={"says": "newer"})
    catalog.sync_entities(LAYOUT, [changed])
    with pytest.raises(ConflictError, match="changed since others became part of it"):
        catalog.undo_plan("merge", actor="ada")
