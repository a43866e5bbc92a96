from datetime import timedelta
from uuid import uuid4

import pytest

from coverslip.catalog import Catalog
from coverslip.catalog.images import LAST_PLACE
from coverslip.errors import ConflictError, InvalidRequestError, NotFoundError
from coverslip.model.records import PurgedBytes, SyncItem, ThumbnailState
from tests.catalog.making import (
    VERSIONS,
    Clock,
    add,
    add_one,
    build,
    built,
    claim,
    event_types,
    images,
    item,
    metadata,
    must_claim,
    seen,
)

WRONG_IDS = [
    "",
    "1",
    "../../etc/passwd",
    "' OR 1=1 --",
    "a\x00b",
    "\udc80",
    "x" * 5000,
    "urn:uuid:0f8fad5b-d9cb-469f-a165-70867728950e",
]


def names(catalog: Catalog, q: str | None = None, skip: int = 0, limit: int = 100) -> list[str]:
    return [image.metadata.name for image in catalog.list_images(q=q, skip=skip, limit=limit).images]


def test_the_newest_batch_comes_first_in_its_own_order(catalog: Catalog, clock: Clock) -> None:
    add(catalog, item("/z.tif", "z"), item("/m.lif", "m0", "m1"), item("/a.tif", "a"))
    clock.advance(1)
    add(catalog, item("/y.tif", "y"), item("/b.tif", "b"))
    assert names(catalog) == ["y", "b", "z", "m0", "m1", "a"]


def test_pages_are_complete_and_do_not_overlap(catalog: Catalog, clock: Clock) -> None:
    for batch in range(3):
        clock.advance(1)
        add(catalog, *(item(f"/{batch}-{number}.tif", f"{batch}-{number}") for number in range(5)))
    everything = names(catalog)
    assert len(everything) == 15
    pages = [names(catalog, skip=skip, limit=4) for skip in range(0, 16, 4)]
    assert [name for page in pages for name in page] == everything
    page = catalog.list_images(skip=14, limit=4)
    assert (len(page.images), page.total, page.skip, page.limit) == (1, 15, 14, 4)
    assert catalog.list_images(skip=99).images == ()
    assert (catalog.list_images(limit=0).images, catalog.list_images(limit=0).total) == ((), 15)


def test_the_place_of_an_image_is_that_of_its_record(catalog: Catalog) -> None:
    add(catalog, item("/m.lif", "m0", "m1"))
    for image in images(catalog, "/m.lif"):
        place = catalog.place_of(image.id)
        assert (place.id, place.index, place.path, place.revision) == (image.id, image.index, "/m.lif", 1)
    catalog.delete_image(place.id)
    with pytest.raises(NotFoundError):
        catalog.place_of(place.id)
    for wrong in WRONG_IDS:
        with pytest.raises(NotFoundError):
            catalog.place_of(wrong)


def test_impossible_pages_are_refused_with_every_reason(catalog: Catalog) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        catalog.list_images(skip=-1, limit=2**70)
    assert caught.value.errors == (
        f"skip: expected 0 to {LAST_PLACE}, found -1",
        f"limit: expected 0 to {LAST_PLACE}, found {2**70}",
    )
    assert catalog.list_images(skip=LAST_PLACE, limit=LAST_PLACE).images == ()


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("MITO", ["Mitochondria"]),
        ("zürich", ["ZÜRICH"]),
        ("Zu\u0308rich", ["ZÜRICH"]),
        ("STRASSE", ["straße"]),
        ("細胞", ["細胞"]),
        ("100%", ["100% done"]),
        ("a_b", ["a_b"]),
        ("\\", ["back\\slash"]),
        ("plate-7.TIF", ["Mitochondria"]),
        ("/data", []),
        ("a\x00b", []),
        ("", ["Mitochondria", "ZÜRICH", "straße", "細胞", "100% done", "a_b", "aXb", "back\\slash"]),
        ("   ", ["Mitochondria", "ZÜRICH", "straße", "細胞", "100% done", "a_b", "aXb", "back\\slash"]),
    ],
)
def test_search(catalog: Catalog, q: str, expected: list[str]) -> None:
    add(
        catalog,
        item("/data/Plate-7.tif", "Mitochondria"),
        *(
            item(f"/data/{number}", name)
            for number, name in enumerate(["ZÜRICH", "straße", "細胞", "100% done", "a_b", "aXb", "back\\slash"])
        ),
    )
    page = catalog.list_images(q=q)
    assert [image.metadata.name for image in page.images] == expected
    assert page.total == len(expected)


