"""What waits to be built, in which order, and what people decide about it."""

import pytest

from coverslip.catalog import Catalog
from coverslip.errors import ConflictError, InvalidRequestError, NotFoundError
from coverslip.model.annotations import AnnotationContent, Box, Frames
from coverslip.model.records import ArtifactRecord, SyncItem
from tests.catalog.making import (
    LEASE,
    READ_BY,
    VERSIONS,
    Clock,
    add_one,
    build,
    built,
    images,
    metadata,
    must_claim,
    seen,
)

KINDS = {**VERSIONS, "combined": 1}


@pytest.fixture
def image_id(catalog: Catalog) -> str:
    meta = metadata(size_t=100)
    catalog.sync_files([SyncItem(seen("/data/film.tif"), "ok", None, (meta,))], READ_BY)
    return images(catalog, "/data/film.tif")[0].id


def annotate(catalog: Catalog, image_id: str, first: int, last: int) -> str:
    """Annotate and want the combined image; return the annotation."""
    content = AnnotationContent(frames=Frames(first=first, last=last))
    saved = catalog.create_annotation(image_id, content, tiled=False)
    catalog.want("combined", image_id, saved.annotation.id)
    return saved.annotation.id


def combined(catalog: Catalog, image_id: str, annotation_id: str) -> ArtifactRecord:
    return catalog.artifact("combined", image_id, annotation_id)


def waiting(catalog: Catalog, image_id: str) -> list[str | None]:
    """Return the annotations of what can be built now."""
    found = catalog.pending(image_id, KINDS, limit=100)
    assert len(found) == catalog.count_pending(image_id, KINDS)
    return [one.artifact.annotation_id for one in found]


def test_the_earliest_frame_comes_first_and_the_image_last(catalog: Catalog, image_id: str, clock: Clock) -> None:
    late = annotate(catalog, image_id, 50, 59)
    clock.advance(1)
    early = annotate(catalog, image_id, 0, 9)
    middle = annotate(catalog, image_id, 20, 29)
    assert waiting(catalog, image_id) == [early, middle, late, None]
    found = catalog.pending(image_id, KINDS, limit=2)
    assert [one.annotation and one.annotation.frames.first for one in found] == [0, 20]


def test_only_what_can_be_built_now_is_pending(catalog: Catalog, image_id: str, clock: Clock) -> None:
    first, second, third = (annotate(catalog, image_id, start, start) for start in (1, 2, 3))
    ids = [combined(catalog, image_id, one).id for one in (first, second, third)]
    (claimed,) = catalog.claim(KINDS, lease_seconds=LEASE, artifact_ids=ids[:1])
    (failing,) = catalog.claim(KINDS, lease_seconds=LEASE, artifact_ids=ids[1:2])
    catalog.fail(failing, "damaged", 5)
    catalog.ignore(ids[2], KINDS)
    assert waiting(catalog, image_id) == [None]
    build(catalog, image_id)
    assert waiting(catalog, image_id) == []
    clock.advance(6)
    assert waiting(catalog, image_id) == [second], "its time to try again has come"
    catalog.release(claimed)
    assert waiting(catalog, image_id) == [first, second]


def test_deleted_and_missing_is_not_pending(catalog: Catalog, image_id: str) -> None:
    gone = annotate(catalog, image_id, 0, 9)
    catalog.delete_annotation(gone, revision=1, tiled=False)
    assert waiting(catalog, image_id) == [None]
    catalog.delete_image(image_id)
    for ask in (lambda: catalog.pending(image_id, KINDS, limit=1), lambda: catalog.count_pending(image_id, KINDS)):
        with pytest.raises(NotFoundError):
            ask()


def test_retry_forgets_the_back_off(catalog: Catalog, image_id: str) -> None:
    claim = must_claim(catalog)
    catalog.fail(claim, "damaged", 3600)
    assert waiting(catalog, image_id) == []
    catalog.retry(claim.artifact_id)
    assert waiting(catalog, image_id) == [None]
    record = catalog.artifact_by_id(claim.artifact_id)
    assert (record.error, record.attempts, record.next_try_at) == ("damaged", 0, None)


def test_what_is_ignored_waits_for_a_change_or_for_somebody_who_asks(catalog: Catalog, image_id: str) -> None:
    record = catalog.artifact("thumbnail", image_id)
    catalog.ignore(record.id, KINDS)
    assert catalog.artifact_by_id(record.id).state(1, catalog.now()) == "ignored"
    assert catalog.claim(KINDS, lease_seconds=LEASE) == []
    (asked,) = catalog.claim(KINDS, lease_seconds=LEASE, ignore_backoff=True)
    catalog.release(asked)
    catalog.mark("thumbnail", [image_id])
    assert catalog.artifact_by_id(record.id).ignored_at is None
    build(catalog, image_id)
    with pytest.raises(ConflictError, match="is fresh"):
        catalog.ignore(record.id, KINDS)


