import pytest

from coverslip.catalog import Catalog
from coverslip.errors import NotFoundError
from tests.catalog.making import (
    Clock,
    add,
    add_one,
    bad,
    build,
    claim,
    event_types,
    images,
    is_fresh,
    item,
    must_claim,
    seen,
)


def test_what_lies_below_a_folder(catalog: Catalog) -> None:
    inside = ["/d/x", "/d/x/a.tif", "/d/x/ü/細.tif", "/d/x/100%/b_c.tif", "/d/x/ z", "/d/x/\U0010fffe"]
    outside = ["/d/x.tif", "/d/xy/a.tif", "/d/x0/a", "/d/X/a.tif", "/d", "/d/x-1/a", "/e/d/x/a.tif", "/d/x\u0300/a"]
    add(catalog, *map(item, inside + outside))
    assert set(catalog.assets_under("/d/x")) == set(inside)
    assert set(catalog.assets_under("/d/x/")) == set(inside)
    assert set(catalog.assets_under("/d/x/a.tif")) == {"/d/x/a.tif"}
    assert set(catalog.assets_under("/")) == set(inside + outside)
    assert catalog.assets_under("/nothing") == {}


@pytest.mark.parametrize("wild", ["/d/10%", "/d/a_b", "/d/*", "/d/[ab]", "/d/'; --", '/d/"q"', "/d/\\"])
def test_no_character_of_a_folder_is_special(catalog: Catalog, wild: str) -> None:
    add(catalog, item(f"{wild}/in.tif"), item("/d/100/out.tif"), item("/d/aXb/out.tif"), item("/d/a/out.tif"))
    assert set(catalog.assets_under(wild)) == {f"{wild}/in.tif"}


def test_missing_and_found(catalog: Catalog, clock: Clock) -> None:
    one = add_one(catalog, "/d/1.tif")
    add_one(catalog, "/d/2.tif")
    after = catalog.last_event()

    assert catalog.mark_missing(["/d/1.tif", "/d/1.tif", "/d/never-seen.tif"]) == 1
    assert catalog.mark_missing(["/d/1.tif"]) == 0
    assert catalog.assets_under("/d")["/d/1.tif"].missing_since == clock.now
    assert catalog.assets_under("/d")["/d/2.tif"].missing_since is None
    assert catalog.get_image(one).missing_since == clock.now
    assert catalog.list_images().total == 2

    clock.advance(10)
    assert catalog.mark_found(["/d/1.tif", "/d/2.tif"]) == 1
    assert catalog.mark_found(["/d/1.tif"]) == 0
    assert catalog.get_image(one).missing_since is None
    assert event_types(catalog, after) == [("image.missing", one), ("image.found", one)]


def test_a_file_that_comes_back_unchanged_keeps_its_artifacts(catalog: Catalog) -> None:
    image_id = add_one(catalog)
    build(catalog, image_id)
    catalog.mark_missing(["/data/a.tif"])
    catalog.mark_found(["/data/a.tif"])
    assert is_fresh(catalog, image_id)
    assert catalog.get_image(image_id).revision == 1


def test_images_missing_by_themselves_do_not_come_back_with_their_file(catalog: Catalog) -> None:
    add(catalog, item("/a.lif", "one", "two"))
    one, two = (image.id for image in images(catalog, "/a.lif"))
    add(catalog, item("/a.lif", "one"))
    after = catalog.last_event()
    catalog.mark_missing(["/a.lif"])
    catalog.mark_found(["/a.lif"])
    assert catalog.get_image(one).missing_since is None
    assert catalog.get_image(two).missing_since is not None
    assert event_types(catalog, after) == [("image.missing", one), ("image.found", one)]


def test_nobody_hears_of_deleted_images_that_are_missing(catalog: Catalog) -> None:
    catalog.delete_image(add_one(catalog))
    after = catalog.last_event()
    assert catalog.mark_missing(["/data/a.tif"]) == 1
    assert event_types(catalog, after) == []


def test_artifacts_of_missing_images_are_not_built(catalog: Catalog) -> None:
    image_id = add_one(catalog)
    catalog.mark_missing(["/data/a.tif"])
    assert claim(catalog) is None
    catalog.mark_found(["/data/a.tif"])
    assert must_claim(catalog).image_id == image_id


def test_touching_a_file_leaves_images_and_artifacts_alone(catalog: Catalog) -> None:
    image_id = add_one(catalog)
    build(catalog, image_id)
    after = catalog.last_event()
    touched = [seen("/data/a.tif", size=4, mtime_ns=44, checksum="beef"), seen("/data/unknown.tif")]
    assert catalog.touch_files(touched) == 1

    asset = catalog.assets_under("/data")["/data/a.tif"]
    assert (asset.size, asset.mtime_ns, asset.checksum, asset.state) == (4, 44, "beef", "ok")
    assert "/data/unknown.tif" not in catalog.assets_under("/data")
    assert is_fresh(catalog, image_id)
    assert catalog.get_image(image_id).revision == 1
    assert catalog.last_event() == after


def test_problems_are_the_broken_files_that_are_there(catalog: Catalog) -> None:
    add(catalog, bad("/d/b"), bad("/d/a"), bad("/d/gone"), bad("/d/u", "unknown"), bad("/d/p", "part"), item("/d/ok"))
    catalog.mark_missing(["/d/gone"])
    assert [(asset.path, asset.reason) for asset in catalog.problems(10)] == [
        ("/d/a", "truncated"),
        ("/d/b", "truncated"),
    ]
    assert [asset.path for asset in catalog.problems(1)] == ["/d/a"]


def test_images_of_a_file_come_in_its_order(catalog: Catalog) -> None:
    add(catalog, item("/a.lif", "zero", "one", "two"))
    before = images(catalog, "/a.lif")
    catalog.delete_image(before[1].id)
    assert [image.index for image in images(catalog, "/a.lif")] == [0, 2]
    assert catalog.images_of("no such asset") == ()
    with pytest.raises(NotFoundError):
        catalog.get_image(before[1].id)


def test_a_missing_file_with_the_same_content_and_another_time_is_back(catalog: Catalog) -> None:
    add(catalog, item("/data/a.tif", checksum="blake2b:1"))
    catalog.mark_missing(["/data/a.tif"])
    assert catalog.touch_files([seen("/data/a.tif", mtime_ns=2, checksum="blake2b:1")]) == 1
    asset = catalog.assets_under("/data/a.tif")["/data/a.tif"]
    assert (asset.missing_since, asset.mtime_ns) == (None, 2)
    assert [one.type for one in catalog.events_after(0)][-1] == "image.found"
