from typing import Any

import pytest

from coverslip.catalog import Catalog
from coverslip.model import ImageMetadata
from coverslip.model.records import Change, SyncItem
from tests.catalog.making import (
    READ_BY,
    Clock,
    add,
    add_one,
    bad,
    build,
    event_types,
    images,
    is_fresh,
    item,
    metadata,
    must_claim,
    seen,
)


def test_a_new_file_gets_its_images_and_their_artifacts(catalog: Catalog, clock: Clock) -> None:
    (change,) = catalog.sync_files([item("/data/a.lif", "first", "second", size=7, mtime_ns=9)], READ_BY)

    asset = catalog.assets_under("/data")["/data/a.lif"]
    first, second = images(catalog, "/data/a.lif")
    assert change == Change(asset.id, images_added=2, rows_written=5)
    assert (asset.state, asset.size, asset.mtime_ns, asset.origin, asset.read_by) == ("ok", 7, 9, "added", READ_BY)
    assert (asset.missing_since, asset.reason, asset.checksum, asset.is_folder) == (None, None, None, False)
    assert [(image.index, image.metadata.name, image.revision) for image in (first, second)] == [
        (0, "first", 1),
        (1, "second", 1),
    ]
    assert first.created_at == first.updated_at == clock.now
    assert (first.filename, first.path, first.size_bytes, first.origin) == ("a.lif", "/data/a.lif", 7, "added")
    assert catalog.artifact("thumbnail", second.id).wanted == 1
    assert not is_fresh(catalog, second.id)
    assert event_types(catalog) == [("image.added", first.id), ("image.added", second.id)]


def test_a_changed_file_keeps_its_images_and_marks_their_artifacts(catalog: Catalog, clock: Clock) -> None:
    image_id = add_one(catalog)
    build(catalog, image_id)
    created = clock.now
    clock.advance(60)

    (change,) = catalog.sync_files([item("/data/a.tif", "renamed", size=8, mtime_ns=2)], "coverslip 2")

    image = catalog.get_image(image_id)
    assert change == Change(change.asset_id, images_changed=1, rows_written=3)
    assert (image.metadata.name, image.revision, image.size_bytes) == ("renamed", 2, 8)
    assert (image.created_at, image.updated_at) == (created, clock.now)
    assert image.thumbnail.state == "stale"
    artifact = catalog.artifact("thumbnail", image_id)
    assert (artifact.wanted, artifact.built, is_fresh(catalog, image_id)) == (2, 1, False)
    assert catalog.assets_under("/data")["/data/a.tif"].read_by == "coverslip 2"
    assert event_types(catalog)[-1] == ("image.changed", image_id)
    assert catalog.events_after(0)[-1].data == {"revision": 2}


def test_a_change_takes_back_failures_and_leaves_a_running_claim_alone(catalog: Catalog) -> None:
    image_id = add_one(catalog)
    catalog.fail(must_claim(catalog), "no pixels", retry_in_seconds=3600)
    add(catalog, item("/data/a.tif"))
    running = must_claim(catalog)
    add(catalog, item("/data/a.tif"))

    artifact = catalog.artifact("thumbnail", image_id)
    assert (artifact.attempts, artifact.next_try_at, artifact.error, artifact.wanted) == (0, None, None, 3)
    assert catalog.heartbeat(running, 30)
    assert catalog.get_image(image_id).thumbnail.state == "stale"


def test_images_a_file_no_longer_has_become_missing_and_come_back(catalog: Catalog, clock: Clock) -> None:
    add(catalog, item("/a.lif", "one", "two", "three"))
    one, two, three = (image.id for image in images(catalog, "/a.lif"))
    after = catalog.last_event()

    (fewer,) = catalog.sync_files([item("/a.lif", "one")], READ_BY)
    assert (fewer.images_changed, fewer.images_missing) == (1, 2)
    assert catalog.get_image(two).missing_since == clock.now
    assert catalog.get_image(one).missing_since is None
    assert event_types(catalog, after) == [("image.changed", one), ("image.missing", two), ("image.missing", three)]

    (again,) = catalog.sync_files([item("/a.lif", "one")], READ_BY)
    assert again.images_missing == 0

    after = catalog.last_event()
    add(catalog, item("/a.lif", "one", "two"))
    assert catalog.get_image(two).missing_since is None
    assert catalog.get_image(three).missing_since == clock.now
    assert event_types(catalog, after) == [("image.changed", one), ("image.found", two), ("image.changed", two)]


