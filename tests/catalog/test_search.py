"""Searching, narrowing and sorting, on both databases."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from sqlalchemy import text

from coverslip.catalog import Catalog
from coverslip.errors import InvalidRequestError
from coverslip.model.records import SyncItem
from coverslip.model.search import Cursor, ImageFilter, Sort
from tests.catalog.making import Clock, add, bad, images, metadata, seen

DAY = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SORTS: Sequence[Sort] = get_args(Sort)


def one(name: str, **given: Any) -> SyncItem:
    return SyncItem(seen(f"/data/{name}.bin"), "ok", None, (metadata(name, **given),))


def channels(*names: str) -> dict[str, Any]:
    return {"size_c": len(names), "channels": [{"index": c, "name": name} for c, name in enumerate(names)]}


def names(catalog: Catalog, **asked: Any) -> list[str]:
    """Return the names found, with the total checked against them."""
    page = catalog.list_images(**asked)
    assert page.total == len(page.images)
    assert page.next_cursor is None
    return [image.metadata.name for image in page.images]


def having(catalog: Catalog, **wanted: Any) -> str:
    return " ".join(sorted(names(catalog, having=ImageFilter(**wanted))))


@pytest.fixture
def shelf(catalog: Catalog) -> Catalog:
    """Return a catalog with images that differ in everything that can be asked for."""
    add(
        catalog,
        one(
            "a",
            file_format="CZI",
            pixel_size_x={"value": 0.1},
            acquired_at=DAY,
            objective={"name": "Plan-Apochromat", "magnification": 63, "immersion": "Oil"},
            microscope={"manufacturer": "Zeiss", "model": "LSM 980"},
            vendor={"Scanner": {"User": "Ramón y Cajal", "Laser": [{"serial": 4711}]}},
            **channels("DAPI", "GFP"),
        ),
        one(
            "b",
            format_variant="OME-TIFF",
            pixel_size_x={"value": 200, "unit": "nm"},
            acquired_at=DAY + timedelta(days=1),
            objective={"name": "EC 100%_Neofluar", "magnification": 10},
            size_c=1,
            channels=[{"index": 0, "name": "red", "dye": "mCherry"}],
            size_z=5,
        ),
        one("c", size_z=9, vendor={"note": "cell-cycle arrest; AND OR NOT"}),
    )
    return catalog


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, "a b c"),
        ({"format": "czi"}, "a"),
        ({"format": "TIFF"}, "b c"),
        ({"format": " ome-tiff "}, "b"),
        ({"format": "TIF"}, ""),
        ({"format": "%"}, ""),
        ({"format": ""}, ""),
        ({"channel": "dapi"}, "a"),
        ({"channel": "GF"}, "a"),
        ({"channel": "mcherry"}, "b"),
        ({"channel": "channel 0"}, "c"),
        ({"channel": "dapi\ngfp"}, ""),
        ({"channel": "%"}, ""),
        ({"channel": "_"}, ""),
        ({"objective": "plan-apo"}, "a"),
        ({"objective": "63X"}, "a"),
        ({"objective": "oil"}, "a"),
        ({"objective": "100%_"}, "b"),
        ({"objective": "100_"}, ""),
        ({"min_pixel_size": 0.1}, "a b"),
        ({"min_pixel_size": 0.15}, "b"),
        ({"max_pixel_size": 0.2}, "a b"),
        ({"max_pixel_size": 0.19}, "a"),
        ({"min_pixel_size": 0.2, "max_pixel_size": 0.1}, ""),
        ({"acquired_after": DAY}, "a b"),
        ({"acquired_after": DAY + timedelta(seconds=1)}, "b"),
        ({"acquired_before": DAY}, ""),
        ({"acquired_before": DAY + timedelta(days=1)}, "a"),
        ({"format": "czi", "channel": "gfp", "objective": "63x", "min_pixel_size": 0.05}, "a"),
        ({"format": "czi", "channel": "mcherry"}, ""),
        ({"format": "' OR 1=1 --"}, ""),
        ({"channel": "'; DROP TABLE image; --"}, ""),
        ({"objective": "a\x00b\udc80"}, ""),
    ],
)
def test_every_filter(shelf: Catalog, wanted: dict[str, Any], expected: str) -> None:
    assert having(shelf, **wanted) == expected


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("dapi", "a"),
        ("DAP", "a"),
        ("gfp dapi", "a"),
        ("dap gfp", ""),
        ("mcherry", "b"),
        ("plan-apochromat 63x", "a"),
        ("zeiss lsm 98", "a"),
        ("RAMO\u0301N caj", "a"),
        ("4711", "a"),
        ("471", "a"),
        ("scanner", ""),
        ("cell-cycle", "c"),
        ("b.bin mcherry", "b"),
        ("channel", ""),
        ("and", "c"),
        ("OR NOT", "c"),
        ("dapi OR mcherry", ""),
        ("NOT dapi", ""),
        ('"dapi"', "a"),
        ('"dapi', "a"),
        ("'dapi", "a"),
        ("dapi*", "a"),
        ("dapi:*", "a"),
        ("text:dapi", ""),
        ("{text}: dapi", ""),
        ("^dapi", "a"),
        ("NEAR(dapi gfp)", ""),
        ("(dapi", "a"),
        ("dapi & gfp", "a"),
        ("!dapi", "a"),
        ("dapi <-> gfp", "a"),
        ("\\", ""),
        ("\\'", ""),
        ("*", ""),
        ("''", ""),
        ("' OR 1=1 --", ""),
        ("'; DROP TABLE facts; --", ""),
        ("w" * 5000, ""),
        ("dapi " * 5000, "a"),
        ("", "a b c"),
        (" \t", "a b c"),
    ],
)
def test_words_are_found_and_nothing_in_them_is_special(shelf: Catalog, q: str, expected: str) -> None:
    assert " ".join(sorted(names(shelf, q=q))) == expected


def test_a_search_and_filters_go_together(shelf: Catalog) -> None:
    assert names(shelf, q="bin", having=ImageFilter(format="tiff"), sort="-name") == ["c", "b"]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("-added", "a b c"),
        ("added", "c b a"),
        ("name", "a b c"),
        ("-name", "c b a"),
        ("acquired", "a b c"),
        ("-acquired", "b a c"),
        ("size", "a b c"),
        ("-size", "c b a"),
        ("pixel_size", "a b c"),
        ("-pixel_size", "b a c"),
    ],
)
def test_every_order_and_what_is_unknown_comes_last(shelf: Catalog, sort: Sort, expected: str) -> None:
    assert " ".join(names(shelf, sort=sort)) == expected


def test_names_are_sorted_without_letter_case_and_the_same_in_both_databases(catalog: Catalog) -> None:
    add(catalog, *(one(name) for name in ["b", "Ä", "A 1", "_", "a-0", "Z", "a", "細"]))
    assert names(catalog, sort="name") == ["_", "a", "A 1", "a-0", "b", "Z", "Ä", "細"]


def _everything(clock: Clock, catalog: Catalog, count: int) -> None:
    for number in range(count):
        clock.advance(number % 2)
        add(
            catalog,
            one(
                f"n{number * 7 % count:02}",
                size_z=1 + number % 4,
                pixel_size_x=None if number % 3 == 0 else {"value": 0.1 * (number % 5 + 1)},
                acquired_at=None if number % 4 == 0 else DAY + timedelta(microseconds=number % 5),
            ),
        )


@pytest.mark.parametrize("sort", SORTS)
def test_pages_after_cursors_are_the_whole_list(catalog: Catalog, clock: Clock, sort: Sort) -> None:
    _everything(clock, catalog, 23)
    whole = [image.id for image in catalog.list_images(sort=sort).images]
    found: list[str] = []
    after: Cursor | None = None
    for _ in range(8):
        page = catalog.list_images(sort=sort, after=after, limit=3)
        assert page.total == 23
        found += [image.id for image in page.images]
        after = Cursor.parse(page.next_cursor, sort) if page.next_cursor else None
    assert found == whole
    assert len(set(found)) == 23
    assert after is None


@pytest.mark.parametrize("sort", SORTS)
def test_what_is_added_or_deleted_meanwhile_moves_no_page(catalog: Catalog, clock: Clock, sort: Sort) -> None:
    _everything(clock, catalog, 12)
    whole = [image.id for image in catalog.list_images(sort=sort).images]
    first = catalog.list_images(sort=sort, limit=5)
    assert first.next_cursor is not None
    catalog.delete_image(whole[1])
    catalog.delete_image(whole[4])
    clock.advance(60)
    more = [one(f"{edge}", size_z=z) for edge, z in (("aaa", 1), ("zzz", 40))]
    add(catalog, *more)
    rest = catalog.list_images(sort=sort, after=Cursor.parse(first.next_cursor, sort))
    shown = [image.id for image in rest.images]
    assert [image_id for image_id in shown if image_id in whole] == whole[5:]
    assert not set(shown) & set(whole[:5])


def test_a_filter_keeps_its_cursor(shelf: Catalog) -> None:
    wanted = ImageFilter(format="tiff")
    first = shelf.list_images(having=wanted, sort="name", limit=1)
    assert first.next_cursor is not None
    second = shelf.list_images(having=wanted, sort="name", limit=1, after=Cursor.parse(first.next_cursor, "name"))
    assert [image.metadata.name for image in (*first.images, *second.images)] == ["b", "c"]
    assert (second.total, second.next_cursor) == (2, None)


def test_a_cursor_of_another_order_is_refused(shelf: Catalog) -> None:
    cursor = Cursor("name", ("a", "0f8fad5b-d9cb-469f-a165-70867728950e"))
    with pytest.raises(InvalidRequestError, match="sorted by name, not by -added"):
        shelf.list_images(after=cursor)


def test_a_cursor_with_odd_text_is_a_place_like_any_other(shelf: Catalog) -> None:
    for odd in ("\x00", "\udc80", "' OR 1=1 --", "\U0010ffff" * 300):
        page = shelf.list_images(sort="name", after=Cursor("name", (odd, "0f8fad5b-d9cb-469f-a165-70867728950e")))
        assert page.total == 3


def test_an_empty_list(catalog: Catalog) -> None:
    for sort in SORTS:
        page = catalog.list_images(sort=sort, q="x", having=ImageFilter(channel="y"))
        assert (page.images, page.total, page.next_cursor) == ((), 0, None)


def test_what_changed_is_found_as_it_is_now(catalog: Catalog) -> None:
    add(catalog, one("x", **channels("DAPI"), vendor={"a": "before"}))
    add(catalog, one("x", **channels("Cy5"), vendor={"a": "afterwards"}, pixel_size_x={"value": 2.0}, size_z=2))
    assert (names(catalog, q="before"), names(catalog, q="dapi"), having(catalog, channel="dapi")) == ([], [], "")
    assert (names(catalog, q="afterw"), names(catalog, q="cy5"), having(catalog, channel="cy5")) == (["x"], ["x"], "x")
    assert having(catalog, min_pixel_size=2) == "x"
    assert _facts(catalog) == 1


def test_a_deleted_image_is_not_found_and_a_restored_one_is(shelf: Catalog) -> None:
    image_id = images(shelf, "/data/a.bin")[0].id
    shelf.delete_image(image_id)
    assert names(shelf, q="dapi") == []
    assert having(shelf, format="czi") == ""
    assert names(shelf, sort="name") == ["b", "c"]
    add(shelf, one("a", file_format="CZI", **channels("Cy5")))
    assert names(shelf, q="cy5") == []
    shelf.restore_image(image_id)
    assert (names(shelf, q="dapi"), names(shelf, q="cy5")) == ([], ["a"])


def test_a_missing_image_is_found(shelf: Catalog) -> None:
    shelf.mark_missing(["/data/a.bin"])
    add(shelf, bad("/data/b.bin"))
    assert (names(shelf, q="dapi"), names(shelf, q="mcherry")) == (["a"], ["b"])


def test_what_is_purged_leaves_nothing_behind(catalog: Catalog) -> None:
    upload = SyncItem(seen("/up.tif", origin="uploaded"), "ok", None, (metadata("x", vendor={"a": "secret"}),))
    add(catalog, upload, one("y"))
    image_id = images(catalog, "/up.tif")[0].id
    catalog.delete_image(image_id)
    catalog.purge_images([image_id])
    assert _facts(catalog) == 1
    with catalog._database.reading() as connection:
        if catalog._database.is_sqlite:
            found = connection.execute(text("SELECT count(*) FROM facts_text WHERE facts_text MATCH 'secret'"))
        else:
            found = connection.execute(text("SELECT count(*) FROM facts WHERE text @@ CAST('secret' AS tsquery)"))
        assert found.scalar_one() == 0


def test_the_index_of_words_is_whole_after_everything(shelf: Catalog) -> None:
    add(shelf, one("a", vendor={"x": "changed"}), one("b", vendor={"x": "changed too"}))
    if not shelf._database.is_sqlite:
        return
    with shelf._database.writing() as connection:
        connection.execute(text("INSERT INTO facts_text(facts_text, rank) VALUES ('integrity-check', 1)"))


def _facts(catalog: Catalog) -> int:
    with catalog._database.reading() as connection:
        count: int = connection.execute(text("SELECT count(*) FROM facts")).scalar_one()
    return count