def test_search_does_not_reach_across_name_and_file_name(catalog: Catalog) -> None:
    add(catalog, item("/d/cells.tif", "mouse"))
    assert names(catalog, "mousecells") == []
    assert names(catalog, "ec") == []


def test_search_finds_the_new_name_of_a_changed_image(catalog: Catalog) -> None:
    add_one(catalog, name="before")
    add(catalog, item("/data/a.tif", "after"))
    assert (names(catalog, "before"), names(catalog, "after")) == ([], ["after"])


@pytest.mark.parametrize("wrong", WRONG_IDS)
def test_what_cannot_be_an_identifier_is_not_found(catalog: Catalog, wrong: str) -> None:
    add_one(catalog)
    for call in (catalog.get_image, catalog.delete_image, catalog.restore_image):
        with pytest.raises(NotFoundError):
            call(wrong)
    with pytest.raises(NotFoundError):
        catalog.artifact("thumbnail", wrong)
    assert catalog.mark("thumbnail", [wrong]) == 0
    assert claim(catalog, image_id=wrong) is None
    assert catalog.purge_images([wrong]) == []


def test_what_is_not_there_is_not_found(catalog: Catalog) -> None:
    nobody = str(uuid4())
    for call in (catalog.get_image, catalog.delete_image, catalog.restore_image):
        with pytest.raises(NotFoundError, match=nobody):
            call(nobody)


def test_the_thumbnail_of_a_record(catalog: Catalog) -> None:
    image_id = add_one(catalog)
    assert catalog.get_image(image_id).thumbnail == ThumbnailState("stale", None)
    catalog.fail(must_claim(catalog), "no pixels", retry_in_seconds=0)
    assert catalog.list_images().images[0].thumbnail == ThumbnailState("failed", None, "no pixels")
    catalog.finish([(must_claim(catalog), built("thumbnail/k.png"))])
    assert catalog.get_image(image_id).thumbnail == ThumbnailState("fresh", built("thumbnail/k.png").etag)
    catalog.mark("thumbnail", [image_id])
    assert catalog.get_image(image_id).thumbnail == ThumbnailState("stale", None)


def test_a_thumbnail_of_an_older_recipe_is_shown_as_stale(url: str) -> None:
    with Catalog.open(url, versions=VERSIONS) as old:
        image_id = add_one(old)
        build(old, image_id)
        assert old.get_image(image_id).thumbnail.state == "fresh"
    with Catalog.open(url, versions={"thumbnail": 2}) as new:
        assert new.get_image(image_id).thumbnail.state == "stale"


def test_delete_and_restore(catalog: Catalog, clock: Clock) -> None:
    image_id = add_one(catalog)
    build(catalog, image_id)
    after = catalog.last_event()

    catalog.delete_image(image_id)
    assert catalog.list_images().total == 0
    with pytest.raises(NotFoundError):
        catalog.get_image(image_id)
    with pytest.raises(NotFoundError):
        catalog.artifact("thumbnail", image_id)
    assert catalog.get_image(image_id, deleted=True).deleted_at == clock.now
    with pytest.raises(NotFoundError):
        catalog.delete_image(image_id)

    catalog.restore_image(image_id)
    image = catalog.get_image(image_id)
    assert (image.deleted_at, image.thumbnail.state, image.revision) == (None, "fresh", 1)
    with pytest.raises(ConflictError):
        catalog.restore_image(image_id)
    assert event_types(catalog, after) == [("image.deleted", image_id), ("image.restored", image_id)]


def test_artifacts_of_deleted_images_are_not_built(catalog: Catalog) -> None:
    image_id = add_one(catalog)
    catalog.delete_image(image_id)
    assert claim(catalog) is None
    catalog.restore_image(image_id)
    assert must_claim(catalog).image_id == image_id


def test_only_what_was_deleted_before_a_time_can_be_purged(catalog: Catalog, clock: Clock) -> None:
    first, second, _ = (add_one(catalog, f"/{number}.tif") for number in range(3))
    catalog.delete_image(first)
    clock.advance(100)
    catalog.delete_image(second)
    assert [image.id for image in catalog.purgeable(clock.now)] == [first]
    assert [image.id for image in catalog.purgeable(clock.now + timedelta(seconds=1))] == [first, second]
    assert catalog.purgeable(clock.now - timedelta(days=1)) == []


