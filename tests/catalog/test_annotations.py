"""Annotations are saved whole or not at all, once, and never over somebody else's work."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import pytest

from coverslip.catalog import Catalog
from coverslip.errors import ConflictError, InvalidRequestError, NotFoundError, RevisionConflictError
from coverslip.model.annotations import Annotation, AnnotationContent, Saved
from coverslip.model.records import SyncItem
from tests.catalog.making import READ_BY, Clock, images, metadata, seen

FRAMES = 100


@pytest.fixture
def image_id(catalog: Catalog) -> str:
    meta = metadata(size_t=FRAMES, size_z=7)
    catalog.sync_files([SyncItem(seen("/data/film.tif"), "ok", None, (meta,))], READ_BY)
    return images(catalog, "/data/film.tif")[0].id


def content(first: int, last: int, **more: Any) -> AnnotationContent:
    axis = more.pop("axis", "t")
    return AnnotationContent.model_validate({"frames": {"axis": axis, "first": first, "last": last}, **more})


def create(catalog: Catalog, image_id: str, first: int, last: int, *, tiled: bool = True, **more: Any) -> Annotation:
    return catalog.create_annotation(image_id, content(first, last, **more), tiled=tiled).annotation


def move(catalog: Catalog, annotation: Annotation, first: int, last: int, **more: Any) -> Saved:
    changes = {"frames": {"axis": annotation.frames.axis, "first": first, "last": last}}
    return catalog.save_annotation(annotation.id, changes, revision=annotation.revision, **{"tiled": True, **more})


def spans(catalog: Catalog, image_id: str, track: str | None = None) -> list[tuple[int, int]]:
    found = catalog.annotations_of(image_id, track=track)
    return [(one.frames.first, one.frames.last) for one in found]


def test_what_was_created_is_there(catalog: Catalog, image_id: str, clock: Clock) -> None:
    said = content(3, 9, label="division", text="two cells", box={"x": 1, "y": 2, "width": 8, "height": 9})
    saved = catalog.create_annotation(image_id, said, author="ada", tiled=True)
    assert saved.neighbours == ()
    found = catalog.annotation(saved.annotation.id)
    assert found == saved.annotation
    assert (found.content, found.author, found.revision, found.image_id) == (said, "ada", 1, image_id)
    assert found.created_at == found.updated_at == clock()
    assert catalog.annotations_of(image_id) == (found,)


def test_neighbours_move_in_the_same_transaction(catalog: Catalog, image_id: str) -> None:
    create(catalog, image_id, 0, 9)
    middle = create(catalog, image_id, 10, 19)
    create(catalog, image_id, 20, 29)
    saved = move(catalog, middle, 8, 22)
    assert spans(catalog, image_id) == [(0, 7), (8, 22), (23, 29)]
    assert sorted((one.frames.first, one.revision) for one in saved.neighbours) == [(0, 2), (23, 2)]


def test_one_inside_another_splits_it(catalog: Catalog, image_id: str) -> None:
    whole = create(catalog, image_id, 0, 59, label="rest")
    saved = catalog.create_annotation(image_id, content(20, 29, label="event"), tiled=True)
    assert [(one.frames.first, one.label) for one in catalog.annotations_of(image_id)] == [
        (0, "rest"),
        (20, "event"),
        (30, "rest"),
    ]
    assert len(saved.neighbours) == 2
    catalog.undo_annotation(saved.annotation.id)
    assert spans(catalog, image_id) == [(0, 59)]
    assert catalog.annotation(whole.id).revision == 3


def test_a_neighbour_that_would_vanish_is_refused(catalog: Catalog, image_id: str) -> None:
    create(catalog, image_id, 0, 9)
    lost = create(catalog, image_id, 10, 19)
    last = create(catalog, image_id, 20, 29)
    with pytest.raises(ConflictError, match=f"nothing of annotation {lost.id}"):
        move(catalog, last, 5, 29)
    assert spans(catalog, image_id) == [(0, 9), (10, 19), (20, 29)]
    move(catalog, last, 5, 29, tiled=False)
    assert spans(catalog, image_id) == [(0, 9), (5, 29), (10, 19)]


def test_tracks_and_axes_do_not_know_each_other(catalog: Catalog, image_id: str) -> None:
    create(catalog, image_id, 0, 9, track="a")
    create(catalog, image_id, 5, 15, track="b")
    create(catalog, image_id, 2, 6, axis="z", track="a")
    assert spans(catalog, image_id, "a") == [(0, 9), (2, 6)]
    assert spans(catalog, image_id, "b") == [(5, 15)]


def test_another_track_closes_the_old_one(catalog: Catalog, image_id: str) -> None:
    create(catalog, image_id, 0, 9)
    middle = create(catalog, image_id, 10, 19)
    create(catalog, image_id, 20, 29)
    catalog.save_annotation(middle.id, {"track": "other"}, revision=1, tiled=True)
    assert spans(catalog, image_id, "events") == [(0, 19), (20, 29)]
    assert spans(catalog, image_id, "other") == [(10, 19)]


def test_deleting_leaves_no_gap_and_is_undone(catalog: Catalog, image_id: str) -> None:
    create(catalog, image_id, 0, 9)
    middle = create(catalog, image_id, 10, 19)
    create(catalog, image_id, 20, 29)
    deleted = catalog.delete_annotation(middle.id, revision=1, tiled=True)
    assert deleted.annotation.deleted_at is not None
    assert spans(catalog, image_id) == [(0, 19), (20, 29)]
    with pytest.raises(NotFoundError, match="is deleted"):
        move(catalog, catalog.annotation(middle.id), 11, 12)
    back = catalog.undo_annotation(middle.id)
    assert back.annotation.deleted_at is None
    assert spans(catalog, image_id) == [(0, 9), (10, 19), (20, 29)]


def test_undo_walks_back_to_before_the_beginning(catalog: Catalog, image_id: str) -> None:
    one = create(catalog, image_id, 0, 9)
    for last in (11, 13, 15):
        one = move(catalog, one, 0, last).annotation
    for last in (13, 11, 9):
        assert catalog.undo_annotation(one.id).annotation.frames.last == last
    assert catalog.undo_annotation(one.id).annotation.deleted_at is not None
    history = catalog.annotation_history(one.id)
    assert [entry.revision for entry in history] == list(range(8, 0, -1))
    assert [entry.action for entry in history] == [*["undo"] * 4, *["save"] * 3, "create"]
    assert [entry.undone for entry in history] == [*[False] * 4, *[True] * 4]


def test_a_change_that_a_neighbour_went_on_from_is_not_undone(catalog: Catalog, image_id: str) -> None:
    left = create(catalog, image_id, 0, 9)
    right = create(catalog, image_id, 10, 19)
    moved = move(catalog, left, 0, 12)  # moves the right one too
    move(catalog, moved.neighbours[0], 13, 25)
    with pytest.raises(ConflictError, match=f"annotation {right.id} of the same change was changed since"):
        catalog.undo_annotation(left.id)
    catalog.undo_annotation(right.id)
    catalog.undo_annotation(left.id)
    assert spans(catalog, image_id) == [(0, 9), (10, 19)]


def test_what_comes_back_covers_nobody(catalog: Catalog, image_id: str) -> None:
    lost = create(catalog, image_id, 3, 6)
    catalog.delete_annotation(lost.id, revision=1, tiled=True)
    new = create(catalog, image_id, 3, 6)
    with pytest.raises(ConflictError, match=rf"annotation {new.id} is now \(frames 3 to 6\): move or delete that one"):
        catalog.undo_annotation(lost.id)
    assert spans(catalog, image_id) == [(3, 6)]
    move(catalog, new, 7, 9)
    catalog.undo_annotation(lost.id)
    assert spans(catalog, image_id) == [(3, 6), (7, 9)]


def test_what_moves_back_covers_nobody(catalog: Catalog, image_id: str) -> None:
    one = create(catalog, image_id, 0, 9)
    move(catalog, one, 0, 4)
    new = create(catalog, image_id, 5, 9)
    with pytest.raises(ConflictError, match=f"where annotation {new.id} is now"):
        catalog.undo_annotation(one.id)
    catalog.undo_annotation(new.id)
    assert catalog.undo_annotation(one.id).annotation.frames.last == 9
    with pytest.raises(ConflictError, match=f"where annotation {one.id} is now"):
        catalog.undo_annotation(new.id)  # would bring it back


def test_what_lay_over_another_one_comes_back_over_it(catalog: Catalog, image_id: str, clock: Clock) -> None:
    create(catalog, image_id, 0, 9)
    clock.advance(1)
    over = create(catalog, image_id, 5, 15, tiled=False)
    clock.advance(1)
    catalog.delete_annotation(over.id, revision=1, tiled=False)
    catalog.undo_annotation(over.id)
    assert spans(catalog, image_id) == [(0, 9), (5, 15)]
    catalog.save_annotation(over.id, {"label": "both"}, revision=3, tiled=False)
    assert catalog.undo_annotation(over.id).annotation.label == ""


def test_what_comes_back_lies_inside_the_image(catalog: Catalog, image_id: str) -> None:
    one = create(catalog, image_id, 80, 99)
    catalog.delete_annotation(one.id, revision=1, tiled=True)
    shorter = metadata(size_t=90, size_z=7)
    catalog.sync_files([SyncItem(seen("/data/film.tif", size=1), "ok", None, (shorter,))], READ_BY)
    with pytest.raises(InvalidRequestError, match="90 frames along t"):
        catalog.undo_annotation(one.id)
    assert spans(catalog, image_id) == []


def test_undo_leaves_the_work_of_others_alone(catalog: Catalog, image_id: str) -> None:
    mine = catalog.create_annotation(image_id, content(0, 9), author="ada", tiled=True).annotation
    theirs = catalog.create_annotation(image_id, content(5, 9), author="bob", tiled=True).annotation
    with pytest.raises(ConflictError, match=f"was last moved by bob's create of annotation {theirs.id}: undo that one"):
        catalog.undo_annotation(mine.id, author="ada")
    assert spans(catalog, image_id) == [(0, 4), (5, 9)]
    catalog.undo_annotation(theirs.id, author="bob")
    assert spans(catalog, image_id) == [(0, 9)]
    assert catalog.undo_annotation(mine.id, author="ada").annotation.deleted_at is not None


def test_undo_of_an_old_revision_gets_the_present_one(catalog: Catalog, image_id: str) -> None:
    one = create(catalog, image_id, 0, 9)
    now = move(catalog, one, 0, 12).annotation
    with pytest.raises(RevisionConflictError, match="is at revision 2") as caught:
        catalog.undo_annotation(one.id, revision=1)
    assert caught.value.current == now
    assert catalog.undo_annotation(one.id, revision=2).annotation.frames.last == 9


def test_an_undone_creation_is_brought_back(catalog: Catalog, image_id: str) -> None:
    whole = create(catalog, image_id, 0, 29)
    new = create(catalog, image_id, 10, 19)
    end = catalog.annotations_of(image_id)[2]
    for _ in range(2):
        catalog.undo_annotation(new.id)
        assert spans(catalog, image_id) == [(0, 29)]
        with pytest.raises(NotFoundError, match="is deleted; undo brings it back"):
            move(catalog, catalog.annotation(new.id), 10, 15)
        with pytest.raises(ConflictError, match=f"somebody's undo of annotation {new.id}: undo that one"):
            catalog.undo_annotation(end.id)
        catalog.undo_annotation(new.id)
        assert spans(catalog, image_id) == [(0, 9), (10, 19), (20, 29)]
        assert [entry.undone for entry in catalog.annotation_history(new.id)][-1] is False
    catalog.undo_annotation(new.id)
    moved = move(catalog, catalog.annotation(whole.id), 0, 25).annotation
    with pytest.raises(ConflictError, match=f"annotation {whole.id} of the same change was changed since"):
        catalog.undo_annotation(new.id)
    catalog.undo_annotation(whole.id, revision=moved.revision)
    catalog.undo_annotation(new.id)
    assert spans(catalog, image_id) == [(0, 9), (10, 19), (20, 29)]


def test_what_went_back_further_is_said(catalog: Catalog, image_id: str) -> None:
    left = create(catalog, image_id, 0, 9)
    move(catalog, left, 0, 19)
    new = create(catalog, image_id, 15, 19)
    catalog.undo_annotation(new.id)
    catalog.undo_annotation(left.id)
    with pytest.raises(ConflictError, match=f"annotation {left.id} .* was taken back further"):
        catalog.undo_annotation(new.id)
    assert spans(catalog, image_id) == [(0, 9)]


def test_who_saves_an_old_revision_gets_the_present_one(catalog: Catalog, image_id: str) -> None:
    one = create(catalog, image_id, 0, 9)
    now = move(catalog, one, 0, 12).annotation
    with pytest.raises(RevisionConflictError, match="is at revision 2, the one that was edited is 1") as caught:
        move(catalog, one, 0, 20)
    assert caught.value.current == now
    with pytest.raises(RevisionConflictError):
        catalog.delete_annotation(one.id, revision=1, tiled=True)


def test_a_save_that_arrives_twice_is_done_once(catalog: Catalog, image_id: str) -> None:
    first = catalog.create_annotation(image_id, content(0, 9), save_id="c1", tiled=True)
    again = catalog.create_annotation(image_id, content(0, 9), save_id="c1", tiled=True)
    assert (again.annotation, again.change_id, again.is_replay) == (first.annotation, first.change_id, True)
    assert len(catalog.annotations_of(image_id)) == 1
    moved = move(catalog, first.annotation, 0, 12, save_id="c2")
    replay = move(catalog, first.annotation, 0, 12, save_id="c2")
    assert (replay.annotation.revision, replay.is_replay) == (moved.annotation.revision, True)
    other = create(catalog, image_id, 20, 30)
    with pytest.raises(ConflictError, match="belongs to another save"):
        move(catalog, other, 20, 31, save_id="c2")


def test_outside_the_image_is_refused_with_everything_that_is_wrong(catalog: Catalog, image_id: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        create(catalog, image_id, 90, 100, box={"x": 40, "y": 0, "width": 9, "height": 1})
    assert [error.split(":")[0] for error in caught.value.errors] == ["frames", "box"]
    assert "100 frames along t" in str(caught.value)
    with pytest.raises(InvalidRequestError, match="7 frames along z"):
        create(catalog, image_id, 0, 7, axis="z")
    one = create(catalog, image_id, 0, 9)
    with pytest.raises(InvalidRequestError, match="stages"):
        catalog.save_annotation(one.id, {"stages": {"text": "perhaps"}}, revision=1, tiled=True)
    with pytest.raises(InvalidRequestError, match="revision"):
        catalog.save_annotation(one.id, {"revision": 9}, revision=1, tiled=True)


def test_what_is_not_there_is_not_found(catalog: Catalog, image_id: str) -> None:
    one = create(catalog, image_id, 0, 9)
    catalog.delete_image(image_id)
    for call in (
        lambda: catalog.annotation(one.id),
        lambda: catalog.annotation("nonsense"),
        lambda: catalog.annotations_of(image_id),
        lambda: catalog.annotation_history(one.id),
        lambda: create(catalog, image_id, 0, 1),
        lambda: move(catalog, one, 0, 1),
        lambda: catalog.undo_annotation(one.id),
    ):
        with pytest.raises(NotFoundError):
            call()
    catalog.restore_image(image_id)
    assert catalog.annotation(one.id) == one


def test_every_save_says_so(catalog: Catalog, image_id: str) -> None:
    before = catalog.last_event()
    one = create(catalog, image_id, 0, 9)
    catalog.delete_annotation(one.id, revision=1, tiled=True)
    events = catalog.events_after(before)
    assert [(event.type, event.image_id, event.data) for event in events] == [
        ("annotation.saved", image_id, {"annotation_id": one.id, "revision": 1}),
        ("annotation.deleted", image_id, {"annotation_id": one.id, "revision": 2}),
    ]


def test_people_saving_at_once_never_leave_a_gap(catalog: Catalog, image_id: str) -> None:
    ids = [create(catalog, image_id, 10 * n, 10 * n + 9).id for n in range(8)]

    def shift(number: int) -> int:
        done = 0
        for step in range(6):
            one = catalog.annotation(ids[number])
            try:
                moved = move(catalog, one, one.frames.first, one.frames.last + (1 if step % 2 else -1))
                if step % 3 == 2:
                    catalog.undo_annotation(one.id, revision=moved.annotation.revision)
            except ConflictError:
                continue
            done += 1
        return done

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(shift, range(8))) > 0
    found = spans(catalog, image_id)
    assert len(found) == 8
    assert all(before[1] + 1 == behind[0] for before, behind in pairwise(found))