@pytest.mark.parametrize("state", ["broken", "unknown", "part"])
def test_a_file_that_cannot_be_read_any_more_keeps_its_images_as_missing(catalog: Catalog, state: Any) -> None:
    image_id = add_one(catalog)
    (change,) = catalog.sync_files([bad("/data/a.tif", state, "because")], READ_BY)

    asset = catalog.assets_under("/data")["/data/a.tif"]
    assert (asset.state, asset.reason, change.images_missing) == (state, "because", 1)
    assert catalog.get_image(image_id).missing_since is not None
    assert event_types(catalog)[-1] == ("image.missing", image_id)

    add(catalog, item("/data/a.tif"))
    assert catalog.assets_under("/data")["/data/a.tif"].reason is None
    assert catalog.get_image(image_id).missing_since is None


def test_a_file_that_was_never_read_has_no_images(catalog: Catalog) -> None:
    (change,) = catalog.sync_files([bad("/data/x.bin", "unknown", None)], READ_BY)
    assert change == Change(change.asset_id, rows_written=1)
    assert catalog.list_images().total == 0
    assert catalog.last_event() == 0


def test_a_missing_file_that_is_back_with_other_content_is_found_and_changed(catalog: Catalog) -> None:
    image_id = add_one(catalog)
    catalog.mark_missing(["/data/a.tif"])
    after = catalog.last_event()
    add(catalog, item("/data/a.tif", size=5))
    assert catalog.assets_under("/data")["/data/a.tif"].missing_since is None
    assert event_types(catalog, after) == [("image.found", image_id), ("image.changed", image_id)]


def test_deleted_images_stay_deleted_when_their_file_changes(catalog: Catalog) -> None:
    image_id = add_one(catalog)
    catalog.delete_image(image_id)
    after = catalog.last_event()
    add(catalog, item("/data/a.tif", "new name"))
    assert catalog.list_images().total == 0
    assert event_types(catalog, after) == []
    catalog.restore_image(image_id)
    assert catalog.get_image(image_id).metadata.name == "new name"


def test_an_upload_stays_an_upload(catalog: Catalog) -> None:
    add(catalog, item("/up/a.tif", origin="uploaded"))
    add(catalog, item("/up/a.tif", origin="added"))
    assert catalog.assets_under("/up")["/up/a.tif"].origin == "uploaded"


def test_changes_come_in_the_order_of_the_batch_and_the_last_look_counts(catalog: Catalog) -> None:
    twice = [item("/z.tif", "old"), item("/a.tif"), item("/z.tif", "new", "newer")]
    changes = catalog.sync_files(twice, READ_BY)
    known = catalog.assets_under("/")
    assert [change.asset_id for change in changes] == [known[entry.seen.path].id for entry in twice]
    assert [change.images_added for change in changes] == [0, 1, 2]
    assert [image.metadata.name for image in images(catalog, "/z.tif")] == ["new", "newer"]


def test_an_empty_batch_writes_nothing(catalog: Catalog) -> None:
    assert catalog.sync_files([], READ_BY) == []
    assert catalog.touch_files([]) == catalog.mark_missing([]) == catalog.mark_found([]) == 0
    assert catalog.last_event() == 0


