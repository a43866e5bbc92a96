from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from coverslip.catalog import Catalog
from coverslip.errors import ConflictError, NotFoundError
from coverslip.model.annotations import AnnotationContent, Frames
from coverslip.model.entities import EntityFile, EntityKinds, EntitySeen, StepRecord
from coverslip.model.records import Built, Claim
from tests.catalog.making import VERSIONS, Clock, item

LAYOUT = "/data/layout"
KINDS = EntityKinds(
    of_tomograms=("state",),
    of_shapes={"Point": ("points",), "OrientedPoint": ("arrows",)},
    follow_entities=("state",),
    follow_annotations=("state",),
)
ALL = {"thumbnail": 1, "state": 1, "points": 1, "arrows": 1}
RUN = "datasets/1/runs/TS_1"
FINE, COARSE = f"{RUN}/spacings/5.000", f"{RUN}/spacings/10.000"
OURS, OTHER = "1/TS_1/Alignments/100/alignment_metadata.json", "1/TS_1/Alignments/101/alignment_metadata.json"


@pytest.fixture
def open_catalog(url: str, clock: Clock) -> Iterator[Callable[[EntityKinds], Catalog]]:
    """Return what opens the catalog with kinds of entities."""
    opened: list[Catalog] = []

    def opening(kinds: EntityKinds) -> Catalog:
        opened.append(Catalog.open(url, versions=VERSIONS, entity_kinds=kinds, clock=clock))
        return opened[-1]

    yield opening
    for one in opened:
        one.close()


@pytest.fixture
def catalog(open_catalog: Callable[[EntityKinds], Catalog]) -> Catalog:
    return open_catalog(KINDS)


def entity(type: str, identity: str, parent: str | None, **more: object) -> EntitySeen:  # noqa: A002
    given: dict[str, object] = {"name": identity.rsplit("/", 1)[-1], "document": {"says": identity}, **more}
    return EntitySeen(type, identity, parent, **given)  # type: ignore[arg-type]


def tomogram(number: int = 100, spacing: str = FINE, alignment: str = OURS) -> EntitySeen:
    key = f"{spacing}/{number}/TS_1.zarr"
    return entity("tomogram", f"{spacing}/tomograms/{number}", spacing, alignment=alignment, image_key=key)


def annotation(name: str, *shapes: str, spacing: str = FINE, alignment: str = OURS, version: str = "1") -> EntitySeen:
    files = tuple(EntityFile(f"{name}_{shape.lower()}.ndjson", "ndjson", shape, version) for shape in shapes)
    return entity("annotation", f"{spacing}/annotations/7/{name}", spacing, alignment=alignment, files=files)


FRAME = (
    entity("deposition", "depositions/7", None),
    entity("dataset", "datasets/1", "depositions/7"),
    entity("run", RUN, "datasets/1"),
    entity("voxel_spacing", FINE, RUN),
    entity("voxel_spacing", COARSE, RUN),
)


def fill(catalog: Catalog, *seen: EntitySeen) -> str:
    """Write the frame with one tomogram and more; return the tomogram's image."""
    files = [item(f"{LAYOUT}/{tomogram().image_key}")]
    catalog.sync_entities(LAYOUT, [*FRAME, tomogram(), *seen], files=files, read_by="test")
    return image_of(catalog)


def image_of(catalog: Catalog, seen: EntitySeen | None = None) -> str:
    (found,) = catalog.entities(identities=[(seen or tomogram()).identity])
    assert found.image_id is not None
    return found.image_id


def build_all(catalog: Catalog) -> list[tuple[str, int | None]]:
    """Build everything that is stale; return what that was."""
    claims = sorted(catalog.claim(ALL, lease_seconds=30, limit=100), key=lambda one: one.kind == "state")
    for claim in claims:
        again = catalog.look_again(claim)
        assert again is not None
        catalog.finish([(again, built(claim))])
    return sorted((claim.kind, claim.entity_id) for claim in claims)


def built(claim: Claim, content: str = "") -> Built:
    name = f"{claim.kind}-{claim.seen}-{content}"
    return Built(key=name, etag=name, media_type="text/plain", size=1, version=1)


def number_of(catalog: Catalog, identity: str) -> int:
    (found,) = catalog.entities(identities=[identity])
    return found.id


def test_an_entity_keeps_its_number_and_counts_its_changes(catalog: Catalog) -> None:
    one = annotation("a", "Point")
    fill(catalog, one)
    (before,) = catalog.entities(identities=[one.identity])
    changed = replace(one, document={"says": "more"})
    assert catalog.sync_entities(LAYOUT, [changed]).changed == (one.identity,)
    (after,) = catalog.entities(identities=[one.identity])
    assert (after.id, after.revision, after.document) == (before.id, 2, {"says": "more"})
    assert (after.parent, after.files) == (FINE, one.files)


