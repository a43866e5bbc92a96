from coverslip.catalog import Catalog
from coverslip.catalog.events import KEPT, TRIM_EVERY
from coverslip.model.records import Event
from tests.catalog.making import READ_BY, add_one, build, event_types, item


def test_events_tell_the_story_in_order(catalog: Catalog) -> None:
    assert (catalog.last_event(), catalog.events_after(0)) == (0, [])
    image_id = add_one(catalog)
    build(catalog, image_id)
    catalog.delete_image(image_id)
    assert [event.seq for event in catalog.events_after(0)] == [1, 2, 3]
    assert event_types(catalog) == [
        ("image.added", image_id),
        ("artifact.built", image_id),
        ("image.deleted", image_id),
    ]
    assert catalog.events_after(2) == [Event(3, "image.deleted", image_id, {})]
    assert [event.seq for event in catalog.events_after(0, limit=2)] == [1, 2]
    assert catalog.last_event() == 3


def test_numbers_that_nobody_gave_out_are_harmless(catalog: Catalog) -> None:
    add_one(catalog)
    assert len(catalog.events_after(-5)) == 1
    assert catalog.events_after(2**80) == []


def test_old_events_are_trimmed_and_numbers_go_on(catalog: Catalog) -> None:
    batch = [item(f"/{number}.tif") for number in range(TRIM_EVERY)]
    for _ in range(KEPT // TRIM_EVERY + 2):
        catalog.sync_files(batch, READ_BY)
    last = KEPT + 2 * TRIM_EVERY
    assert catalog.last_event() == last
    (oldest,) = catalog.events_after(0, limit=1)
    assert oldest.seq == last - KEPT + 1
    assert len(catalog.events_after(0, limit=2 * KEPT)) == KEPT


def test_nothing_is_told_of_what_was_refused(catalog: Catalog) -> None:
    image_id = add_one(catalog)
    catalog.delete_image(image_id)
    after = catalog.last_event()
    catalog.touch_files([])
    catalog.mark_missing(["/nothing"])
    catalog.mark("thumbnail", [image_id])
    assert catalog.last_event() == after