def test_purging_an_image_added_in_place_leaves_its_file_and_a_tombstone(catalog: Catalog, clock: Clock) -> None:
    image_id = add_one(catalog)
    build(catalog, image_id, "thumbnail/own.png")
    catalog.delete_image(image_id)

    assert catalog.purge_images([image_id]) == [PurgedBytes(image_id, None, ("thumbnail/own.png",))]
    assert catalog.purge_images([image_id]) == []
    assert catalog.purgeable(clock.advance(1)) == []
    assert catalog.artifact_keys() == set()
    assert catalog.counts(VERSIONS).images_deleted == 0

    add(catalog, item("/data/a.tif", "changed on disk"))
    assert catalog.list_images().total == 0

    catalog.restore_image(image_id)
    assert catalog.get_image(image_id).thumbnail == ThumbnailState("stale", None)
    assert must_claim(catalog).image_id == image_id


def test_an_upload_goes_when_its_last_image_is_purged(catalog: Catalog) -> None:
    add(catalog, item("/up/a.lif", "one", "two", origin="uploaded"))
    one, two = (image.id for image in images(catalog, "/up/a.lif"))
    build(catalog, one, "thumbnail/one.png")
    build(catalog, two, "thumbnail/two.png")

    catalog.delete_image(one)
    assert catalog.purge_images([one, two]) == [PurgedBytes(one, None, ("thumbnail/one.png",))]
    assert catalog.get_image(two).thumbnail.state == "fresh"

    catalog.delete_image(two)
    assert catalog.purge_images([two]) == [PurgedBytes(two, "/up/a.lif", ("thumbnail/two.png",))]
    assert catalog.assets_under("/up") == {}
    for image_id in (one, two):
        with pytest.raises(NotFoundError):
            catalog.restore_image(image_id)


def test_the_path_of_an_upload_is_given_once(catalog: Catalog) -> None:
    add(catalog, item("/up/a.lif", "one", "two", origin="uploaded"))
    both = [image.id for image in images(catalog, "/up/a.lif")]
    for image_id in both:
        catalog.delete_image(image_id)
    purged = catalog.purge_images(both)
    assert sorted(gone.image_id for gone in purged) == sorted(both)
    assert sorted(str(gone.path) for gone in purged) == ["/up/a.lif", "None"]


def test_bytes_shared_with_another_artifact_are_not_given_up(catalog: Catalog) -> None:
    first, second = add_one(catalog, "/1.tif"), add_one(catalog, "/2.tif")
    build(catalog, first, "thumbnail/same.png")
    build(catalog, second, "thumbnail/same.png")
    catalog.delete_image(first)
    assert catalog.purge_images([first]) == [PurgedBytes(first, None, ())]
    catalog.delete_image(second)
    assert catalog.purge_images([second]) == [PurgedBytes(second, None, ("thumbnail/same.png",))]


def test_what_was_restored_meanwhile_is_not_purged(catalog: Catalog, clock: Clock) -> None:
    image_id = add_one(catalog)
    catalog.delete_image(image_id)
    (planned,) = catalog.purgeable(clock.advance(1))
    catalog.restore_image(image_id)
    assert catalog.purge_images([planned.id]) == []
    assert catalog.get_image(image_id).deleted_at is None


def test_lists_carry_no_vendor_metadata(catalog: Catalog) -> None:
    add(catalog, SyncItem(seen("/v.tif"), "ok", None, (metadata(vendor={"large": "x" * 1000}),)))
    (listed,) = catalog.list_images().images
    assert listed.metadata.vendor == {}
    assert catalog.get_image(listed.id).metadata.vendor == {"large": "x" * 1000}


def test_images_get_the_artifacts_of_a_new_kind_when_the_catalog_is_opened(url: str) -> None:
    with Catalog.open(url, versions=VERSIONS) as old:
        image_id, gone = add_one(old), add_one(old, "/gone.tif")
        old.delete_image(gone)
        old.purge_images([gone])
        with pytest.raises(NotFoundError):
            old.artifact("projection", image_id)
    for _ in range(2):
        with Catalog.open(url, versions={"thumbnail": 1, "projection": 1}) as new:
            assert new.artifact("projection", image_id).wanted == 1
            assert new.counts({}).artifacts_stale == 2
            assert new.mark("projection", [gone]) == 0
    with Catalog.open(url, versions={"thumbnail": 1, "projection": 1}) as new:
        second = add_one(new, "/also.tif")
        assert {found.kind for found in new.claim({"thumbnail": 1, "projection": 1}, lease_seconds=9, limit=9)} == {
            "thumbnail",
            "projection",
        }
        new.restore_image(gone)
        assert new.artifact("projection", gone).built == new.artifact("projection", second).built == 0