def test_what_is_seen_again_writes_nothing_and_makes_nothing_stale(catalog: Catalog) -> None:
    one = annotation("a", "Point")
    fill(catalog, one)
    build_all(catalog)
    changes = catalog.sync_entities(LAYOUT, [*FRAME, tomogram(), one])
    assert (changes.added, changes.changed, len(changes.unchanged)) == ((), (), 7)
    assert build_all(catalog) == []


def test_a_parent_that_nobody_knows_is_an_error_and_nothing_is_written(catalog: Catalog) -> None:
    with pytest.raises(NotFoundError, match=r"its parent datasets/1 is not in the catalog"):
        catalog.sync_entities(LAYOUT, [FRAME[0], FRAME[2]])
    assert catalog.count_entities() == {}


def test_the_same_annotation_at_two_spacings_is_two(catalog: Catalog) -> None:
    fill(catalog, annotation("a", "Point"), annotation("a", "Point", spacing=COARSE))
    assert catalog.count_entities()["annotation"] == 2


def test_a_new_annotation_builds_its_own_precompute_and_the_state_once(catalog: Catalog) -> None:
    old = [annotation(f"old{n}", "Point") for n in range(5)]
    image_id = fill(catalog, *old)
    build_all(catalog)
    new = annotation("new", "Point", "OrientedPoint")
    catalog.sync_entities(LAYOUT, [new], cause="ingested with deposition 8")
    number = number_of(catalog, new.identity)
    state = catalog.artifact("state", image_id)
    assert (state.wanted - state.built, state.cause) == (1, f"ingested with deposition 8: annotation {number} added")
    assert build_all(catalog) == [("arrows", number), ("points", number), ("state", None)]
    assert build_all(catalog) == []


def test_several_changes_are_counted_and_built_once(catalog: Catalog) -> None:
    image_id = fill(catalog)
    build_all(catalog)
    catalog.sync_entities(LAYOUT, [annotation(f"a{n}", "Point") for n in range(4)])
    state = catalog.artifact("state", image_id)
    assert state.wanted - state.built == 4
    assert state.cause.endswith("added and 3 more")
    assert [kind for kind, _ in build_all(catalog)].count("state") == 1
    assert build_all(catalog) == []


def test_only_tomograms_of_its_alignment_show_an_annotation_whatever_their_spacing(catalog: Catalog) -> None:
    fine = fill(catalog)
    coarse, other = tomogram(101, COARSE), tomogram(102, FINE, OTHER)
    files = [item(f"{LAYOUT}/{one.image_key}") for one in (coarse, other)]
    catalog.sync_entities(LAYOUT, [coarse, other], files=files, read_by="test")
    build_all(catalog)
    catalog.sync_entities(LAYOUT, [annotation("a", "Point")])
    stale = {one.image_id for one in catalog.artifacts(ALL, state="stale", kind="state").artifacts}
    assert stale == {fine, image_of(catalog, coarse)}
    around = catalog.surroundings(image_of(catalog, coarse))
    assert around is not None
    assert [one.name for one in around.annotations] == ["a"]
    assert list(around.spacings.values()) == ["5.000"]
    assert {kind: one.name for kind, one in around.parents.items()} == {
        "voxel_spacing": "10.000",
        "run": "TS_1",
        "dataset": "1",
        "deposition": "7",
    }


def test_an_annotation_that_no_tomogram_shows_has_nothing_to_build_until_one_comes(catalog: Catalog) -> None:
    fill(catalog, annotation("a", "Point", alignment=OTHER))
    assert ("points", number_of(catalog, annotation("a").identity)) not in build_all(catalog)
    late = tomogram(101, FINE, OTHER)
    catalog.sync_entities(LAYOUT, [late], files=[item(f"{LAYOUT}/{late.image_key}")], read_by="test")
    assert ("points", number_of(catalog, annotation("a").identity)) in build_all(catalog)


def test_a_file_with_other_content_builds_its_shape_anew_and_no_other(catalog: Catalog) -> None:
    one = annotation("a", "Point", "OrientedPoint")
    fill(catalog, one)
    build_all(catalog)
    points, arrows = one.files
    catalog.sync_entities(LAYOUT, [replace(one, files=(replace(points, version="2"), arrows))])
    assert build_all(catalog) == [("points", number_of(catalog, one.identity)), ("state", None)]