def test_rebuild_marks_what_is_chosen(catalog: Catalog, image_id: str) -> None:
    other = add_one(catalog, "/data/other.tif")
    one = annotate(catalog, image_id, 0, 9)
    for number, claim in enumerate(catalog.claim(KINDS, lease_seconds=LEASE, limit=10)):
        assert catalog.finish([(claim, built(f"thumbnail/{number}.png"))])
    record = combined(catalog, image_id, one)
    assert catalog.rebuild(artifact_id=record.id, cause="a test") == 1
    marked = combined(catalog, image_id, one)
    assert (marked.wanted, marked.cause) == (record.wanted + 1, "a test")
    assert catalog.rebuild(kind="thumbnail", image_id=other) == 1
    assert waiting(catalog, image_id) == [one]
    assert waiting(catalog, other) == [None]
    assert catalog.rebuild() == 3


def test_lists_by_state_page_by_page(catalog: Catalog, image_id: str, clock: Clock) -> None:
    for number in range(5):
        clock.advance(1)
        add_one(catalog, f"/data/{number}.tif")
    build(catalog, image_id)
    assert [one.image_id for one in catalog.artifacts(KINDS, state="fresh").artifacts] == [image_id]
    found: list[str] = []
    cursor = None
    while True:
        page = catalog.artifacts(KINDS, state="stale", limit=2, cursor=cursor)
        assert page.total == 5
        found += [one.image_id for one in page.artifacts]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert found == [images(catalog, f"/data/{number}.tif")[0].id for number in range(5)]
    assert catalog.artifacts(KINDS, kind="combined").total == 0
    assert catalog.artifacts(KINDS, image_id=image_id).total == 1
    with pytest.raises(InvalidRequestError, match="cursor"):
        catalog.artifacts(KINDS, cursor="yesterday")


def test_the_states_of_lists_are_those_of_records(catalog: Catalog) -> None:
    ids = [add_one(catalog, f"/data/{number}.tif") for number in range(5)]
    build(catalog, ids[0])
    claims = {one.image_id: one for one in catalog.claim(KINDS, lease_seconds=LEASE, limit=10)}
    catalog.fail(claims[ids[1]], "damaged", 60)
    catalog.fail(claims[ids[2]], "damaged", 60)
    catalog.ignore(claims[ids[2]].artifact_id, KINDS)
    catalog.release(claims[ids[3]])
    states = {one.image_id: one.state(1, catalog.now()) for one in catalog.artifacts(KINDS).artifacts}
    assert states == dict(zip(ids, ("fresh", "failed", "ignored", "stale", "building"), strict=True))
    for state in ("fresh", "failed", "ignored", "building"):
        listed = catalog.artifacts(KINDS, state=state).artifacts
        assert [one.image_id for one in listed] == [one for one, known in states.items() if known == state]
    assert catalog.artifacts(KINDS, state="stale").total == 4


def test_images_of_which_much_is_stale_are_named(catalog: Catalog, image_id: str) -> None:
    add_one(catalog, "/data/other.tif")
    for start in range(4):
        annotate(catalog, image_id, start, start)
    assert [(one.image_id, one.count) for one in catalog.most_pending(KINDS, over=4)] == [(image_id, 5)]
    assert catalog.most_pending(KINDS, over=5) == ()
    catalog.ignore(catalog.artifact("thumbnail", image_id).id, KINDS)
    assert catalog.most_pending(KINDS, over=4) == ()


def test_annotations_get_kinds_that_came_later(catalog: Catalog, url: str, image_id: str) -> None:
    content = AnnotationContent(frames=Frames(first=0, last=3), box=Box(x=0, y=0, width=2, height=2))
    one = catalog.create_annotation(image_id, content, tiled=True).annotation.id
    with pytest.raises(NotFoundError):
        combined(catalog, image_id, one)
    with Catalog.open(url, versions=VERSIONS, annotation_versions={"combined": 1}) as later:
        assert combined(later, image_id, one).wanted == 1
        two = later.create_annotation(image_id, content, tiled=False).annotation.id
        assert combined(later, image_id, two).cause == "annotated by somebody"


@pytest.mark.parametrize("ask", ["artifact_by_id", "retry"])
def test_what_is_not_there_is_said(catalog: Catalog, ask: str) -> None:
    with pytest.raises(NotFoundError, match="no artifact 'nobody'"):
        getattr(catalog, ask)("nobody")