def test_a_large_batch(catalog: Catalog) -> None:
    batch = [item(f"/big/{number:05}.tif", f"n{number}") for number in range(2500)]
    changes = catalog.sync_files(batch, READ_BY)
    assert len({change.asset_id for change in changes}) == 2500
    page = catalog.list_images(skip=2400, limit=200)
    assert (page.total, len(page.images)) == (2500, 100)
    assert [image.metadata.name for image in page.images[-2:]] == ["n2498", "n2499"]
    assert catalog.last_event() == 2500

    catalog.sync_files(batch, READ_BY)
    assert catalog.counts({"thumbnail": 1}).artifacts_stale == 2500
    assert catalog.mark_missing(file.seen.path for file in batch) == 2500
    assert catalog.mark_found(file.seen.path for file in batch) == 2500


def test_metadata_comes_back_as_it_was(catalog: Catalog) -> None:
    full = ImageMetadata.model_validate(
        {
            "name": "Zürich 細胞 \N{MICROSCOPE}",
            "file_format": "CZI",
            "format_variant": "x",
            "size_t": 2,
            "size_c": 2,
            "size_z": 3,
            "size_y": 8,
            "size_x": 9,
            "dtype": "float32",
            "levels": [{"size_z": 3, "size_y": 8, "size_x": 9}, {"size_z": 3, "size_y": 4, "size_x": 4}],
            "pixel_size_x": {"value": 0.1, "unit": "um"},
            "pixel_size_z": {"value": 0.3, "unit": "nm"},
            "time_increment_s": 0.5,
            "channels": [
                {"index": 0, "name": "DAPI", "color": "#0000ff", "emission_wavelength_nm": 461.0, "gain": 1.5},
                {"index": 1, "name": "GFP"},
            ],
            "objective": {"name": "Plan", "magnification": 63.0, "numerical_aperture": 1.4},
            "microscope": {"manufacturer": "Zeiss"},
            "acquired_at": "2021-03-04T05:06:07.123456+02:00",
            "source_axes": "TZCYX",
            "note": "as it is",
            "vendor": {"a": [1, 2.5, None, True, {"b": "c"}], "big": 2**80},
        }
    )
    add(catalog, SyncItem(seen("/m.czi"), "ok", None, (full,)))
    (image,) = images(catalog, "/m.czi")
    assert image.metadata == full
    assert catalog.list_images().images[0].metadata == full.model_copy(update={"vendor": {}})


def test_odd_values_of_foreign_files_do_not_keep_a_batch_out(catalog: Catalog) -> None:
    odd = {
        "nan": float("nan"),
        "bytes": b"\xff",
        "nul": "a\x00b",
        "half": "\udc80",
        "deep": {3: {4}},
        "tuple": (1, float("inf")),
    }
    broken_name = metadata("na\x00me \ud83d", vendor=odd)
    add(catalog, SyncItem(seen("/odd.tif"), "ok", None, (broken_name,)), bad("/bad.tif", reason="saw \x00\udcff"))

    (image,) = images(catalog, "/odd.tif")
    assert image.metadata.vendor == {
        "nan": None,
        "bytes": "b'\\xff'",
        "nul": "a\x00b",
        "half": "\udc80",
        "deep": {"3": [4]},
        "tuple": [1, None],
    }
    assert catalog.list_images(q="na\ufffdme").total == 1
    assert catalog.problems(9)[0].reason == "saw \ufffd\ufffd"


def test_paths_that_are_not_utf8_come_back_as_they_were(catalog: Catalog) -> None:
    path = b"/data/caf\xe9.tif".decode("utf-8", "surrogateescape")
    image_id = add_one(catalog, path)
    assert set(catalog.assets_under("/data")) == {path}
    assert catalog.get_image(image_id).path == path
    assert catalog.mark_missing([path]) == 1


def test_absurd_file_times_are_kept_as_far_as_possible(catalog: Catalog) -> None:
    add(catalog, item("/late.tif", mtime_ns=2**70), item("/early.tif", mtime_ns=-(2**70)))
    known = catalog.assets_under("/")
    assert known["/late.tif"].mtime_ns == 2**63 - 1
    assert known["/early.tif"].mtime_ns == -(2**63 - 1)


def test_a_file_that_is_not_healthy_cannot_have_images() -> None:
    with pytest.raises(ValueError, match="has no images"):
        SyncItem(seen("/a"), "broken", None, (metadata(),))