def test_a_shape_that_is_gone_is_nothing_to_build_any_more(catalog: Catalog) -> None:
    one = annotation("a", "Point", "OrientedPoint")
    fill(catalog, one)
    build_all(catalog)
    catalog.sync_entities(LAYOUT, [replace(one, files=one.files[:1])])
    number = number_of(catalog, one.identity)
    assert [record.kind for record in catalog.artifacts_of_entities([number])] == ["points"]
    catalog.rebuild()
    assert ("arrows", number) not in build_all(catalog)


@pytest.mark.parametrize(
    ("more", "builds"),
    [
        ({"annotation_software": "another"}, False),
        ({"authors": [{"name": "Ada"}]}, False),
        ({"annotation_object": {"name": "ribosome"}}, True),
    ],
)
def test_only_words_that_a_precompute_shows_build_it_anew(
    catalog: Catalog, more: dict[str, object], builds: bool
) -> None:
    one = annotation("a", "Point")
    fill(catalog, one)
    build_all(catalog)
    catalog.sync_entities(LAYOUT, [replace(one, document={**one.document, **more})])
    assert (("points", number_of(catalog, one.identity)) in build_all(catalog)) == builds


def test_a_new_time_stamp_alone_builds_no_precompute(catalog: Catalog) -> None:
    one = annotation("a", "Point")
    fill(catalog, one)
    build_all(catalog)
    catalog.sync_entities(LAYOUT, [replace(one, document={**one.document, "last_updated_at": 5})])
    assert ("points", number_of(catalog, one.identity)) not in build_all(catalog)


def test_other_pixels_of_a_tomogram_leave_precomputes_alone(catalog: Catalog) -> None:
    fill(catalog, annotation("a", "Point"))
    build_all(catalog)
    catalog.sync_files([item(f"{LAYOUT}/{tomogram().image_key}", mtime_ns=2)], "test")
    assert build_all(catalog) == [("state", None), ("thumbnail", None)]


def test_a_precompute_that_comes_out_other_makes_what_shows_it_stale(catalog: Catalog) -> None:
    image_id = fill(catalog, annotation("a", "Point"))
    build_all(catalog)
    number = number_of(catalog, annotation("a").identity)
    catalog.mark("points", [image_id], entity_id=number)
    (claim,) = catalog.claim(ALL, lease_seconds=30, limit=10)
    catalog.finish([(claim, built(claim, "other"))])
    assert build_all(catalog) == [("state", None)]


def test_a_precompute_that_comes_out_the_same_changes_nothing(catalog: Catalog) -> None:
    image_id = fill(catalog, annotation("a", "Point"))
    build_all(catalog)
    catalog.mark("points", [image_id], entity_id=number_of(catalog, annotation("a").identity))
    (claim,) = catalog.claim(ALL, lease_seconds=30, limit=10)
    same = Built(key="points-1-", etag="points-1-", media_type="text/plain", size=1, version=1)
    catalog.finish([(claim, same)])
    assert build_all(catalog) == []


def test_precomputes_follow_to_another_image_when_theirs_is_deleted(catalog: Catalog) -> None:
    first = fill(catalog, annotation("a", "Point"))
    coarse = tomogram(101, COARSE)
    catalog.sync_entities(LAYOUT, [coarse], files=[item(f"{LAYOUT}/{coarse.image_key}")], read_by="test")
    catalog.delete_image(first)
    catalog.sync_entities(LAYOUT, [annotation("a", "Point")])
    number = number_of(catalog, annotation("a").identity)
    assert catalog.artifact("points", first, None, number).image_id == image_of(catalog, coarse)


@pytest.mark.parametrize(
    "kinds",
    [
        replace(KINDS, are_annotations_followed=False),
        replace(KINDS, unfollowed_datasets=frozenset({"1"})),
    ],
)
def test_annotations_may_be_told_to_leave_states_alone(
    open_catalog: Callable[[EntityKinds], Catalog], kinds: EntityKinds
) -> None:
    catalog = open_catalog(kinds)
    image_id = fill(catalog)
    build_all(catalog)
    catalog.sync_entities(LAYOUT, [annotation("a", "OrientedPoint")])
    catalog.create_annotation(image_id, AnnotationContent(frames=Frames(first=0, last=0)), tiled=False, author="ada")
    assert catalog.artifact("state", image_id).cause == "never built before"
    assert [kind for kind, _ in build_all(catalog)] == ["arrows"]
    assert build_all(catalog) == []


