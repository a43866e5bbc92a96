"""Images that a cleanup removes: tombstones, what follows, and every way back."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

import pytest
from sqlalchemy import text

from coverslip.catalog import Catalog
from coverslip.catalog.planning import plan_removals
from coverslip.errors import ConflictError, InvalidRequestError, NotFoundError
from coverslip.model.removal import IMAGE, CleanupPlan, Named, Scope
from tests.catalog.making import READ_BY, VERSIONS, Clock, add, images, item
from tests.catalog.test_entities import (
    COARSE,
    KINDS,
    LAYOUT,
    annotation,
    build_all,
    fill,
    image_of,
    number_of,
    tomogram,
)
from tests.catalog.test_removals import Answered

EVERYTHING = Scope(IMAGE, everything=True)


@pytest.fixture
def catalog(url: str, clock: Clock) -> Iterator[Catalog]:
    with Catalog.open(url, versions=VERSIONS, entity_kinds=KINDS, clock=clock) as opened:
        yield opened


def planned(catalog: Catalog, *paths: str, name: str = "plan") -> CleanupPlan:
    """Keep a plan that removes the images of some files."""
    found = [one for one in catalog.image_candidates(EVERYTHING) if f"{one.layout}/{one.key}" in paths]
    keys = {key for one in found for key in one.keys}
    removals = plan_removals(found, Answered(set(), keys)).removals
    plan = CleanupPlan(name, EVERYTHING, catalog.now(), "ada", removals=removals)
    catalog.keep_plan(plan)
    return plan


def removed(catalog: Catalog, path: str, name: str = "plan") -> str:
    """Remove the image of a file by a plan; return its identifier."""
    (image,) = images(catalog, path)
    planned(catalog, path, name=name)
    assert catalog.apply_plan(name, actor="ada").removed_images == (image.id,)
    return image.id


def shown(catalog: Catalog) -> list[str]:
    return sorted(one.path for one in catalog.list_images().images)


def news(catalog: Catalog, image_id: str) -> list[str]:
    return [one.type for one in catalog.events_after(0) if one.image_id == image_id]


def test_images_are_looked_at_in_the_folder_their_file_lies_in(catalog: Catalog) -> None:
    add(catalog, item("/data/a/x.tif", "one", "two"), item("/data/b.zarr"), item("s3://bucket/c.tif"))
    add(catalog, item("/ours/uploads/1/u.tif", origin="uploaded"))
    found = [(one.layout, one.key, one.identity) for one in catalog.image_candidates(EVERYTHING)]
    assert found == [
        ("/data/a", "x.tif", "/data/a/x.tif#0"),
        ("/data/a", "x.tif", "/data/a/x.tif#1"),
        ("/data", "b.zarr", "/data/b.zarr#0"),
        ("s3://bucket", "c.tif", "s3://bucket/c.tif#0"),
    ]
    below = catalog.image_candidates(Scope(IMAGE, layout="/data"))
    assert [(one.layout, one.key) for one in below] == [("/data", "a/x.tif"), ("/data", "a/x.tif"), ("/data", "b.zarr")]
    with pytest.raises(InvalidRequestError, match="or say that everything is meant"):
        catalog.image_candidates(Scope(IMAGE))


def test_the_other_files_of_a_set_keep_its_image(catalog: Catalog) -> None:
    part = replace(item("/data/set_2.tif"), state="part", images=(), part_of="/data/set_1.tif")
    add(catalog, item("/data/set_1.tif"), part)
    (one,) = catalog.image_candidates(EVERYTHING)
    assert one.files == ("set_1.tif", "set_2.tif")
    found = plan_removals([one], Answered({"set_2.tif"}, {"set_1.tif"}))
    assert (found.removals, [kept.why for kept in found.incomplete]) == ((), ["set_1.tif: not there"])
    found = plan_removals([one], Answered(set(), {"set_1.tif", "set_2.tif"}))
    assert [removal.image_id for removal in found.removals] == [one.image_id]


def test_images_of_records_are_found_by_their_records(catalog: Catalog) -> None:
    image_id = fill(catalog)
    add(catalog, item("/elsewhere/x.tif"))
    run = number_of(catalog, "datasets/1/runs/TS_1")
    assert [one.image_id for one in catalog.image_candidates(Scope(IMAGE, run_id=run))] == [image_id]
    (spacing,) = catalog.entities(identities=[COARSE])
    assert catalog.image_candidates(Scope(IMAGE, voxel_spacing_id=spacing.id)) == []
    with pytest.raises(NotFoundError, match="there is no dataset 99999"):
        catalog.image_candidates(Scope(IMAGE, dataset_id=99999))


def test_a_removed_image_is_hidden_and_undo_brings_back_the_same_one_with_its_artifacts(catalog: Catalog) -> None:
    add(catalog, item("/data/a.tif"), item("/data/b.tif"))
    build_all(catalog)
    (before,) = images(catalog, "/data/a.tif")
    artifact = catalog.artifact("thumbnail", before.id)
    image_id = removed(catalog, "/data/a.tif")
    assert shown(catalog) == ["/data/b.tif"]
    with pytest.raises(NotFoundError):
        catalog.get_image(image_id)
    assert catalog.assets_under("/data/a.tif")["/data/a.tif"].missing_since == catalog.now()
    assert catalog.undo_plan("plan", actor="bob").restored_images == (image_id,)
    assert images(catalog, "/data/a.tif") == (before,)
    assert catalog.artifact("thumbnail", image_id) == artifact
    assert build_all(catalog) == []
    assert news(catalog, image_id)[-2:] == ["image.deleted", "image.restored"]
    lines = [(line.actor, line.action, line.reason, line.record["identity"]) for line in catalog.audit()]
    assert lines == [("ada", "remove", "absent", "/data/a.tif#0"), ("bob", "restore", "undone", "/data/a.tif#0")]
    assert catalog.verify_audit() == (2, ())
    assert catalog.plan("plan").state == "undone"


@pytest.mark.parametrize("change", ["changed", "deleted"])
def test_a_plan_of_which_an_image_changed_removes_nothing(catalog: Catalog, change: str) -> None:
    add(catalog, item("/data/a.tif"), item("/data/b.tif"))
    planned(catalog, "/data/a.tif", "/data/b.tif")
    (image,) = images(catalog, "/data/b.tif")
    if change == "changed":
        add(catalog, item("/data/b.tif", "other", mtime_ns=2))
    else:
        catalog.delete_image(image.id)
    before = shown(catalog)
    with pytest.raises(ConflictError, match=rf"image {image.id} of plan plan changed since it was made\. Nothing was"):
        catalog.apply_plan("plan", actor="ada")
    assert (shown(catalog), catalog.audit()) == (before, [])


def write_again(catalog: Catalog) -> None:
    add(catalog, item("/data/a.tif", "other", mtime_ns=2))


def find_again(catalog: Catalog) -> None:
    assert catalog.mark_found(["/data/a.tif"]) == 1


@pytest.mark.parametrize("again", [write_again, find_again])
@pytest.mark.parametrize("is_purged", [False, True])
def test_an_image_comes_back_by_itself_when_its_file_is_found(
    catalog: Catalog, again: Callable[[Catalog], None], is_purged: bool
) -> None:
    add(catalog, item("/data/a.tif"))
    build_all(catalog)
    image_id = removed(catalog, "/data/a.tif")
    if is_purged:
        catalog.purge_images([image_id])
    again(catalog)
    assert shown(catalog) == ["/data/a.tif"]
    assert images(catalog, "/data/a.tif")[0].id == image_id
    needs_building = is_purged or again is write_again
    assert build_all(catalog) == ([("thumbnail", None)] if needs_building else [])
    assert news(catalog, image_id).count("image.restored") == 1
    assert catalog.audit()[-1].reason == "seen again"
    if is_purged:
        with pytest.raises(ConflictError, match="plan plan is purged"):
            catalog.undo_plan("plan", actor="ada")
    else:
        assert catalog.undo_plan("plan", actor="ada").restored_images == ()


def test_an_image_that_a_person_deleted_does_not_come_back_with_its_file(catalog: Catalog) -> None:
    add(catalog, item("/data/a.tif"))
    (image,) = images(catalog, "/data/a.tif")
    catalog.delete_image(image.id)
    catalog.mark_missing(["/data/a.tif"])
    find_again(catalog)
    write_again(catalog)
    assert (shown(catalog), catalog.audit()) == ([], [])
    with pytest.raises(NotFoundError):
        catalog.get_image(image.id)


def test_a_removed_image_is_restored_by_hand_and_the_log_says_so(catalog: Catalog) -> None:
    add(catalog, item("/data/a.tif"))
    image_id = removed(catalog, "/data/a.tif")
    catalog.restore_image(image_id)
    assert shown(catalog) == ["/data/a.tif"]
    assert [(line.action, line.reason, line.plan_id) for line in catalog.audit()][1:] == [
        ("restore", "restored by hand", "plan")
    ]
    assert catalog.undo_plan("plan", actor="ada").restored_images == ()


def test_a_purge_of_a_removed_image_is_logged_and_final(catalog: Catalog, clock: Clock) -> None:
    add(catalog, item("/data/a.tif"))
    build_all(catalog)
    image_id = removed(catalog, "/data/a.tif")
    clock.advance(3600)
    assert [one.id for one in catalog.purgeable(clock.now)] == [image_id]
    catalog.purge_images([image_id], actor="bob")
    (_, line) = catalog.audit()
    assert (line.actor, line.action, line.plan_id, line.record["id"]) == ("bob", "purge", "plan", image_id)
    assert catalog.plan("plan").state == "purged"
    with pytest.raises(ConflictError, match="plan plan is purged"):
        catalog.undo_plan("plan", actor="ada")
    assert (shown(catalog), build_all(catalog), len(catalog.audit())) == ([], [], 2)


def test_of_a_plan_that_was_purged_in_part_the_rest_comes_back_and_the_others_are_told(catalog: Catalog) -> None:
    add(catalog, item("/data/a.tif"), item("/data/b.tif"), item("/data/c.tif"))
    planned(catalog, "/data/a.tif", "/data/b.tif")
    first, second = catalog.apply_plan("plan", actor="ada").removed_images
    catalog.purge_images([first], actor="bob")
    assert catalog.plan("plan").state == "applied"
    done = catalog.undo_plan("plan", actor="ada")
    assert (done.restored_images, done.purged_images, done.purged) == ((second,), (first,), ())
    assert sorted(shown(catalog)) == ["/data/b.tif", "/data/c.tif"]
    assert catalog.plan("plan").state == "undone"
    with pytest.raises(ConflictError, match="plan plan is undone"):
        catalog.undo_plan("plan", actor="ada")
    assert catalog.verify_audit()[1] == ()


def test_a_plan_of_an_earlier_version_whose_images_are_purged_is_not_undone(catalog: Catalog) -> None:
    """Its state says applied still."""
    add(catalog, item("/data/a.tif"))
    catalog.purge_images([removed(catalog, "/data/a.tif")])
    with catalog._database.writing() as connection:
        connection.execute(text("UPDATE cleanup_plan SET state = 'applied'"))
    with pytest.raises(ConflictError, match="plan plan is purged"):
        catalog.undo_plan("plan", actor="ada")
    assert shown(catalog) == []


@pytest.mark.parametrize("end", ["removed", "purged"])
def test_what_is_made_of_annotations_goes_along_with_another_image_that_shows_them(catalog: Catalog, end: str) -> None:
    """An artifact of an annotation goes along with one image; where that goes, nothing of the annotation is lost."""
    one = annotation("a", "Point")
    image_id = fill(catalog, one)
    coarse = tomogram(101, COARSE)
    catalog.sync_entities(LAYOUT, [coarse], files=[item(f"{LAYOUT}/{coarse.image_key}")], read_by=READ_BY)
    build_all(catalog)
    number = number_of(catalog, one.identity)
    assert catalog.artifact("points", image_id, entity_id=number).image_id == image_id
    if end == "removed":
        removed(catalog, f"{LAYOUT}/{tomogram().image_key}")
    else:
        catalog.delete_image(image_id)
        catalog.purge_images([image_id])
    (artifact,) = catalog.artifacts_of_entities([number])
    assert (artifact.image_id, artifact.built) == (image_of(catalog, coarse), 1)
    assert build_all(catalog) == []


def test_images_that_an_actor_may_not_remove_stay_and_are_not_told(catalog: Catalog) -> None:
    add(catalog, item("/data/mine.tif"), item("/data/theirs.tif"))
    planned(catalog, "/data/mine.tif", "/data/theirs.tif")
    mine, theirs = (images(catalog, f"/data/{name}.tif")[0].id for name in ("mine", "theirs"))

    def permitted(actor: str, row: Named) -> bool:
        return actor == "ada" and "mine" in row.identity

    assert [one.image_id for one in catalog.plan("plan", actor="ada", permitted=permitted).removals] == [mine]
    assert catalog.apply_plan("plan", actor="ada", permitted=permitted).removed_images == (mine,)
    assert shown(catalog) == ["/data/theirs.tif"]
    assert catalog.get_image(theirs).deleted_at is None


def test_what_depends_on_an_image_is_named(catalog: Catalog) -> None:
    add(catalog, item("/data/a.tif", "cells"))
    (image,) = images(catalog, "/data/a.tif")
    view = catalog.keep_view(image.id, name="the good one", state={})
    document = {"sources": [{"fov": "a", "path": "/data/a.tif", "image": 0, "fingerprint": {}}]}
    export = catalog.add_export("fov", "/out", document, [])
    catalog.add_export("fov", "/other", {"sources": [{"path": "/data/b.tif"}]}, [])
    (removal,) = catalog.with_dependents(planned(catalog, "/data/a.tif").removals)
    assert [str(one) for one in removal.depending] == [f"view {view.id} (the good one)", f"export {export.id} (/out)"]
    assert removal.more_depending == 0


def test_removing_and_finding_at_the_same_time_wait_for_each_other(url: str, catalog: Catalog, clock: Clock) -> None:
    """Neither deadlocks nor loses an image, whoever is first."""
    paths = [f"/data/{number}.tif" for number in range(8)]
    add(catalog, *map(item, paths))
    before = {one.id for one in catalog.list_images().images}

    def remove(turn: int) -> None:
        with Catalog.open(url, versions=VERSIONS, entity_kinds=KINDS, clock=clock) as own:
            for number in range(6):
                name = f"{turn}-{number}"
                planned(own, *paths, name=name)
                with suppress(ConflictError):
                    own.apply_plan(name, actor="ada")
                    own.undo_plan(name, actor="ada")

    def find(turn: int) -> None:
        with Catalog.open(url, versions=VERSIONS, entity_kinds=KINDS, clock=clock) as own:
            for number in range(12):
                again = reversed(paths) if number % 2 else paths
                if turn:
                    own.mark_found(again)
                else:
                    add(own, *(item(path, f"name {number}", mtime_ns=number) for path in again))

    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(work, turn) for work in (remove, find) for turn in range(2)]:
            future.result()
    catalog.mark_found(paths)
    assert {one.id for one in catalog.list_images().images} == before
    assert catalog.verify_audit()[1] == ()