def test_what_people_say_of_an_image_makes_its_state_stale(catalog: Catalog) -> None:
    image_id = fill(catalog)
    build_all(catalog)
    catalog.create_annotation(image_id, AnnotationContent(frames=Frames(first=0, last=0)), tiled=False, author="ada")
    assert build_all(catalog) == [("state", None)]
    assert catalog.artifact("state", image_id).cause == "create of an annotation by ada"


def test_images_of_runs_are_found_by_name_identity_and_number(catalog: Catalog) -> None:
    image_id = fill(catalog)
    for run in ("TS_1", RUN, str(number_of(catalog, RUN))):
        assert catalog.images_of_run(run) == [image_id]
    with pytest.raises(NotFoundError, match="there is no run 'TS_2'"):
        catalog.images_of_run("TS_2")


def test_images_of_datasets_are_found_by_name_identity_number_and_folder(catalog: Catalog) -> None:
    image_id = fill(catalog)
    other = entity("dataset", "datasets/10", None)
    catalog.sync_entities(LAYOUT, [other])
    for dataset in ("1", "datasets/1", str(number_of(catalog, "datasets/1")), LAYOUT, f"{LAYOUT}/datasets/"):
        assert [one.id for one in catalog.images_of_dataset(dataset)] == [image_id]
    with pytest.raises(NotFoundError, match="no image is in the dataset 'datasets/10'"):
        catalog.images_of_dataset("datasets/10")
    for dataset in ("datasets/2", f"{LAYOUT}2", "/data/lay", "TS_1", "%"):
        with pytest.raises(NotFoundError, match="there is no dataset"):
            catalog.images_of_dataset(dataset)
    catalog.delete_image(image_id)
    with pytest.raises(NotFoundError):
        catalog.images_of_dataset("1")


def test_entities_below_one_are_found_without_those_of_a_longer_name(catalog: Catalog) -> None:
    fill(catalog)
    longer = entity("run", f"{RUN}0", "datasets/1")
    catalog.sync_entities(LAYOUT, [longer])
    assert longer.identity not in {one.identity for one in catalog.entities(under=RUN)}
    assert len(catalog.entities(under=RUN)) == 4
    assert [one.identity for one in catalog.entities(LAYOUT, type="run")] == [RUN, longer.identity]


def test_steps_are_noted_found_by_what_they_are_below_and_forgotten(catalog: Catalog) -> None:
    one = StepRecord(f"{RUN}/frames#mdoc", "d1", {"sections": 3}, {"1/TS_1/Frames/TS_1.mdoc": "v1"})
    other = StepRecord("datasets/2/runs/A#document", "d2", {}, {})
    catalog.note_steps(LAYOUT, [one, other])
    catalog.note_steps(LAYOUT, [replace(one, digest="d3")])
    assert catalog.steps(LAYOUT, RUN) == {one.name: replace(one, digest="d3")}
    assert len(catalog.steps(LAYOUT)) == 2
    assert catalog.steps("/elsewhere") == {}
    catalog.forget_steps(LAYOUT, [one.name])
    assert list(catalog.steps(LAYOUT)) == [other.name]


def test_one_at_a_time_has_a_lease_until_it_ends_or_runs_out(catalog: Catalog, clock: Clock) -> None:
    token = catalog.take_lease("ingest TS_1", 30)
    assert token is not None
    assert catalog.take_lease("ingest TS_1", 30) is None
    assert catalog.keep_lease("ingest TS_1", token, 30)
    clock.advance(31)
    second = catalog.take_lease("ingest TS_1", 30)
    assert second is not None
    assert not catalog.keep_lease("ingest TS_1", token, 30)
    catalog.end_lease("ingest TS_1", token)  # no longer its own
    assert catalog.take_lease("ingest TS_1", 30) is None
    catalog.end_lease("ingest TS_1", second)
    assert catalog.take_lease("ingest TS_1", 30) is not None


def test_views_are_kept_changed_and_removed(catalog: Catalog) -> None:
    image_id = fill(catalog)
    link = catalog.keep_view(image_id, state={})
    frozen = catalog.keep_view(image_id, name="figure 2", is_frozen=True, state={"position": [1]}, author="ada")
    assert [one.id for one in catalog.views(image_id)] == [link.id, frozen.id] or link.created_at == frozen.created_at
    assert catalog.change_view(link.id, name="all", state={"position": [2]}).name == "all"
    with pytest.raises(ConflictError, match="is frozen"):
        catalog.change_view(frozen.id, state={})
    assert catalog.view(frozen.id).state == {"position": [1]}
    catalog.remove_view(link.id)
    with pytest.raises(NotFoundError, match="there is no view"):
        catalog.view(link.id)
    catalog.delete_image(image_id)
    with pytest.raises(NotFoundError):
        catalog.view(frozen.id)
